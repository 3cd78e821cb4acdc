// DNS-SD by ordinary DNS (RFC 6763 over unicast; RFC 8995 appendix B): PTR of <type>.<domain>, then SRV and TXT of each
// instance, then A and AAAA of its host. By libresolv, which is the host's own resolver: its servers, its search domain
// (what DHCP gave, RFC 8995 A.2), its retries. avahi's wide-area browsing would need its daemon for what is one
// question.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "discovery/dns_sd.h"

namespace cahn::discovery {

struct DnsOptions {
  std::string domain;  // empty: the host's search domain
  std::string server;  // IPv4 address and port of a server, for tests; empty: the host's
  std::uint16_t server_port = 53;
  unsigned seconds = 2;  // of one attempt at one question
  unsigned attempts = 2;
  std::function<bool()> give_up;  // asked between questions; may be empty
};

// Blocks for seconds: on a thread of its own. Errors: bad_argument (no domain), nothing_found, daemon_unavailable (no
// server answers), malformed.
Result<std::vector<Service>> browse_domain(std::string_view service_type, const DnsOptions&);

}  // namespace cahn::discovery
