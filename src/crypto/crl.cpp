#include "crypto/crl.h"

#include "crypto/access.h"
#include "crypto/asn1.h"

namespace cahn::crypto {
namespace {

constexpr std::size_t max_crl = 16 << 20;

using RevokedPtr = Handle<X509_REVOKED, X509_REVOKED_free>;
using EnumeratedPtr = Handle<ASN1_ENUMERATED, ASN1_ENUMERATED_free>;

Result<Asn1IntegerPtr> serial_from_hex(const std::string& text) {
  CAHN_TRY(const Bytes octets, hex_decode(text));
  const Handle<BIGNUM, BN_free> number(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
  Asn1IntegerPtr serial(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
  if (!serial || octets.empty()) return fail(CryptoError::malformed, "a revoked serial number that is none");
  return serial;
}

Result<void> add_entry(X509_CRL* crl, const RevokedEntry& entry) {
  RevokedPtr revoked(X509_REVOKED_new());
  CAHN_TRY(const Asn1IntegerPtr serial, serial_from_hex(entry.serial_hex));
  CAHN_TRY(const Asn1TimePtr when, to_asn1_time(entry.revoked_at));
  bool done = revoked && X509_REVOKED_set_serialNumber(revoked.get(), serial.get()) == 1 &&
              X509_REVOKED_set_revocationDate(revoked.get(), when.get()) == 1;
  // RFC 5280 5.3.1: the reason is left out rather than unspecified.
  if (done && entry.reason != RevocationReason::unspecified) {
    const EnumeratedPtr reason(ASN1_ENUMERATED_new());
    done = reason && ASN1_ENUMERATED_set(reason.get(), static_cast<long>(entry.reason)) == 1 &&
           X509_REVOKED_add1_ext_i2d(revoked.get(), NID_crl_reason, reason.get(), 0, X509V3_ADD_DEFAULT) == 1;
  }
  if (!done || X509_CRL_add0_revoked(crl, revoked.get()) != 1)
    return openssl_failure(CryptoError::internal, "a CRL entry");
  revoked.release();
  return {};
}

Result<void> add_crl_extensions(X509_CRL* crl, std::uint64_t number, const Certificate& issuer) {
  const Asn1IntegerPtr crl_number(ASN1_INTEGER_new());
  const Handle<AUTHORITY_KEYID, AUTHORITY_KEYID_free> authority(AUTHORITY_KEYID_new());
  const Bytes id = issuer.subject_key_identifier().value_or(issuer.public_key().key_identifier());
  if (authority) authority->keyid = ASN1_OCTET_STRING_new();
  if (!crl_number || !authority || authority->keyid == nullptr ||
      ASN1_INTEGER_set_uint64(crl_number.get(), number) != 1 ||
      ASN1_OCTET_STRING_set(authority->keyid, id.data(), static_cast<int>(id.size())) != 1 ||
      X509_CRL_add1_ext_i2d(crl, NID_crl_number, crl_number.get(), 0, X509V3_ADD_DEFAULT) != 1 ||
      X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return openssl_failure(CryptoError::internal, "the CRL's extensions");
  }
  return {};
}

RevocationReason reason_of(const X509_REVOKED* revoked) {
  const EnumeratedPtr reason(
      static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, nullptr, nullptr)));
  switch (reason ? ASN1_ENUMERATED_get(reason.get()) : 0) {
    case 1:
      return RevocationReason::key_compromise;
    case 4:
      return RevocationReason::superseded;
    case 5:
      return RevocationReason::cessation;
    case 6:
      return RevocationReason::certificate_hold;
    default:
      return RevocationReason::unspecified;
  }
}

Result<std::uint64_t> number_of(X509_CRL* crl) {
  const Asn1IntegerPtr number(static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr)));
  std::uint64_t value = 0;
  if (number && ASN1_INTEGER_get_uint64(&value, number.get()) != 1) {
    return fail(CryptoError::unsupported, "a CRL number of more than 64 bits");
  }
  return value;
}

}  // namespace

Result<Bytes> make_crl(const CrlSpec& spec, const Certificate& issuer, const PrivateKey& key) {
  const ErrorScope scope;
  if (issuer.public_key() != key.public_key()) {
    return fail(CryptoError::wrong_key, "the issuer's certificate is for another key than the one that signs the CRL");
  }
  const CrlPtr crl(X509_CRL_new());
  CAHN_TRY(const Asn1TimePtr this_update, to_asn1_time(spec.this_update));
  CAHN_TRY(const Asn1TimePtr next_update, to_asn1_time(spec.next_update));
  if (!crl || X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.handle())) != 1 ||
      X509_CRL_set1_lastUpdate(crl.get(), this_update.get()) != 1 ||
      X509_CRL_set1_nextUpdate(crl.get(), next_update.get()) != 1) {
    return openssl_failure(CryptoError::internal, "building the CRL");
  }
  for (const auto& entry : spec.entries) CAHN_CHECK(add_entry(crl.get(), entry));
  CAHN_CHECK(add_crl_extensions(crl.get(), spec.number, issuer));
  if (X509_CRL_sort(crl.get()) != 1 || X509_CRL_sign(crl.get(), key.handle(), digest_for(key.public_key())) <= 0) {
    return signing_failure(key, "signing the CRL");
  }
  return encode<i2d_X509_CRL>(crl.get());
}

Result<Crl> Crl::from_der(ByteView der) {
  const ErrorScope scope;
  if (der.size() > max_crl) return fail(CryptoError::malformed, "a CRL of more than 16 MiB");
  CrlPtr crl = decode_exactly<d2i_X509_CRL, i2d_X509_CRL, CrlPtr>(der);
  if (!crl) return openssl_failure(CryptoError::malformed, "not a CRL in DER");
  Crl out(to_bytes(der));
  CAHN_TRY(out.issuer_, to_name(X509_CRL_get_issuer(crl.get())));
  CAHN_TRY(out.number_, number_of(crl.get()));
  CAHN_TRY(out.this_update_, to_time(X509_CRL_get0_lastUpdate(crl.get())));
  // RFC 5280 5.1.2.5: nextUpdate must be there; without it nobody could tell an old list from a current one.
  CAHN_TRY(out.next_update_, to_time(X509_CRL_get0_nextUpdate(crl.get())));
  STACK_OF(X509_REVOKED)* const revoked = X509_CRL_get_REVOKED(crl.get());
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(revoked, i);
    CAHN_TRY(const Time when, to_time(X509_REVOKED_get0_revocationDate(entry)));
    out.entries_.push_back({serial_to_hex(X509_REVOKED_get0_serialNumber(entry)), when, reason_of(entry)});
  }
  out.handle_ = std::move(crl);
  return out;
}

Result<std::vector<Crl>> Crl::all_from(ByteView der_or_pem) {
  constexpr std::string_view begin = "-----BEGIN X509 CRL-----", end = "-----END X509 CRL-----";
  std::vector<Crl> lists;
  std::string_view text = as_text(der_or_pem);
  for (auto from = text.find(begin); from != text.npos; from = text.find(begin)) {
    text.remove_prefix(from + begin.size());
    const auto until = text.find(end);
    const auto der = base64_decode_lenient(text.substr(0, until));
    if (until == text.npos || !der) return fail(CryptoError::malformed, "a revocation list that is no PEM");
    CAHN_TRY(auto list, from_der(*der));
    lists.push_back(std::move(list));
  }
  if (!lists.empty()) return lists;
  CAHN_TRY(auto list, from_der(der_or_pem));
  lists.push_back(std::move(list));
  return lists;
}

bool Crl::signed_by(const PublicKey& key) const {
  const ErrorScope scope;
  return is_strong_signature(X509_CRL_get_signature_nid(handle())) && X509_CRL_verify(handle(), key.handle()) == 1;
}

bool Crl::is_of(const Certificate& ca) const { return issuer() == ca.subject() && signed_by(ca.public_key()); }

}  // namespace cahn::crypto
