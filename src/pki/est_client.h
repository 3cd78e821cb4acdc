// The client's half of EST, on a connection the caller already has (RFC 8995 5.9: the same one the voucher came over).

#pragma once

#include "net/http.h"
#include "pki/issuer.h"

namespace cahn::pki {

net::awaitable<Result<std::vector<crypto::Certificate>>> est_cacerts(net::HttpConnection&);
// Dotted OIDs asked for; empty on 204 and 404.
net::awaitable<Result<std::vector<std::string>>> est_csrattrs(net::HttpConnection&);
// The issued certificate; its key must be the CSR's (bad_answer otherwise). 202 is undecided, with the Retry-After in the
// message: the same request may be sent again. A refusal (4xx) is server_refused, a server in trouble (5xx) unavailable.
net::awaitable<Result<crypto::Certificate>> est_enroll(net::HttpConnection&, const Bytes& csr_der, bool reenroll,
                                                       std::string label = {});

}  // namespace cahn::pki
