// Awaiting a commit. The store itself knows no Asio; rooms that await include this (header only).

#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "store/event_log.h"

namespace cahn::store {

// Completes on the awaiting coroutine's own executor, after the batch is durable.
inline boost::asio::awaitable<Result<Committed>> commit(EventLog& log, Batch batch) {
  auto initiate = [&log](auto handler, Batch b) {
    auto executor = boost::asio::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = boost::asio::make_work_guard(executor);
    log.commit(std::move(b), [shared, executor, work](Result<Committed> result) {
      boost::asio::post(executor, [shared, result = std::move(result)]() mutable { (*shared)(std::move(result)); });
    });
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<Committed>)>(
      initiate, boost::asio::use_awaitable, std::move(batch));
}

}  // namespace cahn::store
