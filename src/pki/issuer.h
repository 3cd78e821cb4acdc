// The Issuer seam: turns a checked request into a certificate. Ours in this process (DomainCa), in its own process, or
// an upstream CA: whoever asks does not know which.
//
// Threads: called from any I/O thread; may suspend, must not block it.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/csr.h"

namespace cahn::pki {

enum class PkiError {
  bad_request,     // the CSR is malformed or its signature does not hold
  not_permitted,   // well-formed, but asks for what it may not have: CA, another subject, cmcRA
  not_authorized,  // the asker may not enrol (now)
  unknown_label,
  unavailable,     // store or upstream CA gone
  server_refused,  // client side: the server said no; the message carries its status and text
  not_offered,     // client side: the server does not know the operation (404, 405, 501)
  bad_answer,      // client side: what came back is no certificate of ours
  undecided        // not now, perhaps later: the server answers 202 with Retry-After (RFC 7030 4.2.3)
};
std::string_view error_name(PkiError);
// What a client calls an HTTP status that is none of success: not_offered, unavailable or server_refused.
PkiError error_of_status(int http_status);

enum class Profile { ldevid, registrar, radius_server, router, masa, tls_server, ocsp_signer };

struct IssueRequest {
  crypto::Csr csr;
  Profile profile = Profile::ldevid;
  crypto::Name subject;  // decided by the registration authority, not by the CSR
  std::vector<std::string> dns_names, uris, ip_addresses;
};

struct IssuedCertificate {
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> chain;  // issuing CA up to the root, without the certificate itself
};

class Issuer {
 public:
  virtual ~Issuer() = default;
  // The certificate is durable (recorded) before this completes.
  virtual boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) = 0;
  // The CA certificates a client should trust (EST cacerts), root last.
  virtual std::vector<crypto::Certificate> ca_certificates() const = 0;
  // What bridges a change of the CA's key (RFC 7030 4.1.3, RFC 4210 4.4): roots that retired but are still valid, and
  // the certificates of the old key under the new one and of the new key under the old.
  virtual std::vector<crypto::Certificate> rollover_certificates() const { return {}; }
};

}  // namespace cahn::pki
