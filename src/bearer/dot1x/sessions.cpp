#include "bearer/dot1x/sessions.h"

#include <algorithm>

namespace cahn::bearer::dot1x {
namespace {

// An answer comes within seconds; this many cuts cannot happen in between, so older ones are forgotten.
constexpr std::uint64_t remembered_orders = 100'000;
constexpr std::size_t prune_cuts_above = 10'000;

}  // namespace

Sessions::Ticket Sessions::ask() const {
  const std::lock_guard lock(mutex_);
  return order_;
}

bool Sessions::settle(const Station& station, const JoinAnswer& answer, Ticket ticket, Instant now) {
  const std::lock_guard lock(mutex_);
  const auto cut = cuts_.find(answer.device);
  const bool overtaken = cut != cuts_.end() && cut->second > ticket;
  const auto known = entries_.find(station);
  if (known == entries_.end()) {
    // A refused stranger leaves no trace: whoever holds any certificate of this CA could fill the table with addresses.
    if (answer.device.empty() || !make_room(station, answer.device)) return false;
  }
  Entry& entry = entries_[station];
  if (!answer.device.empty()) entry.device = answer.device;
  entry.permitted = answer.permit && !answer.device.empty() && !overtaken;
  entry.until = now + answer.session + reauthentication_grace;
  entry.touched = ++order_;
  return entry.permitted;
}

bool Sessions::make_room(const Station& station, const std::string& device) {
  // One device that changes its address at every attempt pushes out its own oldest stations, not those of others.
  std::vector<std::map<Station, Entry>::iterator> own;
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (it->second.device == device && it->first != station) own.push_back(it);
  if (own.size() >= max_stations_per_device) {
    const auto oldest = std::ranges::min_element(own, {}, [](const auto& it) {
      return std::pair(it->second.joined && it->second.permitted, it->second.touched);
    });
    if ((*oldest)->second.joined && (*oldest)->second.permitted) return false;
    entries_.erase(*oldest);
  }
  if (entries_.size() < max_stations) return true;
  const auto idle = std::ranges::min_element(entries_, {}, [](const auto& item) {
    return std::pair(item.second.joined && item.second.permitted, item.second.touched);
  });
  if (idle->second.joined && idle->second.permitted) return false;
  entries_.erase(idle);
  return true;
}

std::string Sessions::joined(const Station& station) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(station);
  if (it == entries_.end()) return {};  // never authorised by us: stays outside
  it->second.joined = true;
  return it->second.permitted ? it->second.device : std::string();
}

std::string Sessions::left(const Station& station) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(station);
  if (it == entries_.end()) return {};
  it->second.joined = false;
  return it->second.device;
}

std::vector<Station> Sessions::left_all(const std::string& port) {
  const std::lock_guard lock(mutex_);
  std::vector<Station> gone;
  for (auto& [station, entry] : entries_) {
    if (station.port != port || !entry.joined) continue;
    entry.joined = false;
    gone.push_back(station);
  }
  return gone;
}

std::vector<Station> Sessions::cut(const std::string& device) {
  const std::lock_guard lock(mutex_);
  cuts_[device] = ++order_;
  if (cuts_.size() > prune_cuts_above)
    std::erase_if(cuts_, [&](const auto& item) { return item.second + remembered_orders < order_; });
  std::vector<Station> stations;
  for (auto& [station, entry] : entries_) {
    if (entry.device != device) continue;
    entry.permitted = false;
    entry.joined = false;
    stations.push_back(station);
  }
  return stations;
}

bool Sessions::may_pass(const Station& station, Instant now) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(station);
  return it != entries_.end() && it->second.permitted && it->second.joined && now < it->second.until;
}

std::vector<Station> Sessions::passing(Instant now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Station> stations;
  for (const auto& [station, entry] : entries_)
    if (entry.permitted && entry.joined && now < entry.until) stations.push_back(station);
  return stations;
}

std::vector<Station> Sessions::expire(Instant now) {
  const std::lock_guard lock(mutex_);
  std::vector<Station> stations;
  for (auto& [station, entry] : entries_) {
    if (!entry.permitted || now < entry.until) continue;
    entry.permitted = false;
    if (entry.joined) stations.push_back(station);
  }
  return stations;
}

std::vector<Station> Sessions::stations_of(const std::string& device) const {
  const std::lock_guard lock(mutex_);
  std::vector<Station> stations;
  for (const auto& [station, entry] : entries_)
    if (entry.device == device) stations.push_back(station);
  return stations;
}

void Sessions::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

}  // namespace cahn::bearer::dot1x
