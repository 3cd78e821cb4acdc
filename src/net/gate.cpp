#include "net/gate.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cahn::net {
namespace {

namespace asio = boost::asio;

awaitable<void> wait_on_strand(std::shared_ptr<Gate> gate, asio::steady_timer* timer,
                               std::chrono::steady_clock::duration at_most) {
  if (gate->is_open()) co_return;
  timer->expires_after(at_most);
  co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace

Gate::Gate(const Executor& executor) : strand_(fresh_strand(executor)), timer_(strand_) {}

void Gate::open() {
  if (open_.exchange(true, std::memory_order_acq_rel)) return;
  asio::post(strand_, [self = shared_from_this()] { self->timer_.cancel(); });
}

awaitable<bool> Gate::wait(std::chrono::steady_clock::duration at_most) {
  const auto self = shared_from_this();
  if (!is_open()) {
    auto waiting = wait_on_strand(self, &timer_, at_most);
    co_await asio::co_spawn(strand_, std::move(waiting), asio::use_awaitable);
  }
  co_return is_open();
}

}  // namespace cahn::net
