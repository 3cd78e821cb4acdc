#include "discovery/candidates.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace cahn::discovery {
namespace {

bool is_same(const Service& a, const Service& b) { return a.address == b.address && a.port == b.port; }

}  // namespace

double random_fraction() {
  const Bytes random = random_bytes(4);
  std::uint32_t number = 0;
  std::memcpy(&number, random.data(), sizeof number);
  return number / 4294967296.0;
}

Candidates::Candidates(const Clock& clock, CandidateOptions options) : clock_(clock), options_(std::move(options)) {}

Candidates::Entry* Candidates::find(const Candidate& candidate) {
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return is_same(entry.candidate.service, candidate.service); });
  return found == entries_.end() ? nullptr : &*found;
}

// A link full of false registrars must not fill the memory of a small device, nor keep a true one out: the weakest goes
// that failed most often.
bool Candidates::make_room(int strength) {
  if (entries_.size() < max_candidates) return true;
  const Time now = clock_.now();
  const auto worst = std::ranges::min_element(entries_, {}, [&](const Entry& entry) {
    return std::tuple(entry.gone_at > now, entry.candidate.strength, -entry.failures);
  });
  const bool stays = worst->gone_at > now && (worst->candidate.strength > strength ||
                                              (worst->candidate.strength == strength && worst->failures == 0));
  if (!stays) entries_.erase(worst);
  return !stays;
}

bool Candidates::offer(Candidate candidate) {
  const Time now = clock_.now();
  const Time gone_at = candidate.lifetime ? now + *candidate.lifetime : Time::max();
  if (Entry* const known = find(candidate)) {
    const bool back = known->gone_at <= now;
    // Announced in two ways, it is as strong as the stronger and stays as long as the longer.
    if (back || candidate.strength >= known->candidate.strength) known->candidate = std::move(candidate);
    known->gone_at = back ? gone_at : std::max(known->gone_at, gone_at);
    return back;
  }
  if (!make_room(candidate.strength)) return false;
  entries_.push_back({.candidate = std::move(candidate), .gone_at = gone_at});
  return true;
}

bool Candidates::precedes(const Entry& a, const Entry& b) const {
  if (options_.order == Order::round_robin && a.tried != b.tried) return a.tried < b.tried;
  return a.candidate.strength > b.candidate.strength;
}

std::optional<Candidate> Candidates::next() {
  const Time now = clock_.now();
  Entry* best = nullptr;
  for (Entry& entry : entries_) {
    if (entry.aside_until > now || entry.gone_at <= now) continue;
    if (best == nullptr || precedes(entry, *best)) best = &entry;
  }
  if (best == nullptr) return std::nullopt;
  best->tried = ++tries_;
  return best->candidate;
}

std::vector<Candidate> Candidates::ranked() const {
  const Time now = clock_.now();
  std::vector<const Entry*> present;
  for (const Entry& entry : entries_)
    if (entry.gone_at > now) present.push_back(&entry);
  std::ranges::sort(present, [&](const Entry* a, const Entry* b) {
    const Time a_aside = std::max(a->aside_until, now), b_aside = std::max(b->aside_until, now);
    if (a_aside != b_aside) return a_aside < b_aside;
    return precedes(*a, *b) || (!precedes(*b, *a) && a < b);  // of equals, the one offered first
  });
  std::vector<Candidate> candidates;
  for (const Entry* entry : present) candidates.push_back(entry->candidate);
  return candidates;
}

void Candidates::failed(const Candidate& candidate) {
  Entry* const entry = find(candidate);
  if (entry == nullptr) return;
  auto pause = options_.first_pause;
  for (int i = 0; i < entry->failures && pause < options_.longest_pause; ++i) pause *= 2;
  pause = std::min(pause, options_.longest_pause);
  if (options_.jitter) {
    const double shorter = static_cast<double>(pause.count()) / 2 * options_.jitter();
    pause -= std::chrono::milliseconds(static_cast<std::int64_t>(shorter));
  }
  entry->aside_until = clock_.now() + pause;
  ++entry->failures;
}

void Candidates::succeeded(const Candidate& candidate) {
  Entry* const entry = find(candidate);
  if (entry == nullptr) return;
  entry->failures = 0;
  entry->aside_until = Time{};
}

void Candidates::link_changed(std::string_view interface) {
  for (Entry& entry : entries_) {
    const std::string& found_on = entry.candidate.service.interface;  // empty: on none in particular
    if (!interface.empty() && !found_on.empty() && found_on != interface) continue;
    entry.failures = 0;
    entry.aside_until = Time{};
  }
}

std::optional<Time> Candidates::next_try_at() const {
  const Time now = clock_.now();
  std::optional<Time> first;
  for (const Entry& entry : entries_) {
    const Time at = std::max(entry.aside_until, now);
    if (entry.gone_at > at && (!first || at < *first)) first = at;
  }
  return first;
}

}  // namespace cahn::discovery
