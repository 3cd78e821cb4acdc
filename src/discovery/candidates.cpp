#include "discovery/candidates.h"

#include <algorithm>

namespace cahn::discovery {
namespace {

constexpr std::size_t max_candidates = 256;  // whoever floods a link with services must not flood us

bool same_place(const Service& a, const Service& b) {
  return a.address == b.address && a.port == b.port && a.interface == b.interface;
}

}  // namespace

Candidates::Candidates(const Clock& clock, std::chrono::seconds first_pause, std::chrono::seconds longest_pause)
    : clock_(clock), first_pause_(first_pause), longest_pause_(longest_pause) {}

void Candidates::offer(Candidate candidate) {
  const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return same_place(entry.candidate.service, candidate.service);
  });
  if (known != entries_.end())
    known->candidate = std::move(candidate);
  else if (entries_.size() < max_candidates)
    entries_.push_back({.candidate = std::move(candidate), .aside_until = {}});
}

std::optional<Candidate> Candidates::next() {
  const Time now = clock_.now();
  Entry* best = nullptr;
  for (Entry& entry : entries_) {
    if (entry.aside_until > now) continue;
    // Round-robin before strength: each is tried once before one is tried again (L723).
    const bool earlier = best && entry.tried != best->tried && (entry.tried == 0 || best->tried == 0)
                             ? entry.tried == 0
                             : best && entry.tried < best->tried;
    const bool stronger = best && entry.tried == best->tried && entry.candidate.strength > best->candidate.strength;
    if (!best || earlier || stronger) best = &entry;
  }
  if (!best) return std::nullopt;
  best->tried = ++tries_;
  return best->candidate;
}

void Candidates::failed(const Candidate& candidate) {
  for (Entry& entry : entries_) {
    if (!same_place(entry.candidate.service, candidate.service)) continue;
    std::chrono::seconds pause = first_pause_;
    for (int i = 0; i < entry.failures && pause < longest_pause_; ++i) pause *= 2;
    ++entry.failures;
    entry.aside_until = clock_.now() + std::min(pause, longest_pause_);
  }
}

void Candidates::succeeded(const Candidate& candidate) {
  for (Entry& entry : entries_) {
    if (!same_place(entry.candidate.service, candidate.service)) continue;
    entry.failures = 0;
    entry.aside_until = {};
  }
}

std::optional<Time> Candidates::next_try_at() const {
  std::optional<Time> earliest;
  for (const Entry& entry : entries_)
    if (!earliest || entry.aside_until < *earliest) earliest = entry.aside_until;
  return earliest;
}

}  // namespace cahn::discovery
