// What a device that stays has to do for its LDevID, and when (RFC 8995 9.1.3): renew it when two thirds of its life
// are over, and get a new one as at the first time when it ran out. Pure logic: who asks it does the work and says how
// it went.
//
//   issued              2/3                    end
//     ├── nothing ───────┼── renew, again and ──┼── onboard_again
//                        │   again if it fails  │
//
// A device whose clock is behind renews all the same: two thirds of what was left when it began to look, by a clock
// that only goes forward. Threads: not safe for several.

#pragma once

#include <chrono>
#include <functional>

#include "base/time.h"
#include "crypto/certificate.h"

namespace cahn::brski {

class Upkeep {
 public:
  using Uptime = std::chrono::steady_clock::time_point;
  enum class Task { nothing, renew, onboard_again };

  // `clock` must outlive it. `uptime` is for tests; empty: the steady clock.
  explicit Upkeep(const Clock& clock, std::function<Uptime()> uptime = {});

  // The LDevID the device has had since before it was switched on.
  void found(const crypto::Certificate& ldevid);
  // One that was issued just now: a validity that began in the past, as CAs have it for clocks that differ, does not
  // make it old.
  void issued(const crypto::Certificate& ldevid);
  // The task that was due failed: it is due again after 1 min, 2 min, … 1 h, but in time to try a few times more before
  // the end.
  void failed();

  Task due() const;

 private:
  void begin(Time from, Time end);

  const Clock& clock_;
  const std::function<Uptime()> uptime_;
  Time renewal_{}, end_{};
  Uptime renewal_by_uptime_{}, not_before_{};  // both: not sooner than that
  int failures_ = 0;
};

}  // namespace cahn::brski
