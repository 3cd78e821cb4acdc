// The client's half of EST, on a connection the caller already has (RFC 8995 5.9: the same one the voucher came over).

#pragma once

#include <variant>

#include "crypto/revocation.h"
#include "net/http.h"
#include "pki/issuer.h"

namespace cahn::pki {

net::awaitable<Result<std::vector<crypto::Certificate>>> est_cacerts(net::HttpConnection&);
// What the server's certs-only message carries beside CA certificates: revocation lists and OCSP responses, of which
// nothing is believed yet. Errors: bad_answer, server_refused, unavailable.
net::awaitable<Result<crypto::RevocationEvidence>> est_revocation(net::HttpConnection&);
// Dotted OIDs asked for; empty on 204 and 404.
net::awaitable<Result<std::vector<std::string>>> est_csrattrs(net::HttpConnection&);
// What a client that enrols sends, and what it may be told.
struct EstQuestion {
  Bytes csr;              // PKCS#10, DER
  crypto::PublicKey key;  // the CSR's: a certificate for another is bad_answer
  bool reenroll = false;
  std::string label{};  // RFC 7030 3.2.2
};
struct EstLater {
  std::optional<std::chrono::seconds> retry_after;
};
using EstAnswer = std::variant<crypto::Certificate, EstLater>;
// Asks once. After EstLater the same question may be put again (RFC 7030 4.2.3). Errors: as est_enroll's.
net::awaitable<Result<EstAnswer>> est_ask(net::HttpConnection&, EstQuestion);

// The same for who does not wait, with a CSR that is read first (malformed). The issued certificate; its key must be
// the CSR's (bad_answer otherwise). 202 is undecided, with the Retry-After in the message: the same request may be sent
// again. A refusal (4xx) is server_refused, a server in trouble (5xx) unavailable, one without the operation (404, 405,
// 501) not_offered.
net::awaitable<Result<crypto::Certificate>> est_enroll(net::HttpConnection&, const Bytes& csr_der, bool reenroll,
                                                       std::string label = {});

}  // namespace cahn::pki
