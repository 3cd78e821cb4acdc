// Lets a coroutine wait until a number of callbacks have come.
//
// Threads: all on one strand, whose executor it is given.

#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/async.h"

namespace cahn::assurance {

class Latch {
 public:
  Latch(const net::Executor& strand, std::size_t count)
      : timer_(strand, boost::asio::steady_timer::time_point::max()), count_(count) {}
  void count_down() {
    if (count_ > 0 && --count_ == 0) timer_.cancel();
  }
  net::awaitable<void> wait() {
    while (count_ > 0) co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }

 private:
  boost::asio::steady_timer timer_;
  std::size_t count_;
};

}  // namespace cahn::assurance
