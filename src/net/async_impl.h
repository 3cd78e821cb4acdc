// The template part of async.h; include that.

#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <future>
#include <type_traits>
#include <utility>

namespace cahn::net {
namespace detail {

// Not use_future: that needs a T with a default constructor, which a Result of a Certificate is not.
template <typename T>
awaitable<void> fulfil(std::shared_ptr<std::promise<T>> promise, std::function<awaitable<T>()> task) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task();
      promise->set_value();
    } else {
      promise->set_value(co_await task());
    }
  } catch (...) {
    promise->set_exception(std::current_exception());
  }
}

}  // namespace detail

template <typename T>
T run_blocking(Runtime& runtime, std::function<awaitable<T>()> task) {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  boost::asio::co_spawn(fresh_strand(runtime.executor()), detail::fulfil<T>(std::move(promise), std::move(task)),
                        boost::asio::detached);
  return future.get();
}

}  // namespace cahn::net
