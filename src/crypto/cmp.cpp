// The envelope of CMP messages: header, protection, extra certificates. The bodies are in cmp_bodies.cpp.

#include "crypto/cmp.h"

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/der_write.h"

namespace cahn::crypto {
namespace {

constexpr std::uint8_t oid_implicit_confirm[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x04, 0x0d};
constexpr std::uint8_t tag_generalized_time = 0x18;
constexpr std::size_t max_general_info = 16;

std::unexpected<Error> malformed(const std::string& what) {
  return fail(CryptoError::malformed, "not a CMP message: " + what);
}

std::uint8_t context(int number) { return static_cast<std::uint8_t>(0xa0 | number); }

// [n] EXPLICIT with one element of `tag` in it; nullopt when [n] is not next. `broken` when it is, but wrong.
std::optional<ByteView> optional_member(DerReader& reader, int number, std::uint8_t tag, bool& broken) {
  const auto wrapped = reader.next(context(number));
  if (!wrapped) return std::nullopt;
  DerReader inner(wrapped->content);
  const auto element = inner.next(tag);
  if (!element || !inner.at_end()) {
    broken = true;
    return std::nullopt;
  }
  return tag == tag::sequence ? element->whole : element->content;
}

Bytes octets(const std::optional<ByteView>& view) { return view ? to_bytes(*view) : Bytes(); }

Result<std::optional<Name>> sender_name(const DerElement& general_name) {
  if (general_name.tag != der::tag_directory_name) return std::nullopt;
  const auto name = decode_exactly<d2i_X509_NAME, i2d_X509_NAME, X509NamePtr>(general_name.content);
  if (!name) return malformed("the sender's name cannot be read");
  CAHN_TRY(auto read, to_name(name.get()));
  return read;
}

// generalInfo: only implicitConfirm matters to us.
bool asks_implicit_confirm(ByteView sequence, bool& broken) {
  DerReader outer(sequence);
  const auto list = outer.next(tag::sequence);
  bool found = false;
  std::size_t count = 0;
  for (DerReader each(list->content); !each.at_end();) {
    const auto info = each.next(tag::sequence);
    DerReader fields(info ? info->content : ByteView());
    const auto type = fields.next(tag::oid);
    if (!info || !type || ++count > max_general_info) {
      broken = true;
      return false;
    }
    found = found || std::ranges::equal(type->content, oid_implicit_confirm);
  }
  return found;
}

struct Header {
  CmpHeader header;
  Bytes algorithm;
};

Result<Header> read_header(ByteView content) {
  DerReader reader(content);
  const auto version = reader.next(tag::integer);
  if (!version || version->content.size() != 1) return malformed("no version");
  Header out;
  out.header.version = version->content[0];
  if (out.header.version != 2 && out.header.version != 3) {
    return fail(CryptoError::unsupported, "a CMP message of version " + std::to_string(out.header.version));
  }
  const auto sender = reader.next();
  const auto recipient = reader.next();
  if (!sender || !recipient || (sender->tag & 0xc0) != 0x80 || (recipient->tag & 0xc0) != 0x80) {
    return malformed("no sender or recipient");
  }
  CAHN_TRY(out.header.sender, sender_name(*sender));
  out.header.recipient = to_bytes(recipient->whole);
  bool broken = false;
  optional_member(reader, 0, tag_generalized_time, broken);  // a pledge has no clock (RFC 8995 2.6.1)
  out.algorithm = octets(optional_member(reader, 1, tag::sequence, broken));
  out.header.sender_key_identifier = octets(optional_member(reader, 2, tag::octet_string, broken));
  optional_member(reader, 3, tag::octet_string, broken);
  out.header.transaction_id = octets(optional_member(reader, 4, tag::octet_string, broken));
  out.header.sender_nonce = octets(optional_member(reader, 5, tag::octet_string, broken));
  out.header.recipient_nonce = octets(optional_member(reader, 6, tag::octet_string, broken));
  optional_member(reader, 7, tag::sequence, broken);
  if (const auto info = optional_member(reader, 8, tag::sequence, broken)) {
    out.header.implicit_confirm = asks_implicit_confirm(*info, broken);
  }
  if (broken || !reader.at_end()) return malformed("the header");
  return out;
}

Result<std::vector<Certificate>> read_certificates(ByteView sequence) {
  DerReader outer(sequence);
  const auto list = outer.next(tag::sequence);
  std::vector<Certificate> certificates;
  for (DerReader each(list->content); !each.at_end();) {
    const auto certificate = each.next(tag::sequence);
    if (!certificate) return malformed("an extra certificate that is none");
    if (certificates.size() == CmpMessage::max_certificates) return malformed("more than ten certificates");
    CAHN_TRY(auto read, Certificate::from_der(certificate->whole));
    certificates.push_back(std::move(read));
  }
  return certificates;
}

bool is_nonce(const Bytes& octets) {
  return octets.size() >= CmpHeader::min_nonce && octets.size() <= CmpHeader::max_nonce;
}

}  // namespace

std::string cmp_body_name(CmpBody body) {
  static constexpr std::pair<CmpBody, const char*> names[] = {{CmpBody::ir, "ir"},
                                                              {CmpBody::ip, "ip"},
                                                              {CmpBody::cr, "cr"},
                                                              {CmpBody::cp, "cp"},
                                                              {CmpBody::p10cr, "p10cr"},
                                                              {CmpBody::kur, "kur"},
                                                              {CmpBody::kup, "kup"},
                                                              {CmpBody::rr, "rr"},
                                                              {CmpBody::rp, "rp"},
                                                              {CmpBody::pki_conf, "pkiConf"},
                                                              {CmpBody::nested, "nested"},
                                                              {CmpBody::genm, "genm"},
                                                              {CmpBody::genp, "genp"},
                                                              {CmpBody::error, "error"},
                                                              {CmpBody::cert_conf, "certConf"},
                                                              {CmpBody::poll_req, "pollReq"},
                                                              {CmpBody::poll_rep, "pollRep"}};
  for (const auto& [value, name] : names) {
    if (value == body) return name;
  }
  return "body " + std::to_string(static_cast<int>(body));
}

Result<CmpMessage> CmpMessage::from_der(ByteView der) {
  const ErrorScope scope;
  if (der.size() > max_octets) return malformed("more than 64 KiB");
  if (!is_der(der)) return malformed("not one DER element with definite lengths");
  DerReader outer(der);
  const auto whole = outer.next(tag::sequence);
  if (!whole) return malformed("not a SEQUENCE");
  DerReader reader(whole->content);
  const auto header = reader.next(tag::sequence);
  const auto body = reader.next();
  if (!header || !body || (body->tag & 0xe0) != 0xa0 || (body->tag & 0x1f) > 26) return malformed("no header or body");
  CmpMessage out;
  CAHN_TRY(auto read, read_header(header->content));
  out.header_ = std::move(read.header);
  out.algorithm_ = std::move(read.algorithm);
  out.body_ = static_cast<CmpBody>(body->tag & 0x1f);
  out.content_ = to_bytes(body->content);
  out.protected_part_ = der::sequence({header->whole, body->whole});
  bool broken = false;
  if (const auto protection = optional_member(reader, 0, tag::bit_string, broken)) {
    // The number of unused bits comes first: none.
    if (protection->size() < 2 || (*protection)[0] != 0) return malformed("the protection");
    out.signature_ = to_bytes(protection->subspan(1));
  }
  if (const auto certificates = optional_member(reader, 1, tag::sequence, broken)) {
    CAHN_TRY(out.extra_certificates_, read_certificates(*certificates));
  }
  if (broken || !reader.at_end()) return malformed("what follows the body");
  return out;
}

bool CmpMessage::is_mac_protected() const {
  static constexpr std::uint8_t password_based_mac[] = {0x2a, 0x86, 0x48, 0x86, 0xf6, 0x7d, 0x07, 0x42, 0x0d};
  static constexpr std::uint8_t pbmac1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e};
  DerReader outer(algorithm_);
  const auto algorithm = outer.next(tag::sequence);
  DerReader fields(algorithm ? algorithm->content : ByteView());
  const auto type = fields.next(tag::oid);
  return type && (std::ranges::equal(type->content, password_based_mac) || std::ranges::equal(type->content, pbmac1));
}

Result<Certificate> CmpMessage::verify_signer() const {
  const ErrorScope scope;
  if (signature_.empty()) return fail(CryptoError::bad_signature, "the message is not protected");
  if (algorithm_.empty()) return fail(CryptoError::malformed, "the protection names no algorithm");
  if (extra_certificates_.empty()) {
    return fail(CryptoError::untrusted, "the certificate of the message's protection is missing in extraCerts");
  }
  const Certificate& signer = extra_certificates_.front();
  if (header_.sender != signer.subject()) {
    return fail(CryptoError::wrong_key, "the sender is not the subject of the first of the extraCerts");
  }
  const Bytes& kid = header_.sender_key_identifier;
  if (!kid.empty() && signer.subject_key_identifier() && *signer.subject_key_identifier() != kid) {
    return fail(CryptoError::wrong_key, "senderKID is not the key identifier of the first of the extraCerts");
  }
  if (!signer.allows_digital_signature()) {
    return fail(CryptoError::wrong_key, "the sender's certificate is not for digital signatures");
  }
  CAHN_CHECK(verify_with_algorithm(signer.public_key(), algorithm_, protected_part_, signature_));
  return signer;
}

Result<Bytes> general_name(const Name& name) {
  CAHN_TRY(const X509NamePtr x509_name, to_x509_name(name));
  return der_element(der::tag_directory_name, encode<i2d_X509_NAME>(x509_name.get()));
}

Result<Bytes> make_cmp_message(const CmpHeader& header, CmpBody body, ByteView content,
                               std::span<const Certificate> chain, const PrivateKey& key,
                               std::span<const Certificate> more) {
  const ErrorScope scope;
  if (chain.empty() || chain.front().public_key() != key.public_key()) {
    return fail(CryptoError::wrong_key, "the signer's certificate is for another key than the one that signs");
  }
  if (!is_nonce(header.sender_nonce) || !is_nonce(header.transaction_id)) {
    return fail(CryptoError::malformed, "a CMP message needs transactionID and senderNonce of 128 bits");
  }
  const Certificate& signer = chain.front();
  const auto optional = [](int number, const Bytes& octets) {
    return octets.empty() ? Bytes() : der::context(number, der::octet_string(octets));
  };
  const Bytes implicit =
      header.implicit_confirm
          ? der::context(8, der::sequence({der::sequence({der_element(tag::oid, oid_implicit_confirm), der::null()})}))
          : Bytes();
  const Bytes sender = der_element(der::tag_directory_name, encode<i2d_X509_NAME>(X509_get_subject_name(signer.handle())));
  const Bytes head = der::sequence(
      {der::integer(header.version), sender, header.recipient, der::context(1, signature_algorithm_of(key.public_key())),
       optional(2, signer.subject_key_identifier().value_or(Bytes())), optional(4, header.transaction_id),
       optional(5, header.sender_nonce), optional(6, header.recipient_nonce), implicit});
  const Bytes tagged = der::context(static_cast<int>(body), content);
  CAHN_TRY(const Bytes signature, key.sign(der::sequence({head, tagged})));
  Bytes certificates;
  for (const auto list : {chain, more}) {
    for (const auto& each : list) certificates.insert(certificates.end(), each.der().begin(), each.der().end());
  }
  return der::sequence({head, tagged, der::context(0, der::bit_string(signature)),
                        der::context(1, der_element(tag::sequence, certificates))});
}

}  // namespace cahn::crypto
