// PKCS#10 certificate requests (RFC 2986).

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/certificate.h"

struct X509_req_st;

namespace cahn::crypto {

struct CsrSpec {
  Name subject;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::optional<std::string> challenge_password;
  bool ask_for_ca = false;  // tests of refusals only
};

// DER, signed by `key`.
Result<Bytes> make_csr(const CsrSpec&, const PrivateKey& key);

class Csr {
 public:
  // Parses one DER request of at most 64 KiB and verifies its signature: a Csr always has proof of possession.
  // Errors: malformed, unsupported (key), bad_signature.
  static Result<Csr> from_der(ByteView);

  const Bytes& der() const { return der_; }
  const Name& subject() const { return subject_; }
  std::optional<std::string> subject_serial_number() const;
  const PublicKey& public_key() const { return key_; }
  bool requests_ca() const { return requests_ca_; }
  bool requests_certificate_signing() const {
    return requests_certificate_signing_;
  }  // keyUsage keyCertSign or cRLSign
  const std::vector<std::string>& extended_key_usage() const { return extended_key_usage_; }  // dotted OIDs
  const std::vector<std::string>& dns_names() const { return dns_names_; }
  const std::vector<std::string>& uris() const { return uris_; }
  const std::optional<std::string>& challenge_password() const { return challenge_password_; }

 private:
  Csr(Bytes der, PublicKey key) : der_(std::move(der)), key_(std::move(key)) {}
  Result<void> read_extensions(const X509_req_st&);
  Bytes der_;
  PublicKey key_;
  Name subject_;
  bool requests_ca_ = false;
  bool requests_certificate_signing_ = false;
  std::vector<std::string> extended_key_usage_, dns_names_, uris_;
  std::optional<std::string> challenge_password_;
};

}  // namespace cahn::crypto
