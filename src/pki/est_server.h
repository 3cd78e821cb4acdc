// EST (RFC 7030, RFC 8951) as routes on an HTTPS server: cacerts, csrattrs, simpleenroll, simplereenroll and, where it
// is wanted, serverkeygen. Who may enrol, and as whom, is asked of an EnrolmentAuthority: EST itself knows
// certificates, not vouchers.

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
  // CMP's rr: `client` signed the request to revoke the certificate of this serial number for good.
  // Unless an authority says otherwise, nobody may.
  virtual net::awaitable<Result<void>> may_revoke(std::vector<crypto::Certificate> /*client*/,
                                                  std::string /*serial_hex*/) {
    co_return fail(PkiError::not_authorized, "revocation by request is not offered here");
  }
  // After the issue, before the answer leaves: record it (the pair IDevID-LDevID). An error withholds the certificate.
  virtual net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                                bool renewal) = 0;
};

struct EstOptions {
  // What csrattrs asks for, in the form of csr_attributes.h; empty: 204. A request that lacks one of them is refused
  // (RFC 8995 5.9.2), unless the check is switched off.
  std::vector<std::string> csr_attribute_oids;
  bool check_csr_attributes = true;
  bool enrolment = true;                 // off: only cacerts and csrattrs (BRSKI-AE: devices enrol by CMP)
  std::chrono::seconds retry_after{10};  // sent with 202 and 503
  std::string label;                     // RFC 7030 3.2.2: a further CA or profile beside the one without a label
  // Every request must be linked with its TLS session by tls-unique (RFC 7030 3.5). TLS 1.3 has none, so that it is
  // refused here (decision 71). Without this, a request that is linked is checked all the same.
  bool require_pop_linking = false;
  bool server_keys = false;     // serverkeygen: makes keys for devices that cannot
  std::size_t line_length = 0;  // of base64 answers; 0: one line, which strongSwan needs
  // HTTP Basic (RFC 7030 3.2.3), off unless given: who a client without a certificate may enrol as. An error
  // not_authorized is answered 401. `enrolled` of the authority is then called with an empty chain.
  std::function<net::awaitable<Result<EnrolmentGrant>>(std::string user, std::string password, crypto::Csr csr)>
      password_authority;
};

// Adds /.well-known/est/… (with a label /.well-known/est/<label>/…) to `router`; may be called once for every label.
// `issuer` and `authority` must outlive it.
//
// simpleenroll refuses a CSR for the very key of the client's certificate (decision 9: fresh key); simplereenroll takes
// the old key or a new one, and refuses another subject (RFC 7030 4.2.2). fullcmc is answered 501, and so is
// serverkeygen when it is off; unknown labels 404.
void add_est_routes(net::Router& router, Issuer& issuer, EnrolmentAuthority& authority, EstOptions options = {});

}  // namespace cahn::pki
