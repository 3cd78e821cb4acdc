#include "crypto/cms.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/ber.h"

namespace cahn::crypto {
namespace {

constexpr std::size_t max_message = 1 << 20;
constexpr std::size_t max_certificates = 20;

constexpr std::uint8_t oid_signed_data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};

// RFC 5652 5.1, as far as we must look before OpenSSL does:
//   ContentInfo { contentType, [0] SignedData { version, digestAlgorithms, encapContentInfo { eContentType,
//   [0] OCTET STRING OPTIONAL }, [0] certificates OPTIONAL, [1] crls OPTIONAL, signerInfos } }
struct Outline {
  std::optional<ByteView> content;
  std::vector<ByteView> certificates;
  std::vector<ByteView> revocation;  // RevocationInfoChoice
  std::size_t signers = 0;
  std::vector<ByteView> signed_attributes;  // of each signer that has any
  ByteView before_certificates;             // version, digestAlgorithms, encapContentInfo
  ByteView signer_infos;
};

std::unexpected<Error> unreadable_cms(const char* what) { return fail(CryptoError::malformed, what); }

// RFC 5652 5.3: SignerInfo { version, sid, digestAlgorithm, [0] signedAttrs OPTIONAL, … }
std::optional<ByteView> find_signed_attributes(ByteView signer_info) {
  DerReader reader(signer_info);
  if (!reader.next(tag::integer) || !reader.next() || !reader.next(tag::sequence)) return std::nullopt;
  const auto attributes = reader.next(tag::context0);
  return attributes ? std::optional(attributes->whole) : std::nullopt;
}

Result<Outline> read_signed_data(ByteView signed_data) {
  Outline outline;
  DerReader reader(signed_data);
  if (!reader.next(tag::integer) || !reader.next(tag::set)) return unreadable_cms("a SignedData without a version");
  const auto encapsulated = reader.next(tag::sequence);
  if (!encapsulated) return unreadable_cms("a SignedData without encapsulated content");
  DerReader content(encapsulated->content);
  if (!content.next(tag::oid)) return unreadable_cms("content without a type");
  if (const auto wrapped = content.next(tag::context0)) {
    DerReader inner(wrapped->content);
    const auto octets = inner.next(tag::octet_string);
    if (!octets || !inner.at_end()) return unreadable_cms("content that is not an OCTET STRING");
    outline.content = octets->content;
  }
  if (!content.at_end()) return unreadable_cms("content with something behind it");
  outline.before_certificates = signed_data.first(signed_data.size() - reader.rest().size());
  if (const auto certificates = reader.next(tag::context0)) {
    DerReader each(certificates->content);
    while (!each.at_end()) {
      const auto certificate = each.next(tag::sequence);
      if (!certificate) return unreadable_cms("a certificate set that holds something else");
      outline.certificates.push_back(certificate->whole);
    }
  }
  if (const auto revocation = reader.next(tag::context1)) {
    for (DerReader each(revocation->content); !each.at_end();) {
      const auto one = each.next();
      if (!one) return unreadable_cms("a revocation set that cannot be read");
      outline.revocation.push_back(one->whole);
    }
  }
  const auto signers = reader.next(tag::set);
  if (!signers || !reader.at_end()) return unreadable_cms("a SignedData without signer infos");
  outline.signer_infos = signers->whole;
  for (DerReader each(signers->content); !each.at_end(); ++outline.signers) {
    const auto signer = each.next(tag::sequence);
    if (!signer) return unreadable_cms("a signer info that is none");
    if (const auto found = find_signed_attributes(signer->content)) outline.signed_attributes.push_back(*found);
  }
  return outline;
}

// Strict DER, bounded, and SignedData; decoding a certificate is dear, so that they are counted before they are
// decoded.
Result<Outline> read_outline(ByteView der) {
  if (der.size() > max_message) return unreadable_cms("a message of more than 1 MiB");
  if (!is_der(der)) return unreadable_cms("not one DER element with definite lengths");
  DerReader reader(der);
  const auto info = reader.next(tag::sequence);
  if (!info) return unreadable_cms("not a ContentInfo");
  DerReader fields(info->content);
  const auto type = fields.next(tag::oid);
  const auto wrapped = fields.next(tag::context0);
  if (!type || !wrapped || !fields.at_end()) return unreadable_cms("not a ContentInfo");
  if (!std::equal(type->content.begin(), type->content.end(), std::begin(oid_signed_data), std::end(oid_signed_data))) {
    return unreadable_cms("not a SignedData");
  }
  DerReader inner(wrapped->content);
  const auto signed_data = inner.next(tag::sequence);
  if (!signed_data || !inner.at_end()) return unreadable_cms("not a SignedData");
  CAHN_TRY(Outline outline, read_signed_data(signed_data->content));
  if (outline.certificates.size() > max_certificates) return unreadable_cms("a message with more than 20 certificates");
  return outline;
}

// The outline of a message that may have come as BER, except what somebody signed as DER: its certificates (X.690 10,
// RFC 5280 4.1) and its signed attributes (RFC 5652 5.3).
Result<Outline> read_outline(const Normalised& message) {
  CAHN_TRY(Outline outline, read_outline(message.der()));
  const auto is_verbatim = [&](ByteView part) { return message.is_verbatim(part); };
  if (!std::all_of(outline.certificates.begin(), outline.certificates.end(), is_verbatim)) {
    return unreadable_cms("a certificate that is not DER");
  }
  if (!std::all_of(outline.signed_attributes.begin(), outline.signed_attributes.end(), is_verbatim)) {
    return unreadable_cms("signed attributes that are not DER");
  }
  return outline;
}

// A signed attribute that must be there once, with one value of one type (RFC 5652 11.1, 11.2).
const ASN1_TYPE* single_signed_attribute(const CMS_SignerInfo* signer, int nid, int type) {
  const int at = CMS_signed_get_attr_by_NID(signer, nid, -1);
  if (at < 0 || CMS_signed_get_attr_by_NID(signer, nid, at) >= 0) return nullptr;
  X509_ATTRIBUTE* attribute = CMS_signed_get_attr(signer, at);
  if (X509_ATTRIBUTE_count(attribute) != 1) return nullptr;
  const ASN1_TYPE* value = X509_ATTRIBUTE_get0_type(attribute, 0);
  return ASN1_TYPE_get(value) == type ? value : nullptr;
}

// RFC 5652 5.4: what is signed are the attributes; they must name the content and its type.
Result<void> check_signed_attributes(CMS_SignerInfo* signer, const ASN1_OBJECT* content_type, ByteView content) {
  const ASN1_TYPE* type = single_signed_attribute(signer, NID_pkcs9_contentType, V_ASN1_OBJECT);
  if (type == nullptr) return unreadable_cms("no single signed content-type attribute");
  if (OBJ_cmp(type->value.object, content_type) != 0)
    return unreadable_cms("the signed content-type is not that of the content");
  const ASN1_TYPE* digest = single_signed_attribute(signer, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING);
  if (digest == nullptr) return unreadable_cms("no single signed message-digest attribute");

  X509_ALGOR* algorithm = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &algorithm, nullptr);
  const ASN1_OBJECT* digest_oid = nullptr;
  X509_ALGOR_get0(&digest_oid, nullptr, nullptr, algorithm);
  const int nid = OBJ_obj2nid(digest_oid);
  if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512) {
    return fail(CryptoError::unsupported, "a digest that is not SHA-256, SHA-384 or SHA-512");
  }
  Bytes computed(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (EVP_Digest(content.data(), content.size(), computed.data(), &size, EVP_get_digestbynid(nid), nullptr) != 1) {
    return openssl_failure(CryptoError::internal, "hashing the content");
  }
  computed.resize(size);
  if (computed != octets_of(digest->value.octet_string)) {
    return fail(CryptoError::bad_signature, "the content is not the one that was signed");
  }
  return {};
}

// The certificate that the SignerInfo names, by issuer and serial or by key identifier. Two different ones
// would leave open who signed.
Result<Certificate> find_signer(CMS_SignerInfo* signer, std::span<const Certificate> certificates) {
  const Certificate* found = nullptr;
  for (const auto& certificate : certificates) {
    if (CMS_SignerInfo_cert_cmp(signer, certificate.handle()) != 0 || (found && *found == certificate)) continue;
    if (found) return unreadable_cms("two certificates that both claim to be the signer's");
    found = &certificate;
  }
  if (!found) return fail(CryptoError::untrusted, "the signer's certificate is not at hand");
  return *found;
}

std::optional<Time> read_signing_time(const CMS_SignerInfo* signer) {
  for (const int type : {V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME}) {
    const ASN1_TYPE* value = single_signed_attribute(signer, NID_pkcs9_signingTime, type);
    const auto time = value ? to_time(value->value.asn1_string) : fail(CryptoError::malformed, "");
    if (time) return *time;
  }
  return std::nullopt;
}

Result<std::vector<Certificate>> certificates_of(const Outline& outline) {
  std::vector<Certificate> certificates;
  for (const ByteView each : outline.certificates) {
    CAHN_TRY(Certificate certificate, Certificate::from_der(each));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

// The message without its certificates and CRLs: those have been taken out already, most of them known from before, and
// OpenSSL 3.0 would decode each of them anew.
CmsPtr decode_bare(const Outline& outline) {
  Bytes signed_data = to_bytes(outline.before_certificates);
  signed_data.insert(signed_data.end(), outline.signer_infos.begin(), outline.signer_infos.end());
  const Bytes wrapped = der_element(tag::context0, der_element(tag::sequence, signed_data));
  Bytes fields = der_element(tag::oid, oid_signed_data);
  fields.insert(fields.end(), wrapped.begin(), wrapped.end());
  const Bytes message = der_element(tag::sequence, fields);
  const unsigned char* cursor = message.data();
  return CmsPtr(d2i_CMS_ContentInfo(nullptr, &cursor, static_cast<long>(message.size())));
}

Result<CmsPtr> start_message(const Certificate& signer, std::span<const Certificate> include) {
  std::vector<Certificate> distinct;
  const X509BorrowedStackPtr further(sk_X509_new_null());
  for (const auto& certificate : include) {
    if (certificate == signer || std::find(distinct.begin(), distinct.end(), certificate) != distinct.end()) continue;
    distinct.push_back(certificate);
    sk_X509_push(further.get(), certificate.handle());
  }
  CmsPtr cms(CMS_sign(nullptr, nullptr, further.get(), nullptr, CMS_PARTIAL | CMS_BINARY));
  if (!cms) return openssl_failure(CryptoError::internal, "building the signed message");
  return cms;
}

bool add_signing_time(CMS_SignerInfo* signer, Time time) {
  const auto value = to_asn1_time(time);
  return value && CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_signingTime, ASN1_STRING_type(value->get()),
                                              value->get(), -1) == 1;
}

}  // namespace

Result<Bytes> cms_sign(ByteView content, std::string_view content_type_oid, const Certificate& signer,
                       const PrivateKey& key, std::span<const Certificate> include, std::optional<Time> signing_time) {
  const ErrorScope scope;
  if (signer.public_key() != key.public_key()) {
    return fail(CryptoError::wrong_key, "the signer's certificate is for another key than the one that signs");
  }
  const EVP_MD* const digest = digest_for(key.public_key());
  if (digest == nullptr) return fail(CryptoError::unsupported, "CMS messages are not signed with Ed25519 keys");
  CAHN_TRY(const CmsPtr cms, start_message(signer, include));
  const Asn1ObjectPtr type = to_object(content_type_oid);
  if (!type || CMS_set1_eContentType(cms.get(), type.get()) != 1) return unreadable_cms("no such content type");
  CMS_SignerInfo* const info =
      CMS_add1_signer(cms.get(), signer.handle(), key.handle(), digest, CMS_PARTIAL | CMS_BINARY | CMS_NOSMIMECAP);
  if (info == nullptr || !add_signing_time(info, signing_time.value_or(system_clock().now()))) {
    return openssl_failure(CryptoError::internal, "adding the signer");
  }
  const BioPtr input(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  if (!input || CMS_final(cms.get(), input.get(), nullptr, CMS_BINARY) != 1) {
    return signing_failure(key, "signing the message");
  }
  return encode<i2d_CMS_ContentInfo>(cms.get());
}

Result<SignedMessage> SignedMessage::verify(ByteView ber, std::span<const Certificate> known_signers) {
  const ErrorScope scope;
  CAHN_TRY(const Normalised received, Normalised::from_ber(ber));
  CAHN_TRY(const Outline outline, read_outline(received));
  if (outline.signers != 1) return unreadable_cms("a message that is not signed exactly once");
  if (!outline.content) return unreadable_cms("a message without its content");
  const CmsPtr cms = decode_bare(outline);
  if (!cms) return openssl_failure(CryptoError::malformed, "not a CMS message");
  STACK_OF(CMS_SignerInfo)* const infos = CMS_get0_SignerInfos(cms.get());
  CMS_SignerInfo* const info = sk_CMS_SignerInfo_value(infos, 0);
  if (info == nullptr) return unreadable_cms("a message without a signer");

  CAHN_TRY(std::vector<Certificate> certificates, certificates_of(outline));
  auto signer = find_signer(info, certificates);
  if (!signer && signer.error().code == CryptoError::untrusted) signer = find_signer(info, known_signers);
  if (!signer) return fail(signer.error());
  const ASN1_OBJECT* const content_type = CMS_get0_eContentType(cms.get());
  CAHN_CHECK(check_signed_attributes(info, content_type, *outline.content));
  // Only the arithmetic, with the certificate's key: IDevIDs come with any key usage (RFC 8995 2.3), and CMS_verify
  // would ask for S/MIME's.
  CMS_SignerInfo_set1_signer_cert(info, signer->handle());
  if (CMS_SignerInfo_verify(info) != 1) {
    return fail(CryptoError::bad_signature, "the signature does not hold for the signer's certificate");
  }
  SignedMessage message(*std::move(signer));
  message.content_type_ = dotted(content_type);
  message.content_ = to_bytes(*outline.content);
  message.certificates_ = std::move(certificates);
  message.signing_time_ = read_signing_time(info);
  return message;
}

Result<Bytes> certs_only(std::span<const Certificate> certificates) {
  const ErrorScope scope;
  const Pkcs7Ptr message(PKCS7_new());
  if (!message || PKCS7_set_type(message.get(), NID_pkcs7_signed) != 1 ||
      PKCS7_content_new(message.get(), NID_pkcs7_data) != 1 || PKCS7_set_detached(message.get(), 1) != 1) {
    return openssl_failure(CryptoError::internal, "building the certificate message");
  }
  for (const auto& certificate : certificates) {
    if (PKCS7_add_certificate(message.get(), certificate.handle()) != 1) {
      return openssl_failure(CryptoError::internal, "adding a certificate");
    }
  }
  return encode<i2d_PKCS7>(message.get());
}

Result<std::vector<Certificate>> certs_from_certs_only(ByteView ber) {
  CAHN_TRY(const Normalised received, Normalised::from_ber(ber));
  CAHN_TRY(const Outline outline, read_outline(received));
  if (outline.signers != 0) return unreadable_cms("a certificate message that somebody signed");
  return certificates_of(outline);
}

Result<RevocationEvidence> revocation_in_cms(ByteView ber) {
  constexpr std::size_t max_evidence = 20;
  // id-ri-ocsp-response, 1.3.6.1.5.5.7.16.2
  constexpr std::uint8_t oid_ocsp_response[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x10, 0x02};
  CAHN_TRY(const Normalised received, Normalised::from_ber(ber));
  CAHN_TRY(const Outline outline, read_outline(received));
  if (outline.revocation.size() > max_evidence) return unreadable_cms("more than 20 revocation lists and responses");
  RevocationEvidence evidence;
  for (const ByteView one : outline.revocation) {
    DerReader choice(one);
    if (const auto other = choice.next(tag::context1)) {  // OtherRevocationInfoFormat { type, info }
      DerReader fields(other->content);
      const auto type = fields.next(tag::oid);
      const auto info = fields.next(tag::sequence);
      if (!type || !std::ranges::equal(type->content, oid_ocsp_response)) continue;
      if (!info || !fields.at_end()) return unreadable_cms("an OCSP response that is none");
      evidence.ocsp.push_back(to_bytes(info->whole));
    } else if (choice.next_is(tag::sequence)) {
      if (!received.is_verbatim(one)) return unreadable_cms("a revocation list that is not DER");
      CAHN_TRY(Crl list, Crl::from_der(one));
      evidence.lists.push_back(std::move(list));
    }
  }
  return evidence;
}

}  // namespace cahn::crypto
