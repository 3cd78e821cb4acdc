// Time. Inside, a point in time is a `Time` (UTC, microseconds); outside it is RFC 3339 text. Nothing reads the
// system's clock except through a `Clock`, so that a test can set it. Durations of waiting use the steady clock of Asio
// instead.

#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cahn {

using Time = std::chrono::sys_time<std::chrono::microseconds>;

enum class TimeError { bad_rfc3339 };
std::string_view error_name(TimeError);

// "2026-03-01T12:00:00Z"; with `fraction`, "2026-03-01T12:00:00.123456Z".
std::string rfc3339(Time, bool fraction = false);
// RFC 3339 5.6 with any offset and up to nine digits of fraction (cut to microseconds); a leap second reads as the
// next.
Result<Time> parse_rfc3339(std::string_view);

// Threads: implementations may be asked from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

const Clock& system_clock();

// A clock for tests: stands still until it is set or advanced.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start) : now_(start.time_since_epoch().count()) {}
  Time now() const override { return Time(std::chrono::microseconds(now_.load())); }
  void set(Time t) { now_ = t.time_since_epoch().count(); }
  void advance(std::chrono::microseconds d) { now_ += d.count(); }

 private:
  std::atomic<std::int64_t> now_;
};

}  // namespace cahn
