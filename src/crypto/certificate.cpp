#include "crypto/certificate.h"

#include <openssl/pem.h>

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/certificate_cache.h"
#include "crypto/digest.h"

namespace cahn::crypto {

struct Certificate::Parsed {
  Bytes der;
  X509Ptr x509;
  PublicKey key;
  Name subject, issuer;
  Time not_before, not_after;
};

namespace {

constexpr std::size_t max_certificate = 64 << 10;
constexpr std::size_t max_pem = 4 << 20;

// RFC 5280 4.2: each extension at most once. Bounded, as the comparison is quadratic.
bool extensions_are_distinct(const X509* x509) {
  const int count = X509_get_ext_count(x509);
  if (count > 64) return false;
  for (int i = 0; i < count; ++i) {
    const ASN1_OBJECT* type = X509_EXTENSION_get_object(X509_get_ext(x509, i));
    if (X509_get_ext_by_OBJ(x509, type, i) >= 0) return false;
  }
  return true;
}

std::optional<Bytes> extension_value(const X509* x509, std::string_view oid) {
  const Asn1ObjectPtr type = to_object(oid);
  const int at = X509_get_ext_by_OBJ(x509, type.get(), -1);
  if (at < 0) return std::nullopt;
  return octets_of(X509_EXTENSION_get_data(X509_get_ext(x509, at)));
}

AlternativeNames alternative_names(const X509* x509) {
  const ErrorScope scope;
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return {};
  return read_alternative_names(names.get()).value_or(AlternativeNames{});
}

constexpr std::size_t max_status_urls = 8;

void add_url(std::vector<std::string>& urls, const GENERAL_NAME* name) {
  if (name->type != GEN_URI || urls.size() >= max_status_urls) return;
  const ASN1_IA5STRING* const uri = name->d.uniformResourceIdentifier;
  const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                         static_cast<std::size_t>(ASN1_STRING_length(uri)));
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7f; };
  if (std::ranges::all_of(text, is_plain)) urls.push_back(text);
}

using DistributionPointsPtr = Handle<CRL_DIST_POINTS, CRL_DIST_POINTS_free>;
using AccessPtr = Handle<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free>;

// One PEM block named CERTIFICATE after the other; other blocks are passed over.
Result<std::vector<Certificate>> read_pem(std::string_view pem, std::size_t limit) {
  const ErrorScope scope;
  if (pem.size() > max_pem) return fail(CryptoError::malformed, "certificates of more than 4 MiB");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<Certificate> found;
  while (bio && found.size() < limit) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) break;
      return openssl_failure(CryptoError::malformed, "broken PEM");
    }
    const bool is_certificate = std::string_view(name) == PEM_STRING_X509;
    auto certificate =
        is_certificate ? std::optional(Certificate::from_der({data, static_cast<std::size_t>(size)})) : std::nullopt;
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    if (!certificate) continue;
    if (!*certificate) return fail(certificate->error());
    found.push_back(**std::move(certificate));
  }
  if (found.empty()) return fail(CryptoError::malformed, "no certificate in the PEM text");
  return found;
}

}  // namespace

Result<Certificate> CertificateAccess::make(X509Ptr x509, Bytes der) {
  X509* const x = x509.get();
  if (!extensions_are_distinct(x)) return fail(CryptoError::malformed, "a certificate with repeated extensions");
  // Reads and caches the extensions that path validation will need.
  if ((X509_get_extension_flags(x) & EXFLAG_INVALID) != 0) {
    return fail(CryptoError::malformed, "a certificate with an unreadable extension");
  }
  EVP_PKEY* const pkey = X509_get0_pubkey(x);
  if (pkey != nullptr) EVP_PKEY_up_ref(pkey);
  CAHN_TRY(PublicKey key, PublicKeyAccess::make(encode<i2d_X509_PUBKEY>(X509_get_X509_PUBKEY(x)), PkeyPtr(pkey)));
  CAHN_TRY(Name subject, to_name(X509_get_subject_name(x)));
  CAHN_TRY(Name issuer, to_name(X509_get_issuer_name(x)));
  CAHN_TRY(const Time not_before, to_time(X509_get0_notBefore(x)));
  CAHN_TRY(const Time not_after, to_time(X509_get0_notAfter(x)));
  return Certificate(std::make_shared<Certificate::Parsed>(Certificate::Parsed{
      std::move(der), std::move(x509), std::move(key), std::move(subject), std::move(issuer), not_before, not_after}));
}

Result<Certificate> CertificateAccess::share(X509* borrowed) {
  const ErrorScope scope;
  Bytes der = encode<i2d_X509>(borrowed);
  if (der.empty() || der.size() > max_certificate)
    return fail(CryptoError::malformed, "a certificate of more than 64 KiB");
  auto& cache = CertificateCache::instance();
  if (auto known = cache.find(der)) return *std::move(known);
  X509_up_ref(borrowed);
  CAHN_TRY(Certificate certificate, make(X509Ptr(borrowed), std::move(der)));
  return cache.keep(std::move(certificate));
}

Result<Certificate> Certificate::from_der(ByteView der) {
  const ErrorScope scope;
  if (der.size() > max_certificate) return fail(CryptoError::malformed, "a certificate of more than 64 KiB");
  auto& cache = CertificateCache::instance();
  if (auto known = cache.find(der)) return *std::move(known);
  X509Ptr x509 = decode_exactly<d2i_X509, i2d_X509, X509Ptr>(der);
  if (!x509) return openssl_failure(CryptoError::malformed, "not a certificate in DER");
  CAHN_TRY(Certificate certificate, CertificateAccess::make(std::move(x509), to_bytes(der)));
  return cache.keep(std::move(certificate));
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  CAHN_TRY(std::vector<Certificate> found, read_pem(pem, 1));
  return std::move(found.front());
}

Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) { return read_pem(pem, 10'000); }

const Bytes& Certificate::der() const { return parsed_->der; }
const PublicKey& Certificate::public_key() const { return parsed_->key; }
const Name& Certificate::subject() const { return parsed_->subject; }
const Name& Certificate::issuer() const { return parsed_->issuer; }
Time Certificate::not_before() const { return parsed_->not_before; }
Time Certificate::not_after() const { return parsed_->not_after; }
bool Certificate::valid_at(Time t) const { return not_before() <= t && t <= not_after(); }
x509_st* Certificate::handle() const { return parsed_->x509.get(); }

std::string Certificate::pem() const {
  const std::string text = base64(der());
  std::string out = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t i = 0; i < text.size(); i += 64) out.append(text, i, 64).append("\n");
  return out + "-----END CERTIFICATE-----\n";
}

std::optional<std::string> Certificate::subject_serial_number() const {
  return find_attribute(subject(), "serialNumber");
}
std::optional<std::string> Certificate::common_name() const { return find_attribute(subject(), "CN"); }
std::string Certificate::serial_hex() const { return serial_to_hex(X509_get0_serialNumber(handle())); }

bool Certificate::is_ca() const { return (X509_get_extension_flags(handle()) & EXFLAG_CA) != 0; }
bool Certificate::is_self_issued() const { return (X509_get_extension_flags(handle()) & EXFLAG_SI) != 0; }

bool Certificate::has_extended_key_usage(std::string_view name_or_oid) const {
  const ErrorScope scope;
  const Asn1ObjectPtr wanted = to_object(name_or_oid);
  const ExtendedKeyUsagePtr usages(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(handle(), NID_ext_key_usage, nullptr, nullptr)));
  if (!wanted || !usages) return false;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    if (OBJ_cmp(sk_ASN1_OBJECT_value(usages.get(), i), wanted.get()) == 0) return true;
  }
  return false;
}

bool Certificate::allows_digital_signature() const {
  return (X509_get_key_usage(handle()) & X509v3_KU_DIGITAL_SIGNATURE) != 0;
}

std::optional<Bytes> Certificate::subject_key_identifier() const {
  const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(handle());
  if (id == nullptr) return std::nullopt;
  return octets_of(id);
}

std::optional<Bytes> Certificate::authority_key_identifier_der() const {
  return extension_value(handle(), "authorityKeyIdentifier");
}

std::optional<Bytes> Certificate::authority_key_identifier() const {
  const ASN1_OCTET_STRING* id = X509_get0_authority_key_id(handle());
  if (id == nullptr) return std::nullopt;
  return octets_of(id);
}

std::optional<std::string> Certificate::masa_url() const {
  const auto value = extension_value(handle(), oid_masa_url);
  if (!value) return std::nullopt;
  DerReader reader(*value);
  const auto text = reader.next(tag::ia5_string);
  const auto is_text = [](std::uint8_t c) { return c > 0x20 && c < 0x7f; };
  if (!text || !reader.at_end() || text->content.empty() ||
      !std::all_of(text->content.begin(), text->content.end(), is_text)) {
    return std::nullopt;
  }
  return to_string(text->content);
}

std::vector<std::string> Certificate::dns_names() const { return alternative_names(handle()).dns_names; }
std::vector<std::string> Certificate::uris() const { return alternative_names(handle()).uris; }

std::vector<std::string> Certificate::crl_urls() const {
  const ErrorScope scope;
  std::vector<std::string> urls;
  const DistributionPointsPtr points(
      static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(handle(), NID_crl_distribution_points, nullptr, nullptr)));
  for (int i = 0; i < sk_DIST_POINT_num(points.get()); ++i) {
    const DIST_POINT* const point = sk_DIST_POINT_value(points.get(), i);
    // A list of some reasons only, or of another issuer, does not say that a certificate is good.
    if (point->reasons != nullptr || point->CRLissuer != nullptr) continue;
    if (point->distpoint == nullptr || point->distpoint->type != 0) continue;
    const GENERAL_NAMES* const names = point->distpoint->name.fullname;
    for (int j = 0; j < sk_GENERAL_NAME_num(names); ++j) add_url(urls, sk_GENERAL_NAME_value(names, j));
  }
  return urls;
}

std::vector<std::string> Certificate::ocsp_urls() const {
  const ErrorScope scope;
  std::vector<std::string> urls;
  const AccessPtr access(
      static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(handle(), NID_info_access, nullptr, nullptr)));
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access.get()); ++i) {
    const ACCESS_DESCRIPTION* const one = sk_ACCESS_DESCRIPTION_value(access.get(), i);
    if (OBJ_obj2nid(one->method) == NID_ad_OCSP) add_url(urls, one->location);
  }
  return urls;
}

Bytes Certificate::fingerprint() const { return to_bytes(ByteView(sha256(der()))); }

Bytes Certificate::domain_id() const {
  if (auto id = subject_key_identifier()) return *std::move(id);
  return to_bytes(ByteView(sha256(public_key().spki())));
}

bool Certificate::signed_by(const PublicKey& issuer) const {
  const ErrorScope scope;
  int security_bits = 0;
  if (X509_get_signature_info(handle(), nullptr, nullptr, &security_bits, nullptr) != 1 || security_bits < 112)
    return false;
  return X509_verify(handle(), issuer.handle()) == 1;
}

Time no_expiration() {
  using namespace std::chrono;
  return sys_days(year(9999) / December / 31) + hours(23) + minutes(59) + seconds(59);
}

std::string to_text(const Name& name) {
  // RFC 4514 2.1 writes the most specific attribute first.
  std::string out;
  for (auto entry = name.rbegin(); entry != name.rend(); ++entry) {
    const auto& [type, value] = *entry;
    if (!out.empty()) out += ',';
    out += type + '=';
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto c = static_cast<unsigned char>(value[i]);
      const bool at_edge = i == 0 || i + 1 == value.size();
      if (c < 0x20 || c == 0x7f) {  // 2.4: any octet may be written as hex; a log line must not break
        out += '\\' + hex(ByteView(&c, 1));
      } else if (std::string_view(",+\"\\<>;=").find(value[i]) != std::string_view::npos || (c == ' ' && at_edge) ||
                 (c == '#' && i == 0)) {
        out += '\\';
        out += value[i];
      } else {
        out += value[i];
      }
    }
  }
  return out;
}

}  // namespace cahn::crypto
