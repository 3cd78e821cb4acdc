// Lets one line a second through and counts the others: what hostile peers cause must not fill logs. Inside `net` only.

#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace cahn::net {

class Throttle {
 public:
  // When a line may be written now: how many were held back since the last one.
  std::optional<std::uint64_t> pass() {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (now < next_) {
      ++held_back_;
      return std::nullopt;
    }
    next_ = now + std::chrono::seconds(1);
    return std::exchange(held_back_, 0);
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_{};
  std::uint64_t held_back_ = 0;
};

}  // namespace cahn::net
