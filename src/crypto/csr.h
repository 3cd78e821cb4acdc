// Certificate requests: PKCS#10 (RFC 2986), and those of CRMF (RFC 4211) that come in CMP messages.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/certificate.h"

struct stack_st_X509_EXTENSION;
struct X509_name_st;
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
  // A CertReqMsg of CRMF, likewise with its proof of possession: a signature by its key, or the word of the
  // registration authority that sends it (raVerified), where that counts. Errors: the same.
  static Result<Csr> from_crmf(ByteView, bool ra_may_verify = false);
  static constexpr std::size_t max_octets = 64 << 10;

  bool is_crmf() const { return is_crmf_; }
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
  // Whether the object of this dotted OID occurs: as an attribute of the subject, an attribute of the request, an
  // extension that is asked for, the algorithm or curve of the key, or the algorithm of the signature. What EST's
  // csrattrs may ask for (RFC 7030 4.5.2).
  bool mentions(std::string_view oid) const;

 private:
  Csr(Bytes der, PublicKey key) : der_(std::move(der)), key_(std::move(key)) {}
  Result<void> read_extensions(const stack_st_X509_EXTENSION*);
  void note_subject(const X509_name_st*);
  void note_objects(const X509_req_st&);
  Bytes der_;
  PublicKey key_;
  Name subject_;
  bool is_crmf_ = false;
  bool requests_ca_ = false;
  bool requests_certificate_signing_ = false;
  std::vector<std::string> extended_key_usage_, dns_names_, uris_, objects_;
  std::optional<std::string> challenge_password_;
};

}  // namespace cahn::crypto
