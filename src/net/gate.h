// A door that is opened once, by anyone, and that coroutines wait at for a time. Inside `net` only.
//
// Threads: all members from any thread.

#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "net/async.h"

namespace cahn::net {

class Gate : public std::enable_shared_from_this<Gate> {
 public:
  explicit Gate(const Executor& executor);
  void open();
  bool is_open() const { return open_.load(std::memory_order_acquire); }
  // True when it is open, false when the time is over. One waiter at a time.
  awaitable<bool> wait(std::chrono::steady_clock::duration at_most);

 private:
  Executor strand_;  // of the timer, which is not safe for threads by itself
  boost::asio::steady_timer timer_;
  std::atomic<bool> open_ = false;
};

}  // namespace cahn::net
