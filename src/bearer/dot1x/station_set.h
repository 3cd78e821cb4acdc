// The kernel's list of the stations that pass the gate.

#pragma once

#include <span>

#include "base/result.h"
#include "bearer/dot1x/sessions.h"

namespace cahn::bearer::dot1x {

// Threads: one thread at a time; calls take well under a millisecond.
class StationSet {
 public:
  virtual ~StationSet() = default;
  // From the return on, frames of the station pass, until the lease runs out. Idempotent; starts the lease anew.
  virtual Result<void> admit(const Station&) = 0;
  // From the return on, they do not. A station that is not in the set is fine.
  virtual Result<void> expel(const Station&) = 0;
  // Starts the lease of all of these anew, without a moment in which they do not pass.
  virtual Result<void> renew(std::span<const Station>) = 0;
  // Shuts the gate for everyone.
  virtual Result<void> clear() = 0;
};

}  // namespace cahn::bearer::dot1x
