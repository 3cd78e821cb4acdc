// DNS-SD over mDNS, through the avahi daemon of this host: announcing one service and finding others.
//
// Threads: callbacks come on discovery's own thread and must not block.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace cahn::discovery {

enum class DiscoveryError {
  daemon_unavailable,
  name_collision,
  nothing_found,
  bad_argument,
  malformed,    // what a stranger sent cannot be read
  not_a_flood,  // a message of GRASP that is none of our business
  no_socket     // the host gave none, or no interface to use it on
};
std::string_view error_name(DiscoveryError);

inline constexpr std::string_view registrar_service = "_brski-registrar._tcp";
inline constexpr std::string_view registrar_cmp_service = "_brski-reg-cmp._tcp";  // RFC 9733 5.1: one that speaks CMP
inline constexpr std::string_view proxy_service = "_brski-proxy._tcp";

struct Service {
  std::string instance;
  std::string host;     // "registrar.local"
  std::string address;  // text; an IPv6 link-local address carries its zone: "fe80::1%eth0"
  std::uint16_t port = 0;
  std::string interface;
  std::vector<std::string> txt;
  friend bool operator==(const Service&, const Service&) = default;
};

// Announces until destroyed; renames itself on collision; re-announces when the daemon comes back.
class Announcement {
 public:
  static Result<std::unique_ptr<Announcement>> start(std::string instance, std::string_view service_type,
                                                     std::uint16_t port, std::vector<std::string> txt = {});
  virtual ~Announcement() = default;
};

// Looks until `enough` answers or `patience` is over; returns what was found (may be empty only as nothing_found).
// Blocks: call from a tool's main thread or a worker, never from an I/O thread.
Result<std::vector<Service>> browse(std::string_view service_type, std::chrono::milliseconds patience,
                                    std::size_t enough = 1);

}  // namespace cahn::discovery
