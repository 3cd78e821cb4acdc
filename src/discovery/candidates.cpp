#include "discovery/candidates.h"

#include <algorithm>

namespace cahn::discovery {
namespace {

// A link full of false registrars must not fill the memory of a small device.
constexpr std::size_t max_candidates = 256;

bool is_same(const Service& a, const Service& b) { return a.address == b.address && a.port == b.port; }

}  // namespace

Candidates::Candidates(const Clock& clock, std::chrono::seconds first_pause, std::chrono::seconds longest_pause)
    : clock_(clock), first_pause_(first_pause), longest_pause_(longest_pause) {}

void Candidates::offer(Candidate candidate) {
  const auto known = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return is_same(entry.candidate.service, candidate.service); });
  if (known != entries_.end()) {
    known->candidate = std::move(candidate);
    return;
  }
  if (entries_.size() >= max_candidates) {
    const auto weakest =
        std::ranges::min_element(entries_, {}, [](const Entry& entry) { return entry.candidate.strength; });
    if (weakest->candidate.strength >= candidate.strength) return;
    entries_.erase(weakest);
  }
  entries_.push_back({std::move(candidate), 0, 0, Time{}});
}

std::optional<Candidate> Candidates::next() {
  const Time now = clock_.now();
  Entry* best = nullptr;
  for (Entry& entry : entries_) {
    if (entry.aside_until > now) continue;
    if (best == nullptr || entry.tried < best->tried ||
        (entry.tried == best->tried && entry.candidate.strength > best->candidate.strength))
      best = &entry;
  }
  if (best == nullptr) return std::nullopt;
  best->tried = ++tries_;
  return best->candidate;
}

void Candidates::failed(const Candidate& candidate) {
  for (Entry& entry : entries_) {
    if (!is_same(entry.candidate.service, candidate.service)) continue;
    auto pause = first_pause_;
    for (int i = 0; i < entry.failures && pause < longest_pause_; ++i) pause *= 2;
    entry.aside_until = clock_.now() + std::min(pause, longest_pause_);
    ++entry.failures;
  }
}

void Candidates::succeeded(const Candidate& candidate) {
  for (Entry& entry : entries_) {
    if (!is_same(entry.candidate.service, candidate.service)) continue;
    entry.failures = 0;
    entry.aside_until = Time{};
  }
}

std::optional<Time> Candidates::next_try_at() const {
  if (entries_.empty()) return std::nullopt;
  const auto first = std::ranges::min_element(entries_, {}, &Entry::aside_until);
  return std::max(first->aside_until, clock_.now());
}

}  // namespace cahn::discovery
