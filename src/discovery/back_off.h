// The pauses of whoever asks actively: they double up to an hour, and begin anew with a link (RFC 8995 4.1).

#pragma once

#include <algorithm>
#include <chrono>

namespace cahn::discovery {

class BackOff {
 public:
  using Pause = std::chrono::milliseconds;
  explicit BackOff(Pause first, Pause longest = std::chrono::hours(1)) : first_(first), longest_(longest) {}
  // How long to wait before the next asking.
  Pause next() {
    const Pause pause = pause_;
    pause_ = std::min(2 * pause_, longest_);
    return pause;
  }
  void begin_anew() { pause_ = first_; }

 private:
  const Pause first_, longest_;
  Pause pause_ = first_;
};

}  // namespace cahn::discovery
