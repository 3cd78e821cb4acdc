#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/certificate.h"

namespace cahn::crypto {
namespace {

bool add_extension(X509* x509, int nid, void* value, bool critical) {
  return X509_add1_ext_i2d(x509, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

bool add_basic_constraints(X509* x509, const CertificateSpec& spec) {
  const Handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> value(BASIC_CONSTRAINTS_new());
  if (!value) return false;
  value->ca = spec.ca ? 0xff : 0;
  if (spec.ca && spec.path_length) {
    value->pathlen = ASN1_INTEGER_new();
    if (value->pathlen == nullptr || ASN1_INTEGER_set(value->pathlen, *spec.path_length) != 1) return false;
  }
  return add_extension(x509, NID_basic_constraints, value.get(), true);
}

bool add_key_usage(X509* x509, KeyUsage usage) {
  // RFC 5280 4.2.1.3: bit 0 is digitalSignature, 2 keyEncipherment, 5 keyCertSign, 6 cRLSign.
  static constexpr std::pair<KeyUsage, int> bits[] = {{KeyUsage::digital_signature, 0},
                                                      {KeyUsage::key_encipherment, 2},
                                                      {KeyUsage::cert_sign, 5},
                                                      {KeyUsage::crl_sign, 6}};
  const Handle<ASN1_BIT_STRING, ASN1_BIT_STRING_free> value(ASN1_BIT_STRING_new());
  for (const auto& [flag, bit] : bits) {
    const bool wanted = (static_cast<unsigned>(usage) & static_cast<unsigned>(flag)) != 0;
    if (wanted && ASN1_BIT_STRING_set_bit(value.get(), bit, 1) != 1) return false;
  }
  return add_extension(x509, NID_key_usage, value.get(), true);
}

bool add_extended_key_usage(X509* x509, const std::vector<std::string>& usages) {
  const ExtendedKeyUsagePtr value(EXTENDED_KEY_USAGE_new());
  for (const auto& usage : usages) {
    Asn1ObjectPtr object = to_object(usage);
    if (!object || sk_ASN1_OBJECT_push(value.get(), object.get()) == 0) return false;
    object.release();
  }
  return add_extension(x509, NID_ext_key_usage, value.get(), false);
}

bool add_key_identifiers(X509* x509, const PublicKey& key, const Bytes& authority) {
  const Asn1OctetStringPtr subject_id(ASN1_OCTET_STRING_new());
  const Bytes own = key.key_identifier();
  const Handle<AUTHORITY_KEYID, AUTHORITY_KEYID_free> authority_id(AUTHORITY_KEYID_new());
  if (!subject_id || !authority_id) return false;
  authority_id->keyid = ASN1_OCTET_STRING_new();
  return ASN1_OCTET_STRING_set(subject_id.get(), own.data(), static_cast<int>(own.size())) == 1 &&
         authority_id->keyid != nullptr &&
         ASN1_OCTET_STRING_set(authority_id->keyid, authority.data(), static_cast<int>(authority.size())) == 1 &&
         add_extension(x509, NID_subject_key_identifier, subject_id.get(), false) &&
         add_extension(x509, NID_authority_key_identifier, authority_id.get(), false);
}

// RFC 8995 2.3.2: an IA5String, non-critical. OpenSSL has no type for it.
bool add_masa_url(X509* x509, const std::string& url) {
  if (url.empty() || url.size() > 2048) return false;
  for (const char c : url) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  const Handle<ASN1_IA5STRING, ASN1_IA5STRING_free> text(ASN1_IA5STRING_new());
  if (!text || ASN1_STRING_set(text.get(), url.data(), static_cast<int>(url.size())) != 1) return false;
  const Bytes der = encode<i2d_ASN1_IA5STRING>(text.get());
  const Asn1OctetStringPtr value(ASN1_OCTET_STRING_new());
  const Asn1ObjectPtr type = to_object(oid_masa_url);
  if (!value || ASN1_OCTET_STRING_set(value.get(), der.data(), static_cast<int>(der.size())) != 1) return false;
  const ExtensionPtr extension(X509_EXTENSION_create_by_OBJ(nullptr, type.get(), 0, value.get()));
  return extension && X509_add_ext(x509, extension.get(), -1) == 1;
}

bool add_crl_url(X509* x509, const std::string& url) {
  auto names = make_alternative_names({}, {url});
  if (!names) return false;
  const Handle<CRL_DIST_POINTS, CRL_DIST_POINTS_free> points(CRL_DIST_POINTS_new());
  Handle<DIST_POINT, DIST_POINT_free> point(DIST_POINT_new());
  if (!points || !point) return false;
  point->distpoint = DIST_POINT_NAME_new();
  if (point->distpoint == nullptr) return false;
  point->distpoint->type = 0;
  point->distpoint->name.fullname = names->release();
  if (sk_DIST_POINT_push(points.get(), point.get()) == 0) return false;
  point.release();
  return add_extension(x509, NID_crl_distribution_points, points.get(), false);
}

bool push_access(AUTHORITY_INFO_ACCESS* access, int method, const std::string& url) {
  auto names = make_alternative_names({}, {url});
  Handle<ACCESS_DESCRIPTION, ACCESS_DESCRIPTION_free> description(ACCESS_DESCRIPTION_new());
  if (!names || !description) return false;
  ASN1_OBJECT_free(description->method);
  description->method = OBJ_nid2obj(method);
  GENERAL_NAME_free(description->location);
  description->location = sk_GENERAL_NAME_pop(names->get());
  if (sk_ACCESS_DESCRIPTION_push(access, description.get()) == 0) return false;
  description.release();
  return true;
}

bool add_authority_access(X509* x509, const CertificateSpec& spec) {
  const Handle<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free> access(AUTHORITY_INFO_ACCESS_new());
  return access && (!spec.ocsp_url || push_access(access.get(), NID_ad_OCSP, *spec.ocsp_url)) &&
         (!spec.ca_issuers_url || push_access(access.get(), NID_ad_ca_issuers, *spec.ca_issuers_url)) &&
         add_extension(x509, NID_info_access, access.get(), false);
}

bool add_ocsp_no_check(X509* x509) {
  const Handle<ASN1_NULL, ASN1_NULL_free> nothing(ASN1_NULL_new());
  return nothing && add_extension(x509, NID_id_pkix_OCSP_noCheck, nothing.get(), false);
}

Result<void> add_extensions(X509* x509, const CertificateSpec& spec, const Bytes& authority) {
  const auto refuse = [](const char* what) { return openssl_failure(CryptoError::malformed, what); };
  if (!add_basic_constraints(x509, spec)) return refuse("the basic constraints");
  if (spec.key_usage && !add_key_usage(x509, *spec.key_usage)) return refuse("the key usage");
  if (!spec.extended_key_usage.empty() && !add_extended_key_usage(x509, spec.extended_key_usage)) {
    return refuse("the extended key usage");
  }
  if (!add_key_identifiers(x509, *spec.key, authority)) return refuse("the key identifiers");
  CAHN_TRY(const GeneralNamesPtr names,
           make_alternative_names(spec.dns_names, spec.uris, spec.emails, spec.ip_addresses));
  if (sk_GENERAL_NAME_num(names.get()) > 0 && !add_extension(x509, NID_subject_alt_name, names.get(), false)) {
    return refuse("the alternative names");
  }
  if (spec.masa_url && !add_masa_url(x509, *spec.masa_url)) return refuse("the MASA URL");
  if (spec.crl_url && !add_crl_url(x509, *spec.crl_url)) return refuse("the CRL's URL");
  if ((spec.ocsp_url || spec.ca_issuers_url) && !add_authority_access(x509, spec)) {
    return refuse("where the authority is reached");
  }
  if (spec.ocsp_no_check && !add_ocsp_no_check(x509)) return refuse("id-pkix-ocsp-nocheck");
  return {};
}

// RFC 5280 4.1.2.2: positive and at most 20 octets.
Result<void> set_serial(X509* x509, const std::optional<Bytes>& chosen) {
  Bytes octets = chosen ? *chosen : random_bytes(16);
  if (!chosen) octets[0] = static_cast<std::uint8_t>((octets[0] & 0x3f) | 0x40);  // always 16 octets, never negative
  if (octets.empty() || octets.size() > 20) return fail(CryptoError::malformed, "a serial number has 1 to 20 octets");
  const Handle<BIGNUM, BN_free> number(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
  if (!number || BN_is_zero(number.get())) return fail(CryptoError::malformed, "a serial number of zero");
  const Asn1IntegerPtr serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  if (!serial || X509_set_serialNumber(x509, serial.get()) != 1)
    return fail(CryptoError::internal, "the serial number");
  return {};
}

Result<void> set_validity(X509* x509, const CertificateSpec& spec) {
  if (spec.not_after < spec.not_before) return fail(CryptoError::malformed, "a certificate that ends before it starts");
  CAHN_TRY(const Asn1TimePtr from, to_asn1_time(spec.not_before));
  CAHN_TRY(const Asn1TimePtr until, to_asn1_time(spec.not_after));
  if (X509_set1_notBefore(x509, from.get()) != 1 || X509_set1_notAfter(x509, until.get()) != 1) {
    return fail(CryptoError::internal, "the validity period");
  }
  return {};
}

}  // namespace

Result<Certificate> issue_certificate(const CertificateSpec& spec, const PrivateKey& issuer_key,
                                      const Certificate* issuer) {
  const ErrorScope scope;
  if (!spec.key) return fail(CryptoError::wrong_key, "a certificate needs a key");
  const PublicKey& expected = issuer ? issuer->public_key() : *spec.key;
  if (expected != issuer_key.public_key()) {
    return fail(CryptoError::wrong_key, issuer ? "the issuer's certificate is for another key than the one that signs"
                                               : "a self-signed certificate is signed by its own key");
  }
  const X509Ptr x509(X509_new());
  CAHN_TRY(const X509NamePtr subject, to_x509_name(spec.subject));
  const X509_NAME* issuer_name = issuer ? X509_get_subject_name(issuer->handle()) : subject.get();
  if (!x509 || X509_set_version(x509.get(), X509_VERSION_3) != 1 ||
      X509_set_subject_name(x509.get(), subject.get()) != 1 || X509_set_issuer_name(x509.get(), issuer_name) != 1 ||
      !PublicKeyAccess::set(X509_get_X509_PUBKEY(x509.get()), *spec.key)) {
    return openssl_failure(CryptoError::internal, "building the certificate");
  }
  CAHN_CHECK(set_serial(x509.get(), spec.serial));
  CAHN_CHECK(set_validity(x509.get(), spec));
  const auto issuer_id = issuer ? issuer->subject_key_identifier() : std::nullopt;
  CAHN_CHECK(add_extensions(x509.get(), spec, issuer_id.value_or(expected.key_identifier())));
  if (X509_sign(x509.get(), issuer_key.handle(), digest_for(issuer_key.public_key())) <= 0) {
    return signing_failure(issuer_key, "signing the certificate");
  }
  return Certificate::from_der(encode<i2d_X509>(x509.get()));
}

}  // namespace cahn::crypto
