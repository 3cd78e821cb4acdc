#include "brski/masa_prepared.h"

#include <algorithm>
#include <iterator>

#include "base/bytes.h"

namespace cahn::brski {

void PreparedLogs::forget_old(Time now) {
  for (auto entry = kept_.begin(); entry != kept_.end();) {
    if (entry->second.until > now) {
      ++entry;
      continue;
    }
    octets_ -= entry->second.log.log.size();
    entry = kept_.erase(entry);
  }
}

std::string PreparedLogs::keep(PreparedLog log, Time now) {
  constexpr std::size_t name_octets = 32;
  const std::scoped_lock lock(mutex_);
  forget_old(now);
  const auto same = std::ranges::find_if(kept_, [&](const auto& entry) {
    const PreparedLog& known = entry.second.log;
    return known.device == log.device && known.domain == log.domain && known.log == log.log;
  });
  if (same != kept_.end()) {
    same->second.until = now + lifetime;
    return same->first;
  }
  while (!kept_.empty() && (kept_.size() >= max_logs || octets_ + log.log.size() > max_octets)) {
    const auto oldest = std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.until; });
    octets_ -= oldest->second.log.log.size();
    kept_.erase(oldest);
  }
  octets_ += log.log.size();
  std::string name = hex(random_bytes(name_octets));
  kept_.emplace(name, Kept{std::move(log), now + lifetime});
  return name;
}

std::optional<PreparedLog> PreparedLogs::find(std::string_view name, Time now) {
  const std::scoped_lock lock(mutex_);
  forget_old(now);
  const auto found = kept_.find(name);
  return found == kept_.end() ? std::nullopt : std::optional(found->second.log);
}

}  // namespace cahn::brski
