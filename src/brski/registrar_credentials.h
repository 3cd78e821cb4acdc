// HTTP authentication towards a MASA (RFC 8995 5.4): Basic (RFC 7617), and Digest with SHA-256 (RFC 7616).
//
// Not here: Digest with MD5, which RFC 7616 keeps for old servers only, and SCRAM.
//
// Threads: pure functions.

#pragma once

#include <string>
#include <string_view>

#include "brski/registrar_options.h"

namespace cahn::brski {

std::string basic_authorization(const MasaCredentials& credentials);

// The Authorization for one request after a 401 with this WWW-Authenticate. `uri` is path and query as sent. Errors:
// masa_failed: no Digest challenge of a kind we can answer.
Result<std::string> digest_authorization(const MasaCredentials& credentials, std::string_view challenge,
                                         std::string_view method, std::string_view uri, std::string_view client_nonce);

// "user:password" on one line, as in the file the operator keeps (0600). Errors: bad_option.
Result<MasaCredentials> parse_credentials(std::string_view text);

}  // namespace cahn::brski
