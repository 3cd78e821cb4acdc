#include "net/async.h"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;

std::string what_of(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

// The completion of a detached task: there is nobody to tell, and going on with half a task done is worse than a
// restart.
struct AbortOnException {
  std::string name;
  void operator()(std::exception_ptr exception) const {
    if (!exception) return;
    log::error("NET_TASK_FAILED", "a background task ended with an exception",
               {{"task", name}, {"what", what_of(exception)}});
    std::abort();
  }
};

unsigned thread_count(unsigned wanted) {
  return wanted != 0 ? wanted : std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

struct Runtime::Impl {
  explicit Impl(unsigned count)
      : threads_wanted(thread_count(count)), context(static_cast<int>(threads_wanted)), work(context.get_executor()) {}

  void work_on_context() {
    try {
      context.run();
    } catch (...) {
      AbortOnException{"runtime"}(std::current_exception());
    }
  }
  void start_threads(unsigned count) {
    const std::lock_guard lock(mutex);
    while (threads.size() < count) threads.emplace_back([this] { work_on_context(); });
  }
  void join() {
    const std::lock_guard lock(mutex);
    for (auto& thread : threads) thread.join();
    threads.clear();
  }

  unsigned threads_wanted;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::mutex mutex;  // guards threads
  std::vector<std::thread> threads;
};

Runtime::Runtime(unsigned threads) : impl_(std::make_unique<Impl>(threads)) {}

Runtime::~Runtime() {
  stop();
  impl_->join();
}

Executor Runtime::executor() { return impl_->context.get_executor(); }
boost::asio::io_context& Runtime::context() { return impl_->context; }
void Runtime::start() { impl_->start_threads(impl_->threads_wanted); }
void Runtime::stop() { impl_->context.stop(); }

namespace {

awaitable<void> stop_in_order(Runtime* runtime, std::function<awaitable<void>()> on_stop) {
  if (on_stop) {
    auto task = on_stop();
    co_await std::move(task);
  }
  runtime->stop();
}

awaitable<void> stop_at_last(Runtime* runtime, std::chrono::seconds grace) {
  co_await sleep_for(grace);
  log::warning("NET_STOP_FORCED", "not everything under way was finished within the grace of a stop");
  runtime->stop();
}

// Signals that come from the making of the set on wait for the coroutine that asks for them.
using Signals = std::shared_ptr<asio::signal_set>;

awaitable<void> watch_for_stop(Runtime* runtime, Signals signals, std::function<awaitable<void>()> on_stop,
                               std::chrono::seconds grace) {
  const auto [failure, number] = co_await signals->async_wait(asio::as_tuple(asio::use_awaitable));
  if (failure) co_return;
  log::info("NET_STOPPING", "asked to stop", {{"signal", number == SIGINT ? "SIGINT" : "SIGTERM"}});
  spawn_on_strand(runtime->executor(), [runtime, on_stop] { return stop_in_order(runtime, on_stop); }, "stop");
  spawn_on_strand(runtime->executor(), [runtime, grace] { return stop_at_last(runtime, grace); }, "stop at last");
  // A second signal does not wait for anything.
  co_await signals->async_wait(asio::as_tuple(asio::use_awaitable));
  runtime->stop();
}

awaitable<void> watch_for_reload(Signals signals, std::function<void()> on_reload) {
  for (;;) {
    const auto [failure, number] = co_await signals->async_wait(asio::as_tuple(asio::use_awaitable));
    if (failure) co_return;
    on_reload();
  }
}

}  // namespace

void Runtime::run(std::function<awaitable<void>()> on_stop, std::chrono::seconds grace, std::function<void()> on_reload,
                  const std::function<void()>& on_ready) {
  // A log line into a closed pipe must not end the process; sockets are written with MSG_NOSIGNAL anyway.
  std::signal(SIGPIPE, SIG_IGN);
  const auto stops = std::make_shared<asio::signal_set>(fresh_strand(executor()), SIGTERM, SIGINT);
  spawn(stops->get_executor(), watch_for_stop(this, stops, std::move(on_stop), grace), "signals");
  if (on_reload) {
    const auto reloads = std::make_shared<asio::signal_set>(fresh_strand(executor()), SIGHUP);
    spawn(reloads->get_executor(), watch_for_reload(reloads, std::move(on_reload)), "reload");
  }
  if (on_ready) on_ready();
  impl_->start_threads(impl_->threads_wanted - 1);
  impl_->work_on_context();
  impl_->join();
}

void spawn(const Executor& executor, awaitable<void> task, std::string_view name) {
  asio::co_spawn(executor, std::move(task), AbortOnException{std::string(name)});
}

void spawn_on_strand(const Executor& executor, std::function<awaitable<void>()> task, std::string_view name) {
  // co_spawn keeps the function alive until its coroutine is done, so that a lambda's captures may be used in it.
  asio::co_spawn(fresh_strand(executor), std::move(task), AbortOnException{std::string(name)});
}

Executor fresh_strand(const Executor& executor) {
  auto& context = static_cast<asio::io_context&>(asio::query(executor, asio::execution::context));
  return asio::make_strand(context);
}

awaitable<void> sleep_for(std::chrono::steady_clock::duration duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace cahn::net
