// Who may pass which port: the answers of the Authoriser, what the authenticator says of each station, and the cuts
// between the two. Pure state; the gate follows it.
//
//   Authoriser permits ── settle ──▶ permitted ─┐
//   hostapd: AP-STA-CONNECTED ──────▶ joined ───┴─▶ may_pass, until the permit runs out or a cut takes both away
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "bearer/bearer.h"

namespace cahn::bearer::dot1x {

// A link address on a port: the same address on another port is another station.
struct Station {
  std::string port;     // interface name
  std::string address;  // lower case with colons
  friend auto operator<=>(const Station&, const Station&) = default;
};

class Sessions {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  static constexpr std::size_t max_stations = 8192;
  static constexpr std::size_t max_stations_per_device = 8;
  // A re-authentication may take this long past the end of a session before the gate shuts.
  static constexpr std::chrono::seconds reauthentication_grace{30};

  // Taken before the Authoriser is asked, so that an answer which a cut has overtaken is not used.
  using Ticket = std::uint64_t;
  Ticket ask() const;
  // Records the Authoriser's answer. True when the station is permitted now; false for a refusal, for a permit that was
  // overtaken by a cut of the same device, and when there is no room for another station.
  bool settle(const Station&, const JoinAnswer&, Ticket, Instant now);

  // The authenticator's word. The device that the station was last permitted as, empty if none.
  std::string joined(const Station&);
  std::string left(const Station&);
  // The authenticator of this port is gone and its sessions with it. The stations that had joined.
  std::vector<Station> left_all(const std::string& port);

  // Takes permit and session of every station of `device`, which are returned.
  std::vector<Station> cut(const std::string& device);

  bool may_pass(const Station&, Instant now) const;
  std::vector<Station> passing(Instant now) const;
  // Joined stations whose permit has run out; they are no longer permitted after this call.
  std::vector<Station> expire(Instant now);
  // The stations that `device` was last seen at, permitted or not.
  std::vector<Station> stations_of(const std::string& device) const;
  void clear();

 private:
  struct Entry {
    std::string device;
    bool permitted = false;
    bool joined = false;
    Instant until;
    std::uint64_t touched = 0;  // order of the last answer
  };
  bool make_room(const Station&, const std::string& device);

  mutable std::mutex mutex_;
  std::map<Station, Entry> entries_;
  std::map<std::string, std::uint64_t> cuts_;  // device → order of its last cut; entries of answered tickets are pruned
  std::uint64_t order_ = 0;
};

}  // namespace cahn::bearer::dot1x
