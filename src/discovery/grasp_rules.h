// What a flood is worth: who may announce what, from where, and for how long. Pure logic, no I/O.
//
// Two instances of GRASP (RFC 8990 2.5.1, 2.5.2):
//   dull     unprotected: neighbours on one link only. A pledge hears AN_Proxy here.
//   trusted  a network that the operator names as trusted, in the place of the ACP: a proxy hears AN_join_registrar
//            there and nowhere else (RFC 8995 4.3; B-137). This host relays nothing between interfaces.

#pragma once

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "discovery/dns_sd.h"
#include "discovery/grasp.h"

namespace cahn::discovery::grasp {

using Ipv6 = std::array<std::uint8_t, 16>;

enum class Instance { dull, trusted };

struct Arrival {
  Ipv6 source{};
  std::string interface;
};

struct Heard {
  Service service;
  std::chrono::milliseconds lifetime;
  friend bool operator==(const Heard&, const Heard&) = default;
};

// An announcement is believed no longer than this, whatever its ttl; 0 means no end (RFC 8990 2.8.11).
inline constexpr std::chrono::milliseconds longest_lifetime = std::chrono::hours(1);

// The places that `flood` announces for `objective` and that may be tried; empty: none, or the flood must be discarded.
std::vector<Heard> places_in(const Flood& flood, const Arrival& arrival, Instance instance, std::string_view objective);

bool is_link_local(const Ipv6&);
std::string address_text(const Ipv6&);

// What was heard and has not expired. Not safe for threads.
class FloodCache {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  // True when a place is new or was gone. At most `max_places` are kept: the one heard longest ago makes room.
  bool take(const std::vector<Heard>&, Instant now);
  // Each with what is left of its lifetime.
  std::vector<Heard> current(Instant now) const;

  static constexpr std::size_t max_places = 64;

 private:
  struct Entry {
    Service service;
    Instant heard, expires;
  };
  std::vector<Entry> entries_;
};

}  // namespace cahn::discovery::grasp
