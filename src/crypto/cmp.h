// CMP messages (RFC 4210 as updated by RFC 9480 and profiled by RFC 9483), signed: read strictly, and written.
//
//   PKIMessage ::= SEQUENCE { header, body [n], protection [0] BIT STRING OPTIONAL, extraCerts [1] OPTIONAL }
//
// Reading is ours, not OpenSSL's, whose 3.0 shows neither a template's key nor a sender; what OpenSSL does are names,
// extensions and signatures. Protection by passwords (MAC) is not taken: devices have IDevIDs.
//
// Threads: functions of their arguments; CmpMessage is a value.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/crl.h"
#include "crypto/csr.h"

namespace cahn::crypto {

// The number is the tag of PKIBody.
enum class CmpBody : std::uint8_t {
  ir = 0,
  ip = 1,
  cr = 2,
  cp = 3,
  p10cr = 4,
  kur = 7,
  kup = 8,
  rr = 11,
  rp = 12,
  pki_conf = 19,
  nested = 20,
  genm = 21,
  genp = 22,
  error = 23,
  cert_conf = 24,
  poll_req = 25,
  poll_rep = 26
};
// "ir", "certConf", …: as the RFC writes it; "body 5" for what has no name here.
std::string cmp_body_name(CmpBody);

// PKIFailureInfo: bit numbers (RFC 4210 5.2.3).
enum class CmpFailure {
  bad_alg = 0,
  bad_message_check = 1,
  bad_request = 2,
  bad_cert_id = 4,
  bad_data_format = 5,
  bad_pop = 9,
  cert_revoked = 10,
  cert_confirmed = 11,
  wrong_integrity = 12,
  bad_recipient_nonce = 13,
  add_info_not_available = 17,
  bad_sender_nonce = 18,
  bad_cert_template = 19,
  signer_not_trusted = 20,
  transaction_id_in_use = 21,
  unsupported_version = 22,
  not_authorized = 23,
  system_unavailable = 24,
  system_failure = 25
};

enum class CmpStatus { accepted = 0, granted_with_mods = 1, rejection = 2, waiting = 3 };

struct CmpStatusInfo {
  CmpStatus status = CmpStatus::accepted;
  std::string text;
  std::optional<CmpFailure> failure;
};

struct CmpHeader {
  static constexpr std::size_t min_nonce = 16, max_nonce = 64;  // RFC 9483 3.1: 128 bits

  int version = 2;
  std::optional<Name> sender;  // of a directoryName; nullopt for other forms
  Bytes recipient;             // GeneralName, DER
  Bytes sender_key_identifier;
  Bytes transaction_id, sender_nonce, recipient_nonce;
  bool implicit_confirm = false;  // generalInfo id-it-implicitConfirm
};

class CmpMessage {
 public:
  static constexpr std::size_t max_octets = 64 << 10;
  static constexpr std::size_t max_certificates = 10;

  // One DER message of at most 64 KiB with at most ten certificates. Its protection is not checked yet. Errors:
  // malformed (says what), unsupported (another version, a certificate of a kind we do not take).
  static Result<CmpMessage> from_der(ByteView);

  const CmpHeader& header() const { return header_; }
  CmpBody body() const { return body_; }
  const Bytes& content() const { return content_; }  // of the body, DER
  const std::vector<Certificate>& extra_certificates() const { return extra_certificates_; }
  bool is_protected() const { return !signature_.empty(); }
  // By a shared secret (PasswordBasedMac, PBMAC1).
  bool is_mac_protected() const;

  // RFC 9483 3.2, 3.3: signed by the first of the extra certificates, which must be the sender's by name and key
  // identifier and may sign. Whether it is to be trusted is the caller's to judge. Errors: bad_signature, untrusted (no
  // certificate), wrong_key (another sender's), unsupported (protection by MAC, weak algorithm).
  Result<Certificate> verify_signer() const;

 private:
  CmpMessage() = default;
  CmpHeader header_;
  CmpBody body_ = CmpBody::error;
  Bytes content_, protected_part_, algorithm_, signature_;
  std::vector<Certificate> extra_certificates_;
};

// Writes a message with `content` as its body, signed by the key of `chain`'s first certificate; the chain goes along,
// then `more`. The sender of `header` is passed over: it is the signer.
Result<Bytes> make_cmp_message(const CmpHeader& header, CmpBody body, ByteView content,
                               std::span<const Certificate> chain, const PrivateKey& key,
                               std::span<const Certificate> more = {});
// A GeneralName with the subject of a certificate, or with a name (empty: NULL-DN).
Result<Bytes> general_name(const Name& name);

// --- requests: bodies of ir, cr, kur, p10cr, rr, certConf, pollReq, genm

struct CmpCertificateRequest {
  int id = 0;  // certReqId; -1 for p10cr
  Csr csr;
  // kur: the certificate to be replaced, where the request names it.
  std::optional<std::string> old_serial_hex;
};
// Exactly one request with its proof of possession. raVerified counts as one only where `ra_may_verify`, that is, when
// a registration authority signed the message. Errors: malformed, unsupported, bad_signature (proof of possession).
Result<CmpCertificateRequest> read_cmp_request(const CmpMessage&, bool ra_may_verify);

struct CmpRevocationRequest {
  Name issuer;
  std::string serial_hex;
  // nullopt: a reason that is none of ours, or removeFromCRL.
  std::optional<RevocationReason> reason;
  bool release = false;  // removeFromCRL: a hold is to end
};
Result<CmpRevocationRequest> read_cmp_revocation(const CmpMessage&);

struct CmpConfirmation {
  int id = 0;
  Bytes hash;
  bool accepted = true;
};
// nullopt: an empty certConf, which rejects (RFC 4210 5.3.18).
Result<std::optional<CmpConfirmation>> read_cmp_confirmation(const CmpMessage&);
// Whether the hash of a confirmation, by its size, is the certificate's SHA-256, -384 or -512.
bool is_hash_of(ByteView hash, const Certificate&);

Result<int> read_cmp_poll(const CmpMessage&);
// The dotted OIDs asked about.
Result<std::vector<std::string>> read_cmp_general(const CmpMessage&);

// The content of ir, cr or kur: a request for `key`, which signs it as proof of possession.
Result<Bytes> cmp_request(const Name& subject, const PrivateKey& key, const std::vector<std::string>& dns_names,
                          const std::vector<std::string>& uris);
// The same by a registration authority for `key`, which has proven its possession (raVerified).
Result<Bytes> cmp_ra_request(const Name& subject, const PublicKey& key, const std::vector<std::string>& dns_names,
                             const std::vector<std::string>& uris);
Result<Bytes> cmp_confirmation(const Certificate&, int id, const CmpStatusInfo&);
Bytes cmp_poll(int id);
// rr. A hold is taken from registration authorities only.
Bytes cmp_revocation(const Certificate&, RevocationReason);
// The same for a certificate that is known by its number; without a reason, removeFromCRL. Errors: malformed.
Result<Bytes> cmp_revocation(const Name& issuer, std::string_view serial_hex, std::optional<RevocationReason>);
// genm: one question without a value.
Result<Bytes> cmp_question(std::string_view oid);

// --- answers: bodies of ip, cp, kup, rp, pkiConf, pollRep, genp, error

struct CmpCertificateAnswer {
  int id = 0;
  CmpStatusInfo status;
  std::optional<Certificate> certificate;
  std::vector<Certificate> ca_certificates;  // caPubs
};
Bytes cmp_certificate_answer(const CmpCertificateAnswer&);
Result<CmpCertificateAnswer> read_cmp_answer(const CmpMessage&);

struct CmpPollAnswer {
  int id = 0;
  std::int64_t check_after = 0;  // seconds
};
Bytes cmp_poll_answer(const CmpPollAnswer&);
Result<CmpPollAnswer> read_cmp_poll_answer(const CmpMessage&);

Bytes cmp_revocation_answer(const CmpStatusInfo&);
Result<CmpStatusInfo> read_cmp_revocation_answer(const CmpMessage&);
Bytes cmp_pki_conf();
Bytes cmp_error(const CmpStatusInfo&);
Result<CmpStatusInfo> read_cmp_error(const CmpMessage&);

// genp: one piece of information; `value` is DER, or empty for none.
Result<Bytes> cmp_general_answer(std::string_view oid, ByteView value);
inline constexpr std::string_view oid_cmp_ca_certificates = "1.3.6.1.5.5.7.4.17";
inline constexpr std::string_view oid_cmp_root_update = "1.3.6.1.5.5.7.4.18";
inline constexpr std::string_view oid_cmp_request_template = "1.3.6.1.5.5.7.4.19";
inline constexpr std::string_view oid_cmp_root_certificate = "1.3.6.1.5.5.7.4.20";
Bytes cmp_ca_certificates(std::span<const Certificate>);
// What a genp tells of that kind. Errors: malformed.
Result<std::vector<Certificate>> read_cmp_ca_certificates(const CmpMessage&);
// RFC 9483 4.3.2: the new root, and how it hangs together with the old one.
Bytes cmp_root_update(const Certificate& new_with_new, const Certificate& new_with_old,
                      const Certificate& old_with_new);
// RFC 9483 4.3.3: what a request should hold: the subject's attributes that are known, the others empty.
Result<Bytes> cmp_request_template(const Name& subject);

}  // namespace cahn::crypto
