// The list of networks, proxies or registrars to try (L716-759, RFC 8995 4.1): strongest first, a failing one set aside
// for a time of its own that doubles with each failure, up to a bound. Pure logic, no I/O; not safe for threads.
//
// What is here stays here until onboarding is over (RFC 8995 appendix B: "it picks up where it left off"), also past
// the lifetime of an announcement: it is not tried then, but its failures are remembered when it is announced again.

#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discovery/dns_sd.h"

namespace cahn::discovery {

struct Candidate {
  Service service;
  int strength = 0;           // larger is better: signal in dBm, or rank of how it was found
  std::string found_by = {};  // "GRASP", "mDNS", …: for people
  std::optional<std::chrono::milliseconds> lifetime = {};  // from now; nullopt: no end
};

enum class Order {
  round_robin,      // the least recently tried first, then the strongest: a device that looks for any way in
  strongest_first,  // the strongest that has not failed lately: a proxy, whose clients may come back to the same one
};

struct CandidateOptions {
  std::chrono::milliseconds first_pause = std::chrono::seconds(5);
  std::chrono::milliseconds longest_pause = std::chrono::hours(1);  // RFC 8995 4.1
  Order order = Order::round_robin;
  // A number from 0 to below 1 that shortens a pause by up to half, so that devices that were switched on together do
  // not come back together. Empty: pauses are exact.
  std::function<double()> jitter;
};

// Jitter from the kernel's generator.
double random_fraction();

class Candidates {
 public:
  explicit Candidates(const Clock& clock, CandidateOptions options = {.jitter = random_fraction});
  // Adds or refreshes; a refreshed one keeps its pause and its place in the order. True when it is new, or back.
  bool offer(Candidate);
  // The first in order that is not set aside; nullopt: none now.
  std::optional<Candidate> next();
  // All there are now, in order: first those that may be tried, then those set aside, the soonest first. Counts as no
  // try.
  std::vector<Candidate> ranked() const;
  // Each has its own pause: one that fails does not hold up another (RFC 8995 4.1).
  void failed(const Candidate&);
  void succeeded(const Candidate&);
  // The link of an interface (empty: all) came or changed: what failed before may work now (RFC 8995 4.1).
  void link_changed(std::string_view interface = {});
  // When next() could answer again; nullopt when there are no candidates at all.
  std::optional<Time> next_try_at() const;

  static constexpr std::size_t max_candidates = 256;

 private:
  struct Entry {
    Candidate candidate;
    std::uint64_t tried = 0;  // order of the last try, 0 never
    int failures = 0;
    Time aside_until{};
    Time gone_at = Time::max();
  };
  bool precedes(const Entry&, const Entry&) const;
  bool make_room(int strength);
  Entry* find(const Candidate&);

  const Clock& clock_;
  const CandidateOptions options_;
  std::vector<Entry> entries_;
  std::uint64_t tries_ = 0;
};

}  // namespace cahn::discovery
