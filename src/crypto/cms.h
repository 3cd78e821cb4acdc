// CMS SignedData (RFC 5652) as vouchers use it (RFC 8366 5.4), and the certs-only form that EST answers with.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/revocation.h"

namespace cahn::crypto {

inline constexpr std::string_view oid_id_data = "1.2.840.113549.1.7.1";
inline constexpr std::string_view oid_anima_json_voucher = "1.2.840.113549.1.9.16.1.40";

// Signs `content` (encapsulated, binary, with signed attributes and signing time) as one SignerInfo by `signer`'s key.
// `include` are further certificates to carry (the signer's own is always carried). Without `signing_time` it is the
// system's. Returns DER. Errors: wrong_key, unsupported (Ed25519, which OpenSSL 3.0's CMS lacks).
Result<Bytes> cms_sign(ByteView content, std::string_view content_type_oid, const Certificate& signer,
                       const PrivateKey& key, std::span<const Certificate> include = {},
                       std::optional<Time> signing_time = std::nullopt);

class SignedMessage {
 public:
  // Parses BER of at most 1 MiB with exactly one SignerInfo and encapsulated content; certificates and signed
  // attributes must be DER (RFC 5652 5.3), what is around them need not. Finds the signer's certificate in it and
  // verifies the signature with that certificate's key. The chain is not checked here: use verify_chain with
  // certificates(). At most 20 certificates are carried; signed attributes must be there. Errors: malformed (says
  // what), unsupported, bad_signature, untrusted (signer's certificate neither carried nor among `known_signers`).
  static Result<SignedMessage> verify(ByteView ber, std::span<const Certificate> known_signers = {});

  const std::string& content_type() const { return content_type_; }  // dotted OID of eContentType
  const Bytes& content() const { return content_; }
  const Certificate& signer() const { return signer_; }
  const std::vector<Certificate>& certificates() const { return certificates_; }  // all carried, signer included
  const std::optional<Time>& signing_time() const { return signing_time_; }

 private:
  explicit SignedMessage(Certificate signer) : signer_(std::move(signer)) {}
  std::string content_type_;
  Bytes content_;
  Certificate signer_;
  std::vector<Certificate> certificates_;
  std::optional<Time> signing_time_;
};

// Degenerate SignedData that only carries certificates (RFC 7030 4.1.3), DER.
Result<Bytes> certs_only(std::span<const Certificate>);
// Reads BER too, as SignedMessage::verify.
Result<std::vector<Certificate>> certs_from_certs_only(ByteView ber);

// What a SignedData of either kind carries beside its certificates about their revocation (RFC 5652 10.2.1): at most 20
// lists and OCSP responses (RFC 5940 2.2). Nothing of it is believed yet. Errors: malformed.
Result<RevocationEvidence> revocation_in_cms(ByteView ber);

}  // namespace cahn::crypto
