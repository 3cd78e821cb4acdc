// Blocking work for a coroutine: runs on a thread of `pool`, the coroutine goes on where it was.

#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

#include "net/async.h"

namespace cahn::bearer::dot1x {

template <typename Work>
net::awaitable<std::invoke_result_t<Work>> run_on(boost::asio::thread_pool& pool, Work work) {
  using Value = std::invoke_result_t<Work>;
  auto body = [](Work inner) -> net::awaitable<Value> { co_return inner(); };
  net::awaitable<Value> running = body(std::move(work));
  co_return co_await boost::asio::co_spawn(pool.get_executor(), std::move(running), boost::asio::use_awaitable);
}

}  // namespace cahn::bearer::dot1x
