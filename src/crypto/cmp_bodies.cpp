// The bodies of CMP messages (RFC 4210 5.3, RFC 4211).

#include <openssl/sha.h>

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/cmp.h"
#include "crypto/der_write.h"
#include "crypto/digest.h"

namespace cahn::crypto {
namespace {

constexpr std::uint8_t tag_utf8 = 0x0c;
constexpr std::uint8_t oid_old_cert_id[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x05, 0x01, 0x05};
constexpr std::uint8_t oid_reason_code[] = {0x55, 0x1d, 0x15};
constexpr std::size_t max_status_text = 1000, max_elements = 32;

std::unexpected<Error> malformed(const CmpMessage& message, const std::string& what) {
  return fail(CryptoError::malformed, "a malformed " + cmp_body_name(message.body()) + ": " + what);
}

// An INTEGER of at most eight octets.
std::optional<std::int64_t> number(const std::optional<DerElement>& element) {
  if (!element || element->content.empty() || element->content.size() > 8) return std::nullopt;
  std::int64_t value = (element->content[0] & 0x80) != 0 ? -1 : 0;
  for (const std::uint8_t octet : element->content)
    value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << 8 | octet);
  return value;
}
std::optional<int> small_number(const std::optional<DerElement>& element) {
  const auto value = number(element);
  if (!value || *value < -1 || *value > 1'000'000) return std::nullopt;
  return static_cast<int>(*value);
}

// Positive, in hex of even length, as Certificate::serial_hex has it.
std::string serial_of(ByteView integer) {
  while (integer.size() > 1 && integer[0] == 0) integer = integer.subspan(1);
  return hex(integer);
}

// The body is a SEQUENCE OF with exactly one element.
Result<DerElement> only_element(const CmpMessage& message) {
  DerReader outer(message.content());
  const auto list = outer.next(tag::sequence);
  if (!list || !outer.at_end()) return malformed(message, "not a SEQUENCE");
  DerReader inner(list->content);
  const auto element = inner.next(tag::sequence);
  if (!element) return malformed(message, "nothing in it");
  if (!inner.at_end()) return malformed(message, "more than one element");
  return *element;
}

// CertId of the control oldCertID (RFC 4211 6.5).
std::optional<std::string> old_serial(ByteView controls) {
  for (DerReader each(controls); !each.at_end();) {
    const auto control = each.next(tag::sequence);
    if (!control) return std::nullopt;
    DerReader fields(control->content);
    const auto type = fields.next(tag::oid);
    const auto value = fields.next(tag::sequence);
    if (!type || !value || !std::ranges::equal(type->content, oid_old_cert_id)) continue;
    DerReader id(value->content);
    const auto issuer = id.next(der::tag_directory_name);
    const auto serial = id.next(tag::integer);
    if (issuer && serial && !serial->content.empty()) return serial_of(serial->content);
  }
  return std::nullopt;
}

Result<CmpCertificateRequest> read_crmf(const CmpMessage& message, bool ra_may_verify) {
  CAHN_TRY(const DerElement whole, only_element(message));
  DerReader reader(whole.content);
  const auto request = reader.next(tag::sequence);
  DerReader fields(request ? request->content : ByteView());
  const auto id = small_number(fields.next(tag::integer));
  const auto form = fields.next(tag::sequence);
  if (!request || !id || !form) return malformed(message, "no certificate request in it");
  // RFC 9483 4.1.1
  if (*id != 0) return malformed(message, "certReqId must be 0");
  const auto controls = fields.next(tag::sequence);
  CAHN_TRY(auto csr, Csr::from_crmf(whole.whole, ra_may_verify));
  return CmpCertificateRequest{*id, std::move(csr), controls ? old_serial(controls->content) : std::nullopt};
}

Bytes status_info(const CmpStatusInfo& info) {
  const Bytes text = info.text.empty() ? Bytes() : der::sequence({der::utf8(info.text)});
  const Bytes failure = info.failure ? der::single_bit(static_cast<int>(*info.failure)) : Bytes();
  return der::sequence({der::integer(static_cast<int>(info.status)), text, failure});
}

std::optional<CmpFailure> failure_of(ByteView bits) {
  for (std::size_t i = 0; 1 + i / 8 < bits.size() && i < 27; ++i) {
    if ((bits[1 + i / 8] & (0x80 >> (i % 8))) != 0) return static_cast<CmpFailure>(i);
  }
  return std::nullopt;
}

std::optional<CmpStatusInfo> read_status(DerReader& reader) {
  const auto whole = reader.next(tag::sequence);
  if (!whole) return std::nullopt;
  DerReader fields(whole->content);
  const auto status = small_number(fields.next(tag::integer));
  if (!status || *status < 0 || *status > 6) return std::nullopt;
  CmpStatusInfo info;
  // What is not one of ours (warnings of revocation, key update) brings no certificate either.
  info.status = *status <= 3 ? static_cast<CmpStatus>(*status) : CmpStatus::rejection;
  if (const auto texts = fields.next(tag::sequence)) {
    for (DerReader each(texts->content); !each.at_end();) {
      const auto text = each.next(tag_utf8);
      if (!text) return std::nullopt;
      if (info.text.size() < max_status_text) info.text += (info.text.empty() ? "" : " ") + to_string(text->content);
    }
  }
  info.text.resize(std::min(info.text.size(), max_status_text));
  if (const auto bits = fields.next(tag::bit_string)) info.failure = failure_of(bits->content);
  return fields.at_end() ? std::optional(info) : std::nullopt;
}

Bytes certificate_sequence(std::span<const Certificate> certificates) {
  Bytes all;
  for (const auto& each : certificates) all.insert(all.end(), each.der().begin(), each.der().end());
  return der_element(tag::sequence, all);
}

Bytes digest_of(const EVP_MD* md, ByteView octets) {
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  EVP_Digest(octets.data(), octets.size(), out.data(), &size, md, nullptr);
  out.resize(size);
  return out;
}

constexpr int remove_from_crl = 8;

// reasonCode among the crlEntryDetails; nullopt for what cannot be read.
std::optional<int> reason_code_in(ByteView extensions) {
  for (DerReader each(extensions); !each.at_end();) {
    const auto extension = each.next(tag::sequence);
    if (!extension) return std::nullopt;
    DerReader fields(extension->content);
    const auto type = fields.next(tag::oid);
    fields.next(0x01);  // critical
    const auto value = fields.next(tag::octet_string);
    if (!type || !value) return std::nullopt;
    if (!std::ranges::equal(type->content, oid_reason_code)) continue;
    const ByteView code = value->content;
    if (code.size() != 3 || code[0] != 0x0a || code[1] != 1) return std::nullopt;
    return code[2];
  }
  return static_cast<int>(RevocationReason::unspecified);
}

std::optional<RevocationReason> reason_of(int code) {
  for (const auto ours : {RevocationReason::unspecified, RevocationReason::key_compromise, RevocationReason::superseded,
                          RevocationReason::cessation, RevocationReason::certificate_hold}) {
    if (static_cast<int>(ours) == code) return ours;
  }
  return std::nullopt;
}

// RevDetails for an INTEGER's content and a Name in DER.
Bytes revocation_details(ByteView serial, ByteView issuer, int code) {
  const Bytes form = der::sequence({der_element(0x81, serial), der::context(3, issuer)});
  const Bytes reason = der_element(0x0a, Bytes{static_cast<std::uint8_t>(code)});
  const Bytes details =
      der::sequence({der::sequence({der_element(tag::oid, oid_reason_code), der::octet_string(reason)})});
  return der::sequence({der::sequence({form, details})});
}

Bytes positive(ByteView serial) {
  const bool needs_zero = serial.empty() || (serial[0] & 0x80) != 0;
  return der::joined({Bytes(needs_zero ? 1 : 0), serial});
}

Result<std::vector<Certificate>> certificates_in(const CmpMessage& message, ByteView list) {
  std::vector<Certificate> out;
  for (DerReader each(list); !each.at_end();) {
    const auto one = each.next(tag::sequence);
    if (!one || out.size() == CmpMessage::max_certificates) return malformed(message, "the CA certificates");
    CAHN_TRY(auto certificate, Certificate::from_der(one->whole));
    out.push_back(std::move(certificate));
  }
  return out;
}

}  // namespace

Result<CmpCertificateRequest> read_cmp_request(const CmpMessage& message, bool ra_may_verify) {
  const ErrorScope scope;
  if (message.body() != CmpBody::p10cr) return read_crmf(message, ra_may_verify);
  CAHN_TRY(auto csr, Csr::from_der(message.content()));
  return CmpCertificateRequest{-1, std::move(csr), std::nullopt};
}

Result<CmpRevocationRequest> read_cmp_revocation(const CmpMessage& message) {
  const ErrorScope scope;
  CAHN_TRY(const DerElement details, only_element(message));
  DerReader reader(details.content);
  const auto form = reader.next(tag::sequence);
  if (!form) return malformed(message, "no certificate details");
  CmpRevocationRequest out;
  bool has_issuer = false;
  for (DerReader fields(form->content); !fields.at_end();) {
    const auto field = fields.next();
    if (!field) return malformed(message, "the certificate details");
    if (field->tag == 0x81 && !field->content.empty() && field->content.size() <= 21) {
      out.serial_hex = serial_of(field->content);
    } else if (field->tag == 0xa3) {
      const auto name = decode_exactly<d2i_X509_NAME, i2d_X509_NAME, X509NamePtr>(field->content);
      if (!name) return malformed(message, "the issuer's name");
      CAHN_TRY(out.issuer, to_name(name.get()));
      has_issuer = true;
    }
  }
  // RFC 9483 4.2
  if (out.serial_hex.empty() || !has_issuer) return malformed(message, "issuer and serialNumber are needed");
  const auto entry = reader.next(tag::sequence);
  const auto code = reason_code_in(entry ? entry->content : ByteView());
  out.release = code == remove_from_crl;
  if (code) out.reason = reason_of(*code);
  return out;
}

Result<std::optional<CmpConfirmation>> read_cmp_confirmation(const CmpMessage& message) {
  DerReader outer(message.content());
  const auto list = outer.next(tag::sequence);
  if (!list || !outer.at_end()) return malformed(message, "not a SEQUENCE");
  if (list->content.empty()) return std::nullopt;
  CAHN_TRY(const DerElement whole, only_element(message));
  DerReader reader(whole.content);
  const auto hash = reader.next(tag::octet_string);
  const auto id = small_number(reader.next(tag::integer));
  if (!hash || !id) return malformed(message, "no certHash or certReqId");
  CmpConfirmation out{*id, to_bytes(hash->content), true};
  if (reader.next_is(tag::sequence)) {
    const auto status = read_status(reader);
    if (!status) return malformed(message, "the status");
    out.accepted = status->status == CmpStatus::accepted || status->status == CmpStatus::granted_with_mods;
  }
  return out;
}

bool is_hash_of(ByteView hash, const Certificate& certificate) {
  const EVP_MD* const md = hash.size() == 32   ? EVP_sha256()
                           : hash.size() == 48 ? EVP_sha384()
                           : hash.size() == 64 ? EVP_sha512()
                                               : nullptr;
  return md != nullptr && std::ranges::equal(digest_of(md, certificate.der()), hash);
}

Result<int> read_cmp_poll(const CmpMessage& message) {
  CAHN_TRY(const DerElement whole, only_element(message));
  DerReader reader(whole.content);
  const auto id = small_number(reader.next(tag::integer));
  if (!id || !reader.at_end()) return malformed(message, "no certReqId");
  return *id;
}

Result<std::vector<std::string>> read_cmp_general(const CmpMessage& message) {
  DerReader outer(message.content());
  const auto list = outer.next(tag::sequence);
  if (!list || !outer.at_end()) return malformed(message, "not a SEQUENCE");
  std::vector<std::string> oids;
  for (DerReader each(list->content); !each.at_end();) {
    const auto info = each.next(tag::sequence);
    DerReader fields(info ? info->content : ByteView());
    const auto type = fields.next(tag::oid);
    if (!type || oids.size() == max_elements) return malformed(message, "what is asked about");
    const unsigned char* cursor = type->whole.data();
    const Asn1ObjectPtr object(d2i_ASN1_OBJECT(nullptr, &cursor, static_cast<long>(type->whole.size())));
    if (!object) return malformed(message, "an object identifier");
    oids.push_back(dotted(object.get()));
  }
  return oids;
}

namespace {

// CertRequest with subject, key and names.
Result<Bytes> certificate_request(const Name& subject, const PublicKey& key, const std::vector<std::string>& dns_names,
                                  const std::vector<std::string>& uris) {
  CAHN_TRY(const X509NamePtr name, to_x509_name(subject));
  CAHN_TRY(const GeneralNamesPtr names, make_alternative_names(dns_names, uris));
  DerReader spki(key.spki());
  const auto inside = spki.next(tag::sequence);
  Bytes form = der::joined({der::context(5, encode<i2d_X509_NAME>(name.get())), der_element(0xa6, inside->content)});
  if (sk_GENERAL_NAME_num(names.get()) > 0) {
    static constexpr std::uint8_t oid_alternative_name[] = {0x55, 0x1d, 0x11};
    const Bytes extension = der::sequence(
        {der_element(tag::oid, oid_alternative_name), der::octet_string(encode<i2d_GENERAL_NAMES>(names.get()))});
    form = der::joined({form, der_element(0xa9, extension)});
  }
  return der::sequence({der::integer(0), der_element(tag::sequence, form)});
}

}  // namespace

Result<Bytes> cmp_request(const Name& subject, const PrivateKey& key, const std::vector<std::string>& dns_names,
                          const std::vector<std::string>& uris) {
  const ErrorScope scope;
  CAHN_TRY(const Bytes request, certificate_request(subject, key.public_key(), dns_names, uris));
  CAHN_TRY(const Bytes signature, key.sign(request));
  const Bytes proof =
      der::context(1, der::joined({signature_algorithm_of(key.public_key()), der::bit_string(signature)}));
  return der::sequence({der::sequence({request, proof})});
}

Result<Bytes> cmp_ra_request(const Name& subject, const PublicKey& key, const std::vector<std::string>& dns_names,
                             const std::vector<std::string>& uris) {
  const ErrorScope scope;
  CAHN_TRY(const Bytes request, certificate_request(subject, key, dns_names, uris));
  const Bytes ra_verified = {0x80, 0x00};
  return der::sequence({der::sequence({request, ra_verified})});
}

Result<Bytes> cmp_confirmation(const Certificate& certificate, int id, const CmpStatusInfo& status) {
  // RFC 4210 5.3.18: the hash of the certificate's own signature.
  const int nid = X509_get_signature_nid(certificate.handle());
  int digest = NID_undef;
  OBJ_find_sigid_algs(nid, &digest, nullptr);
  const EVP_MD* const md = nid == NID_ED25519 ? EVP_sha512() : EVP_get_digestbynid(digest);
  if (md == nullptr) return fail(CryptoError::unsupported, "a certificate whose signature has no hash");
  return der::sequence(
      {der::sequence({der::octet_string(digest_of(md, certificate.der())), der::integer(id), status_info(status)})});
}

Bytes cmp_poll(int id) { return der::sequence({der::sequence({der::integer(id)})}); }

Bytes cmp_revocation(const Certificate& certificate, RevocationReason reason) {
  const ErrorScope scope;
  return revocation_details(positive(octets_of(X509_get0_serialNumber(certificate.handle()))),
                            encode<i2d_X509_NAME>(X509_get_issuer_name(certificate.handle())),
                            static_cast<int>(reason));
}

Result<Bytes> cmp_revocation(const Name& issuer, std::string_view serial_hex, std::optional<RevocationReason> reason) {
  const ErrorScope scope;
  const auto serial = hex_decode(serial_hex);
  if (!serial || serial->empty() || serial->size() > 20) {
    return fail(CryptoError::malformed, "no serial number of a certificate");
  }
  CAHN_TRY(const X509NamePtr name, to_x509_name(issuer));
  return revocation_details(positive(*serial), encode<i2d_X509_NAME>(name.get()),
                            reason ? static_cast<int>(*reason) : remove_from_crl);
}

Result<Bytes> cmp_question(std::string_view oid) { return cmp_general_answer(oid, {}); }

Bytes cmp_certificate_answer(const CmpCertificateAnswer& answer) {
  const Bytes pair = answer.certificate ? der::sequence({der::context(0, answer.certificate->der())}) : Bytes();
  const Bytes response = der::sequence({der::integer(answer.id), status_info(answer.status), pair});
  const Bytes ca =
      answer.ca_certificates.empty() ? Bytes() : der::context(1, certificate_sequence(answer.ca_certificates));
  return der::sequence({ca, der::sequence({response})});
}

Result<CmpCertificateAnswer> read_cmp_answer(const CmpMessage& message) {
  DerReader outer(message.content());
  const auto whole = outer.next(tag::sequence);
  if (!whole || !outer.at_end()) return malformed(message, "not a SEQUENCE");
  DerReader reader(whole->content);
  CmpCertificateAnswer out;
  if (const auto wrapped = reader.next(tag::context1)) {
    DerReader list(wrapped->content);
    const auto certificates = list.next(tag::sequence);
    if (!certificates) return malformed(message, "caPubs");
    CAHN_TRY(out.ca_certificates, certificates_in(message, certificates->content));
  }
  const auto responses = reader.next(tag::sequence);
  DerReader each(responses ? responses->content : ByteView());
  const auto response = each.next(tag::sequence);
  if (!response || !each.at_end() || !reader.at_end()) return malformed(message, "not exactly one response");
  DerReader fields(response->content);
  const auto id = small_number(fields.next(tag::integer));
  const auto status = read_status(fields);
  if (!id || !status) return malformed(message, "no certReqId or status");
  out.id = *id;
  out.status = *status;
  if (const auto pair = fields.next(tag::sequence)) {
    DerReader inside(pair->content);
    const auto wrapped = inside.next(tag::context0);
    if (!wrapped) return malformed(message, "a certificate that is encrypted, or none");
    CAHN_TRY(auto certificate, Certificate::from_der(wrapped->content));
    out.certificate = std::move(certificate);
  }
  return out;
}

Bytes cmp_poll_answer(const CmpPollAnswer& answer) {
  return der::sequence({der::sequence({der::integer(answer.id), der::integer(answer.check_after)})});
}

Result<CmpPollAnswer> read_cmp_poll_answer(const CmpMessage& message) {
  CAHN_TRY(const DerElement whole, only_element(message));
  DerReader reader(whole.content);
  const auto id = small_number(reader.next(tag::integer));
  const auto after = number(reader.next(tag::integer));
  if (!id || !after || *after < 0) return malformed(message, "no certReqId or checkAfter");
  return CmpPollAnswer{*id, *after};
}

Bytes cmp_revocation_answer(const CmpStatusInfo& status) {
  return der::sequence({der::sequence({status_info(status)})});
}

Result<CmpStatusInfo> read_cmp_revocation_answer(const CmpMessage& message) {
  DerReader outer(message.content());
  const auto whole = outer.next(tag::sequence);
  DerReader fields(whole ? whole->content : ByteView());
  const auto list = fields.next(tag::sequence);  // revCerts and crls may follow
  DerReader each(list ? list->content : ByteView());
  const auto status = read_status(each);
  if (!status || !each.at_end() || !outer.at_end()) return malformed(message, "not exactly one status");
  return *status;
}

Bytes cmp_pki_conf() { return der::null(); }

Bytes cmp_error(const CmpStatusInfo& status) { return der::sequence({status_info(status)}); }

Result<CmpStatusInfo> read_cmp_error(const CmpMessage& message) {
  DerReader outer(message.content());
  const auto whole = outer.next(tag::sequence);
  DerReader reader(whole ? whole->content : ByteView());
  const auto status = read_status(reader);
  if (!status) return malformed(message, "no status");
  return *status;
}

Result<Bytes> cmp_general_answer(std::string_view oid, ByteView value) {
  const ErrorScope scope;
  const Asn1ObjectPtr type = to_object(oid);
  if (!type) return fail(CryptoError::malformed, "'" + std::string(oid) + "' is no object identifier");
  return der::sequence({der::sequence({encode<i2d_ASN1_OBJECT>(type.get()), value})});
}

Bytes cmp_ca_certificates(std::span<const Certificate> certificates) { return certificate_sequence(certificates); }

Result<std::vector<Certificate>> read_cmp_ca_certificates(const CmpMessage& message) {
  const ErrorScope scope;
  CAHN_TRY(const auto oids, read_cmp_general(message));
  if (oids.size() != 1 || oids.front() != oid_cmp_ca_certificates) return malformed(message, "no CA certificates");
  CAHN_TRY(const DerElement info, only_element(message));
  DerReader fields(info.content);
  fields.next(tag::oid);
  if (fields.at_end()) return std::vector<Certificate>();  // RFC 9483 4.3.1: there are none
  const auto list = fields.next(tag::sequence);
  if (!list || !fields.at_end()) return malformed(message, "the CA certificates");
  return certificates_in(message, list->content);
}

Bytes cmp_root_update(const Certificate& new_with_new, const Certificate& new_with_old,
                      const Certificate& old_with_new) {
  return der::sequence({new_with_new.der(), der::context(0, new_with_old.der()), der::context(1, old_with_new.der())});
}

Result<Bytes> cmp_request_template(const Name& subject) {
  const ErrorScope scope;
  // By hand: a name as certificates have it holds no empty values.
  Bytes names;
  for (const auto& [type, value] : subject) {
    const Asn1ObjectPtr object = to_object(type);
    if (!object) return fail(CryptoError::malformed, "the name attribute " + type);
    const Bytes attribute = der::sequence({encode<i2d_ASN1_OBJECT>(object.get()), der::utf8(value)});
    const Bytes set = der_element(tag::set, attribute);
    names.insert(names.end(), set.begin(), set.end());
  }
  return der::sequence({der::sequence({der::context(5, der_element(tag::sequence, names))})});
}

}  // namespace cahn::crypto
