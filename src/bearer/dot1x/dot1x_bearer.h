// Wired 802.1X: hostapd as the authenticator, FreeRADIUS as its server, nftables as the port gate, and us as the one
// who decides. Nothing of the three lets anyone in without our yes, and what they do while we are away is refuse.
//
//   supplicant ◀─EAPOL─▶ hostapd ◀─RADIUS─▶ FreeRADIUS ──HTTP──▶ our endpoint ──▶ Authoriser
//                            │ AP-STA-CONNECTED                       │ permit
//                            └──────────▶ PortController ◀────────────┘
//                                              └──▶ gate (netdev ingress, drop)
//
// A permit opens the gate for one link address on one port. On a port with a hub behind it, or to whoever unplugs the
// device and takes over its address, that is a door: a wire without MACsec binds frames to no key. What limits it: the
// port, the length of a session, and the session's end with the link (see docs/dot1x.md).

#pragma once

#include <memory>

#include "bearer/bearer.h"
#include "bearer/dot1x/options.h"
#include "net/async.h"

namespace cahn::bearer::dot1x {

// Nothing is started yet. The programs and the gate belong to the network namespace of this process and need its
// CAP_NET_ADMIN and CAP_NET_RAW. Errors: bad_configuration.
Result<std::unique_ptr<Bearer>> make_bearer(net::Executor, Options);

}  // namespace cahn::bearer::dot1x
