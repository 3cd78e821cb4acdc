// OCSP (RFC 6960, RFC 5019): requests as a responder reads them and its answers; and what a client asks and reads.
//
// Threads: OcspRequest is immutable and safe to share; the rest are functions of their arguments.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/crl.h"

struct ocsp_request_st;

namespace cahn::crypto {

// Which certificate is asked about: its serial number, and its issuer by hashes of name and key.
struct OcspCertId {
  int digest = 0;  // OpenSSL's number of a hash; SHA-1 or SHA-2
  Bytes issuer_name_hash, issuer_key_hash;
  std::string serial_hex;
  bool is_issued_by(const Certificate& issuer) const;
};

class OcspRequest {
 public:
  static constexpr std::size_t max_octets = 16 << 10;
  static constexpr std::size_t max_certificates = 32;
  static constexpr std::size_t max_nonce = 128;  // RFC 9654 2.1

  // One DER request for 1 to 32 certificates with a nonce of at most 128 octets, if any. A signature on it is passed
  // over: anybody may ask. Errors: malformed.
  static Result<OcspRequest> from_der(ByteView);

  const std::vector<OcspCertId>& certificates() const { return certificates_; }
  const std::optional<Bytes>& nonce() const { return nonce_; }
  ocsp_request_st* handle() const { return handle_.get(); }  // borrowed

 private:
  OcspRequest() = default;
  std::shared_ptr<ocsp_request_st> handle_;
  std::vector<OcspCertId> certificates_;
  std::optional<Bytes> nonce_;
};

struct OcspAnswer {
  enum class Status { good, revoked, unknown };
  Status status = Status::unknown;
  Time revoked_at{};                                        // revoked only
  RevocationReason reason = RevocationReason::unspecified;  // revoked only
};

struct OcspResponseSpec {
  std::vector<OcspAnswer> answers;  // one for each certificate of the request, in its order
  Time this_update;
  Time next_update;
};

// DER of a successful response, signed by `signer`, whose certificate goes with it, and with the request's nonce.
// `signer` is the CA that issued the certificates or one whom it delegated (RFC 6960 4.2.2.2).
Result<Bytes> make_ocsp_response(const OcspRequest&, const OcspResponseSpec&, const Certificate& signer,
                                 const PrivateKey& key);

// Responses that say only why there is none (RFC 6960 4.2.1); they are not signed.
enum class OcspFailure { malformed_request = 1, internal_error = 2, try_later = 3, unauthorized = 6 };
Bytes make_ocsp_failure(OcspFailure);

// --- the client

// The request for one certificate, in DER; its identifier by SHA-1, as every responder knows it (RFC 5019 2.1.1).
// `nonce`: 1 to 128 octets, or none.
Result<Bytes> make_ocsp_request(const Certificate& about, const Certificate& issuer, ByteView nonce = {});

// What a response says of one certificate, and how long it may be believed.
struct OcspStanding {
  OcspAnswer::Status status = OcspAnswer::Status::unknown;
  Time this_update, next_update;
};
inline constexpr std::size_t max_ocsp_response = std::size_t{64} << 10;
// Reads a response in DER of at most 64 KiB: its signer is the issuer of `about`, or whom the issuer delegated
// (RFC 6960 4.2.2.2), and it is one of the present: `now` is between its thisUpdate (5 minutes earlier are forgiven)
// and its nextUpdate. One without nextUpdate is not taken: nobody could tell it from an old one. `nonce`: what was
// sent; a response with another one is refused, one without any is taken (RFC 5019 4). Errors: malformed,
// bad_signature, untrusted (not the issuer's, or silent on this certificate), expired.
Result<OcspStanding> read_ocsp_response(ByteView der, const Certificate& about, const Certificate& issuer, Time now,
                                        ByteView nonce = {});

}  // namespace cahn::crypto
