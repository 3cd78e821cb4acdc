// Issuers whose CA is elsewhere: this process is the registration authority, with a certificate that has id-kp-cmcRA,
// and asks an upstream CA by EST or CMP. What comes back is checked against what was granted before anybody gets it.
//
// A CA that has not decided is asked again about the same request when our own client comes again: until then issue()
// answers undecided. What the CA says in a refusal is for our log; the client learns that it refused.
//
// Threads: safe from any thread.

#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "crypto/chain.h"
#include "crypto/tls.h"
#include "net/http.h"
#include "pki/issuer.h"

namespace cahn::pki {

struct UpstreamOptions {
  // EST: https://host[:port], with a label https://host/label. CMP: the whole URL its messages are posted to; http:
  // will do, because the messages are signed.
  std::string url;
  crypto::TlsIdentity identity;                      // ours: TLS client certificate (EST), signer of the messages (CMP)
  crypto::TrustStore tls_anchors;                    // of the CA's HTTPS server
  crypto::TrustStore ca_anchors;                     // where what it issues, and who signs its CMP answers, must lead
  std::vector<crypto::Certificate> ca_certificates;  // what clients are told to trust, issuing CA first, root last
  net::ClientLimits limits{.response = std::chrono::seconds(20)};
  // CMP: while the CA cannot be reached, or has forgotten a request, issue() answers undecided, so that clients come
  // again with what they have (BRSKI-AE 4.1: store and forward); else unavailable.
  bool wait_while_away = false;
  std::size_t max_pending = 1000;                       // CMP: requests the CA has not decided
  std::chrono::seconds pending = std::chrono::days(4);  // and for how long (decision 5)
};

// EST takes the client's own PKCS#10 and nothing else: requests of CMP's other kind, and requests whose subject is not
// what was granted, are refused (not_permitted).
Result<std::unique_ptr<Issuer>> est_issuer(UpstreamOptions, const Clock& clock = system_clock());

// CMP sends a client's PKCS#10 on as it is (p10cr) where it asks for just what was granted; else a request of our own
// (cr) for subject, names and key, with our word that the client has the key (raVerified).
Result<std::unique_ptr<Issuer>> cmp_issuer(UpstreamOptions, const Clock& clock = system_clock());

// What both check of a certificate that came back. Errors: bad_answer.
Result<void> check_upstream_certificate(const crypto::Certificate& issued, const IssueRequest& request,
                                        const UpstreamOptions& options, Time now);

// What a client learns of it when the upstream CA issued nothing; the whole of it is logged, unless it is only
// undecided. undecided stays, server_refused becomes not_permitted, all else unavailable.
std::unexpected<Error> upstream_failure(const std::string& url, const Error& error);

}  // namespace cahn::pki
