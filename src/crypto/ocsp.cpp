#include "crypto/ocsp.h"

#include <openssl/ocsp.h>

#include <algorithm>
#include <chrono>

#include "crypto/access.h"
#include "crypto/asn1.h"

namespace cahn::crypto {
namespace {

using RequestPtr = Handle<OCSP_REQUEST, OCSP_REQUEST_free>;
using ResponsePtr = Handle<OCSP_RESPONSE, OCSP_RESPONSE_free>;
using BasicPtr = Handle<OCSP_BASICRESP, OCSP_BASICRESP_free>;

bool is_hash_of_certids(int nid) {
  return nid == NID_sha1 || nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

Result<OcspCertId> read_id(OCSP_ONEREQ* one) {
  ASN1_OCTET_STRING* name_hash = nullptr;
  ASN1_OBJECT* digest = nullptr;
  ASN1_OCTET_STRING* key_hash = nullptr;
  ASN1_INTEGER* serial = nullptr;
  if (OCSP_id_get0_info(&name_hash, &digest, &key_hash, &serial, OCSP_onereq_get0_id(one)) != 1) {
    return fail(CryptoError::malformed, "a certificate that is not named");
  }
  if (ASN1_STRING_length(serial) > 20) return fail(CryptoError::malformed, "a serial number of more than 20 octets");
  return OcspCertId{OBJ_obj2nid(digest), octets_of(name_hash), octets_of(key_hash), serial_to_hex(serial)};
}

// The value is an OCTET STRING (RFC 8954 2.1).
Result<std::optional<Bytes>> read_nonce(OCSP_REQUEST* request) {
  const int at = OCSP_REQUEST_get_ext_by_NID(request, NID_id_pkix_OCSP_Nonce, -1);
  if (at < 0) return std::nullopt;
  const Bytes value = octets_of(X509_EXTENSION_get_data(OCSP_REQUEST_get_ext(request, at)));
  DerReader reader(value);
  const auto nonce = reader.next(tag::octet_string);
  if (!nonce || !reader.at_end() || nonce->content.empty() || nonce->content.size() > OcspRequest::max_nonce) {
    return fail(CryptoError::malformed, "a nonce that is not an OCTET STRING of 1 to 128 octets");
  }
  return to_bytes(nonce->content);
}

bool add_answer(OCSP_BASICRESP* basic, OCSP_CERTID* id, const OcspAnswer& answer, ASN1_TIME* from, ASN1_TIME* until) {
  if (answer.status != OcspAnswer::Status::revoked) {
    const int status = answer.status == OcspAnswer::Status::good ? V_OCSP_CERTSTATUS_GOOD : V_OCSP_CERTSTATUS_UNKNOWN;
    return OCSP_basic_add1_status(basic, id, status, 0, nullptr, from, until) != nullptr;
  }
  const auto at = to_asn1_time(answer.revoked_at);
  // As on the CRL: the reason is left out rather than unspecified.
  const int reason =
      answer.reason == RevocationReason::unspecified ? OCSP_REVOKED_STATUS_NOSTATUS : static_cast<int>(answer.reason);
  return at && OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_REVOKED, reason, at->get(), from, until) != nullptr;
}

// GeneralizedTime, whatever the year (RFC 6960 4.2.2.1).
bool to_generalized(Asn1TimePtr& time) {
  ASN1_TIME* const converted = ASN1_TIME_to_generalizedtime(time.get(), nullptr);
  time.reset(converted);
  return converted != nullptr;
}

}  // namespace

bool OcspCertId::is_issued_by(const Certificate& issuer) const {
  const ErrorScope scope;
  if (!is_hash_of_certids(digest)) return false;
  const EVP_MD* const md = EVP_get_digestbynid(digest);
  Bytes name(EVP_MAX_MD_SIZE), key(EVP_MAX_MD_SIZE);
  unsigned name_size = 0, key_size = 0;
  if (md == nullptr || X509_NAME_digest(X509_get_subject_name(issuer.handle()), md, name.data(), &name_size) != 1 ||
      X509_pubkey_digest(issuer.handle(), md, key.data(), &key_size) != 1) {
    return false;
  }
  name.resize(name_size);
  key.resize(key_size);
  return name == issuer_name_hash && key == issuer_key_hash;
}

Result<OcspRequest> OcspRequest::from_der(ByteView der) {
  const ErrorScope scope;
  if (der.size() > max_octets) return fail(CryptoError::malformed, "an OCSP request of more than 16 KiB");
  if (!is_der(der)) return fail(CryptoError::malformed, "not one DER element with definite lengths");
  RequestPtr request = decode_exactly<d2i_OCSP_REQUEST, i2d_OCSP_REQUEST, RequestPtr>(der);
  if (!request) return openssl_failure(CryptoError::malformed, "not an OCSP request in DER");
  const int count = OCSP_request_onereq_count(request.get());
  if (count < 1 || static_cast<std::size_t>(count) > max_certificates) {
    return fail(CryptoError::malformed, "an OCSP request for none or more than 32 certificates");
  }
  OcspRequest out;
  for (int i = 0; i < count; ++i) {
    CAHN_TRY(auto id, read_id(OCSP_request_onereq_get0(request.get(), i)));
    out.certificates_.push_back(std::move(id));
  }
  CAHN_TRY(out.nonce_, read_nonce(request.get()));
  out.handle_ = std::move(request);
  return out;
}

Result<Bytes> make_ocsp_response(const OcspRequest& request, const OcspResponseSpec& spec, const Certificate& signer,
                                 const PrivateKey& key) {
  const ErrorScope scope;
  if (signer.public_key() != key.public_key()) {
    return fail(CryptoError::wrong_key, "the responder's certificate is for another key than the one that signs");
  }
  if (spec.answers.size() != request.certificates().size()) {
    return fail(CryptoError::internal, "an OCSP response must answer what was asked");
  }
  CAHN_TRY(Asn1TimePtr from, to_asn1_time(spec.this_update));
  CAHN_TRY(Asn1TimePtr until, to_asn1_time(spec.next_update));
  const BasicPtr basic(OCSP_BASICRESP_new());
  if (!basic || !to_generalized(from) || !to_generalized(until)) {
    return openssl_failure(CryptoError::internal, "building the OCSP response");
  }
  for (std::size_t i = 0; i < spec.answers.size(); ++i) {
    OCSP_ONEREQ* const one = OCSP_request_onereq_get0(request.handle(), static_cast<int>(i));
    if (!add_answer(basic.get(), OCSP_onereq_get0_id(one), spec.answers[i], from.get(), until.get())) {
      return openssl_failure(CryptoError::internal, "an answer of the OCSP response");
    }
  }
  if (request.nonce() && OCSP_copy_nonce(basic.get(), request.handle()) != 1) {
    return openssl_failure(CryptoError::internal, "the nonce of the OCSP response");
  }
  // By key: the CA's name is the same after it changed its key.
  if (OCSP_basic_sign(basic.get(), signer.handle(), key.handle(), digest_for(key.public_key()), nullptr,
                      OCSP_RESPID_KEY) != 1) {
    return openssl_failure(CryptoError::internal, "signing the OCSP response");
  }
  const ResponsePtr response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  if (!response) return openssl_failure(CryptoError::internal, "the OCSP response");
  return encode<i2d_OCSP_RESPONSE>(response.get());
}

Bytes make_ocsp_failure(OcspFailure failure) {
  // OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED }
  return {0x30, 0x03, 0x0a, 0x01, static_cast<std::uint8_t>(failure)};
}

namespace {

using CertIdPtr = Handle<OCSP_CERTID, OCSP_CERTID_free>;

constexpr std::chrono::minutes ocsp_clock_skew{5};

// The answer about `about`, under whatever hash the responder names it by; null without one.
OCSP_SINGLERESP* find_answer(OCSP_BASICRESP* basic, const Certificate& about, const Certificate& issuer) {
  const int count = OCSP_resp_count(basic);
  for (int i = 0; i < count && i < static_cast<int>(OcspRequest::max_certificates); ++i) {
    OCSP_SINGLERESP* const one = OCSP_resp_get0(basic, i);
    ASN1_OBJECT* digest = nullptr;
    const OCSP_CERTID* const id = OCSP_SINGLERESP_get0_id(one);
    if (OCSP_id_get0_info(nullptr, &digest, nullptr, nullptr, const_cast<OCSP_CERTID*>(id)) != 1) continue;
    if (!is_hash_of_certids(OBJ_obj2nid(digest))) continue;
    const CertIdPtr own(OCSP_cert_to_id(EVP_get_digestbyobj(digest), about.handle(), issuer.handle()));
    if (own && OCSP_id_cmp(own.get(), id) == 0) return one;
  }
  return nullptr;
}

// RFC 6960 4.2.2.2: signed by the issuer, or by a certificate of the issuer's that is for this.
Result<void> check_responder(OCSP_BASICRESP* basic, const Certificate& issuer, Time now) {
  const StorePtr store(X509_STORE_new());
  const X509BorrowedStackPtr known(sk_X509_new_null());
  if (!store || !known || X509_STORE_add_cert(store.get(), issuer.handle()) != 1 ||
      sk_X509_push(known.get(), issuer.handle()) <= 0) {
    return openssl_failure(CryptoError::internal, "preparing to judge an OCSP response");
  }
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM* const parameters = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_time(parameters, seconds_since_epoch(now));
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);  // as of any path here
  if (OCSP_basic_verify(basic, known.get(), store.get(), 0) == 1) return {};
  return openssl_failure(CryptoError::bad_signature,
                         "an OCSP response that the certificate's issuer does not answer for");
}

Result<void> check_ocsp_nonce(OCSP_BASICRESP* basic, ByteView sent) {
  const int at = OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1);
  if (sent.empty() || at < 0) return {};
  const Bytes value = octets_of(X509_EXTENSION_get_data(OCSP_BASICRESP_get_ext(basic, at)));
  DerReader reader(value);
  const auto nonce = reader.next(tag::octet_string);
  if (nonce && reader.at_end() && std::ranges::equal(nonce->content, sent)) return {};
  return fail(CryptoError::untrusted, "an OCSP response to another request");
}

}  // namespace

Result<Bytes> make_ocsp_request(const Certificate& about, const Certificate& issuer, ByteView nonce) {
  const ErrorScope scope;
  const RequestPtr request(OCSP_REQUEST_new());
  CertIdPtr id(OCSP_cert_to_id(EVP_sha1(), about.handle(), issuer.handle()));
  if (!request || !id || OCSP_request_add0_id(request.get(), id.get()) == nullptr) {
    return openssl_failure(CryptoError::internal, "building the OCSP request");
  }
  (void)id.release();  // the request's
  Bytes octets = to_bytes(nonce);
  if (!octets.empty() && OCSP_request_add1_nonce(request.get(), octets.data(), static_cast<int>(octets.size())) != 1) {
    return openssl_failure(CryptoError::internal, "the nonce of the OCSP request");
  }
  return encode<i2d_OCSP_REQUEST>(request.get());
}

Result<OcspStanding> read_ocsp_response(ByteView der, const Certificate& about, const Certificate& issuer, Time now,
                                        ByteView nonce) {
  const ErrorScope scope;
  if (der.size() > max_ocsp_response) return fail(CryptoError::malformed, "an OCSP response of more than 64 KiB");
  if (!is_der(der)) return fail(CryptoError::malformed, "not one DER element with definite lengths");
  const ResponsePtr response = decode_exactly<d2i_OCSP_RESPONSE, i2d_OCSP_RESPONSE, ResponsePtr>(der);
  if (!response) return openssl_failure(CryptoError::malformed, "not an OCSP response in DER");
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return fail(CryptoError::untrusted, "the OCSP responder gives no answer");
  }
  const BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (!basic) return openssl_failure(CryptoError::malformed, "an OCSP response of another kind than basic");
  CAHN_CHECK(check_responder(basic.get(), issuer, now));
  CAHN_CHECK(check_ocsp_nonce(basic.get(), nonce));
  OCSP_SINGLERESP* const one = find_answer(basic.get(), about, issuer);
  if (one == nullptr) return fail(CryptoError::untrusted, "an OCSP response that is silent on this certificate");
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  const int status = OCSP_single_get0_status(one, nullptr, nullptr, &from, &until);
  if (from == nullptr || until == nullptr) {
    return fail(CryptoError::expired, "an OCSP response that does not say how long it holds");
  }
  OcspStanding standing;
  CAHN_TRY(standing.this_update, to_time(from));
  CAHN_TRY(standing.next_update, to_time(until));
  if (standing.this_update > now + ocsp_clock_skew)
    return fail(CryptoError::expired, "an OCSP response from the future");
  if (standing.next_update < now) return fail(CryptoError::expired, "an OCSP response that is out of date");
  if (status == V_OCSP_CERTSTATUS_GOOD) standing.status = OcspAnswer::Status::good;
  if (status == V_OCSP_CERTSTATUS_REVOKED) standing.status = OcspAnswer::Status::revoked;
  return standing;
}

}  // namespace cahn::crypto
