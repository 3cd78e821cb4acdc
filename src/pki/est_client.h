// The client's half of EST, on a connection the caller already has (RFC 8995 5.9: the same one the voucher came over).

#pragma once

#include "net/http.h"
#include "pki/issuer.h"

namespace cahn::pki {

net::awaitable<Result<std::vector<crypto::Certificate>>> est_cacerts(net::HttpConnection&);
// Dotted OIDs asked for; empty on 204 and 404.
net::awaitable<Result<std::vector<std::string>>> est_csrattrs(net::HttpConnection&);
// The issued certificate; its key must be the CSR's (bad_answer otherwise). 202 is answered server_refused for now,
// with the Retry-After in the message.
net::awaitable<Result<crypto::Certificate>> est_enroll(net::HttpConnection&, const Bytes& csr_der, bool reenroll);

}  // namespace cahn::pki
