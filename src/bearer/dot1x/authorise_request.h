// The door for what FreeRADIUS (rlm_rest, body 'json') asks at the end of every EAP-TLS handshake, and the answer to
// it.
//
//   {"User-Name": {"type": "string", "value": ["SN-1"]}, "TLS-Client-Cert-Serial": {"type": "string", "value":
//   ["0a1b"]}, …}
//
// Everything that starts with TLS-Client-Cert- was proven in the handshake; User-Name is what the station claims.

#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "bearer/bearer.h"

namespace cahn::bearer::dot1x {

inline constexpr std::size_t max_authorise_body = std::size_t{64} << 10;

// REQUIRES nothing of `body`. Errors: refused, with what was wrong.
// Refuses duplicate keys, an attribute of ours that is absent, repeated or of another type, control characters, and an
// identity that is neither the certificate's serialNumber nor "@realm" (decision 65).
Result<JoinRequest> parse_authorise_request(ByteView body);

// The reply attributes of a permit: how long the session lasts, and that its end means a new authentication, not a cut
// (RFC 2865 5.27, 5.29; RFC 3580 3.17, 3.19).
std::string permit_body(const JoinAnswer&);

// "86-62-24-E1-89-1B", colons or any case → "86:62:24:e1:89:1b". Errors: refused.
Result<std::string> normal_link_address(std::string_view text);

}  // namespace cahn::bearer::dot1x
