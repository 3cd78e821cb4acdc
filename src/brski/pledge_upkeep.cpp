#include "brski/pledge_upkeep.h"

#include <algorithm>

namespace cahn::brski {
namespace {

using std::chrono::microseconds;

constexpr microseconds first_retry = std::chrono::minutes(1);
constexpr microseconds longest_retry = std::chrono::hours(1);
constexpr microseconds shortest_retry = std::chrono::seconds(1);
constexpr int tries_before_the_end = 8;
constexpr microseconds longest_uptime = std::chrono::days(36'500);  // a steady clock counts nanoseconds

}  // namespace

Upkeep::Upkeep(const Clock& clock, std::function<Uptime()> uptime)
    : clock_(clock), uptime_(uptime ? std::move(uptime) : [] { return std::chrono::steady_clock::now(); }) {}

void Upkeep::found(const crypto::Certificate& ldevid) { begin(ldevid.not_before(), ldevid.not_after()); }

void Upkeep::issued(const crypto::Certificate& ldevid) {
  begin(std::clamp(clock_.now(), ldevid.not_before(), ldevid.not_after()), ldevid.not_after());
}

void Upkeep::begin(Time from, Time end) {
  const microseconds life = std::max(end - from, microseconds(0));
  renewal_ = from + life / 3 * 2;
  end_ = end;
  // Not later than two thirds of its life from here on, whatever the clock says: it may have been 1970 at the start.
  const microseconds left = std::clamp(end - clock_.now(), microseconds(0), std::min(life, longest_uptime));
  renewal_by_uptime_ = uptime_() + left / 3 * 2;
  not_before_ = Uptime::min();
  failures_ = 0;
}

void Upkeep::failed() {
  microseconds pause = first_retry;
  for (int i = 0; i < failures_ && pause < longest_retry; ++i) pause *= 2;
  const microseconds left = end_ - clock_.now();
  pause = std::min(pause, longest_retry);
  if (left > microseconds(0)) pause = std::min(pause, left / tries_before_the_end);
  not_before_ = uptime_() + std::max(pause, shortest_retry);
  ++failures_;
}

Upkeep::Task Upkeep::due() const {
  const Time now = clock_.now();
  const Uptime up = uptime_();
  if (now < renewal_ && up < renewal_by_uptime_) return Task::nothing;
  if (up < not_before_) return Task::nothing;
  return now >= end_ ? Task::onboard_again : Task::renew;
}

}  // namespace cahn::brski
