// The list of networks or registrars to try (L716-759): strongest first, round-robin, a failing one set aside for a
// time that doubles with each failure. Pure logic, no I/O.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "discovery/dns_sd.h"

namespace cahn::discovery {

struct Candidate {
  Service service;
  int strength = 0;  // larger is better: signal in dBm, or rank of how it was found
};

class Candidates {
 public:
  explicit Candidates(const Clock& clock, std::chrono::seconds first_pause = std::chrono::seconds(5),
                      std::chrono::seconds longest_pause = std::chrono::hours(1));
  // Adds or refreshes; a refreshed one keeps its pause.
  void offer(Candidate);
  // The strongest that is not set aside, among those least recently tried; nullopt: none now.
  std::optional<Candidate> next();
  void failed(const Candidate&);
  void succeeded(const Candidate&);
  // When next() could answer again; nullopt when there are no candidates at all.
  std::optional<Time> next_try_at() const;

 private:
  struct Entry {
    Candidate candidate;
    std::uint64_t tried = 0;  // order of the last try, 0 never
    int failures = 0;
    Time aside_until;
  };
  const Clock& clock_;
  std::chrono::seconds first_pause_, longest_pause_;
  std::vector<Entry> entries_;
  std::uint64_t tries_ = 0;
};

}  // namespace cahn::discovery
