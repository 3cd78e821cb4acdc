// Keeps a join proxy in step with its surroundings: tells it the registrars that are found, and announces it to pledges
// for as long as it knows one, because a proxy that can help nobody only costs pledges time.
//
// Registrars are looked for on trusted interfaces alone. What a stranger announces becomes an address that this host
// connects to for other strangers: believed from everywhere, it would open the network behind the proxy to them.
//
// Threads: one of its own.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "brski/proxy.h"

namespace cahn::brski {

struct AttendantOptions {
  std::vector<std::string> trusted;  // interfaces where registrars are looked for; none: only the configured ones
  std::vector<std::string> facing;   // interfaces where pledges are, for GRASP; none named: all
  bool mdns = true;                  // find by and announce by
  bool grasp = true;
  std::string instance = "CAHN proxy";  // name of the mDNS announcement
  std::chrono::seconds flood_period{60};
};

class ProxyAttendant {
 public:
  // `proxy` must outlive it.
  static std::unique_ptr<ProxyAttendant> start(Proxy& proxy, AttendantOptions);
  virtual ~ProxyAttendant() = default;
};

}  // namespace cahn::brski
