// EST (RFC 7030, RFC 8951) as routes on an HTTPS server: cacerts, csrattrs, simpleenroll, simplereenroll. Who may
// enrol, and as whom, is asked of an EnrolmentAuthority: EST itself knows certificates, not vouchers.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "net/http.h"
#include "pki/issuer.h"

namespace cahn::pki {

// What the authority decided for one enrolment.
struct EnrolmentGrant {
  crypto::Name subject;           // the subject the certificate will have
  std::vector<std::string> uris;  // its SANs
  Profile profile = Profile::ldevid;
};

class EnrolmentAuthority {
 public:
  virtual ~EnrolmentAuthority() = default;
  // simpleenroll: `client` is the TLS client's certificate chain (proof of possession by TLS). Error not_authorized
  // (its message goes to the client and must say no more than it may know) is answered 403, undecided 202 with
  // Retry-After, unavailable 503.
  virtual net::awaitable<Result<EnrolmentGrant>> may_enrol(std::vector<crypto::Certificate> client,
                                                           crypto::Csr csr) = 0;
  // simplereenroll: `client` is the certificate to be renewed.
  virtual net::awaitable<Result<EnrolmentGrant>> may_reenrol(std::vector<crypto::Certificate> client,
                                                             crypto::Csr csr) = 0;
  // After the issue, before the answer leaves: record it (the pair IDevID-LDevID). An error withholds the certificate.
  virtual net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                                bool renewal) = 0;
};

struct EstOptions {
  std::vector<std::string> csr_attribute_oids;  // what csrattrs asks for; empty: 204
  std::chrono::seconds retry_after{10};         // sent with 202 and 503
};

// Adds /.well-known/est/… to `router`. `issuer` and `authority` must outlive it.
//
// simpleenroll refuses a CSR for the very key of the client's certificate (decision 9: fresh key); simplereenroll takes
// the old key or a new one, and refuses another subject (RFC 7030 4.2.2). fullcmc and serverkeygen are answered 501,
// labels 404. A challengePassword is not compared with tls-unique, which TLS 1.3 does not have (decision 71).
void add_est_routes(net::Router& router, Issuer& issuer, EnrolmentAuthority& authority, EstOptions options = {});

}  // namespace cahn::pki
