// Certificate requests of CRMF (RFC 4211) as CMP carries them, read into the same value as PKCS#10.
//
//   CertReqMsg  ::= SEQUENCE { certReq CertRequest, popo [0] raVerified / [1] signature …, regInfo OPTIONAL }
//   CertRequest ::= SEQUENCE { certReqId INTEGER, certTemplate, controls OPTIONAL }

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/csr.h"
#include "crypto/der_write.h"

namespace cahn::crypto {
namespace {

std::unexpected<Error> unreadable_crmf(const char* what) {
  return fail(CryptoError::malformed, std::string("a certificate request (CRMF) ") + what);
}

struct Template {
  std::optional<ByteView> subject, key, extensions;  // a Name; contents of SubjectPublicKeyInfo and Extensions
};

Result<Template> read_template(ByteView content) {
  Template out;
  int last = -1;
  for (DerReader reader(content); !reader.at_end();) {
    const auto field = reader.next();
    const int number = field ? field->tag & 0x1f : -1;
    if (!field || (field->tag & 0xc0) != 0x80 || number <= last || number > 9) {
      return unreadable_crmf("with a template that cannot be read");
    }
    last = number;
    // RFC 9483 4.1.1: version, serial number, algorithm, issuer and validity are the CA's; they are passed over.
    if (field->tag == 0xa5) out.subject = field->content;
    if (field->tag == 0xa6) out.key = field->content;
    if (field->tag == 0xa9) out.extensions = field->content;
  }
  if (!out.key || out.key->empty()) return unreadable_crmf("without a public key");
  if (!out.subject) return unreadable_crmf("without a subject, which the proof of possession needs");
  return out;
}

// RFC 4211 4.1, where the template has subject and key: the signature is over the CertRequest.
Result<void> check_possession(const DerElement& proof, ByteView request, const PublicKey& key, bool ra_may_verify) {
  if (proof.tag == 0x80 && proof.content.empty()) {
    if (ra_may_verify) return {};
    return fail(CryptoError::bad_signature, "raVerified is a registration authority's word, and the sender is none");
  }
  if (proof.tag != 0xa1) return fail(CryptoError::unsupported, "a proof of possession that is not a signature");
  DerReader reader(proof.content);
  if (reader.next_is(tag::context0)) return unreadable_crmf("whose proof of possession is over something else");
  const auto algorithm = reader.next(tag::sequence);
  const auto signature = reader.next(tag::bit_string);
  if (!algorithm || !signature || !reader.at_end() || signature->content.size() < 2 || signature->content[0] != 0) {
    return unreadable_crmf("whose proof of possession cannot be read");
  }
  if (!verify_with_algorithm(key, algorithm->whole, request, signature->content.subspan(1))) {
    return fail(CryptoError::bad_signature, "the proof of possession is not by the key in the request");
  }
  return {};
}

}  // namespace

Result<Csr> Csr::from_crmf(ByteView der, bool ra_may_verify) {
  const ErrorScope scope;
  if (der.size() > max_octets) return unreadable_crmf("of more than 64 KiB");
  if (!is_der(der)) return unreadable_crmf("that is not one DER element with definite lengths");
  DerReader outer(der);
  const auto message = outer.next(tag::sequence);
  DerReader parts(message ? message->content : ByteView());
  const auto request = parts.next(tag::sequence);
  DerReader fields(request ? request->content : ByteView());
  const auto id = fields.next(tag::integer);
  const auto form = fields.next(tag::sequence);
  const auto proof = parts.next();
  if (!id || !form) return unreadable_crmf("that is none");
  if (!proof) return fail(CryptoError::bad_signature, "a certificate request without proof of possession");

  CAHN_TRY(const Template asked, read_template(form->content));
  CAHN_TRY(PublicKey key, PublicKey::from_spki(der_element(tag::sequence, *asked.key)));
  CAHN_CHECK(check_possession(*proof, request->whole, key, ra_may_verify));
  Csr csr(to_bytes(der), std::move(key));
  csr.is_crmf_ = true;
  const auto subject = decode_exactly<d2i_X509_NAME, i2d_X509_NAME, X509NamePtr>(*asked.subject);
  if (!subject) return unreadable_crmf("with a subject that cannot be read");
  CAHN_TRY(csr.subject_, to_name(subject.get()));
  csr.note_subject(subject.get());
  if (asked.extensions) {
    const Bytes sequence = der_element(tag::sequence, *asked.extensions);
    const auto extensions = decode_exactly<d2i_X509_EXTENSIONS, i2d_X509_EXTENSIONS, ExtensionStackPtr>(sequence);
    if (!extensions) return unreadable_crmf("with extensions that cannot be read");
    CAHN_CHECK(csr.read_extensions(extensions.get()));
  }
  return csr;
}

}  // namespace cahn::crypto
