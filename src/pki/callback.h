// Awaiting work that is started at once and answers by a callback from another thread.

#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "base/result.h"

namespace cahn::pki {

// Calls `start` with a function that takes the outcome, once, from any thread (also from within `start`), and completes
// with it on the awaiting coroutine's own executor.
inline boost::asio::awaitable<Result<void>> await_callback(
    std::function<void(std::function<void(Result<void>)>)> start) {
  auto initiate = [](auto handler, std::function<void(std::function<void(Result<void>)>)> begin) {
    auto executor = boost::asio::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = boost::asio::make_work_guard(executor);
    begin([shared, executor, work](Result<void> outcome) {
      boost::asio::post(executor, [shared, outcome = std::move(outcome)]() mutable { (*shared)(std::move(outcome)); });
    });
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<void>)>(
      initiate, boost::asio::use_awaitable, std::move(start));
}

}  // namespace cahn::pki
