// The house's words for asynchronous work: awaitables, executors, and the runtime that carries them.
//
// A role makes one Runtime; its threads (one per core by default) run one io_context. Each connection lives on a strand
// of its own, so that a coroutine never runs in two threads at once; what connections share is guarded or immutable.

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace cahn::net {

using boost::asio::awaitable;
using Executor = boost::asio::any_io_executor;

class Runtime {
 public:
  // `threads` 0: one per core.
  explicit Runtime(unsigned threads = 0);
  ~Runtime();  // stop() and join
  Executor executor();
  boost::asio::io_context& context();
  // Runs until SIGTERM or SIGINT (then calls `on_stop` as a coroutine, at most `grace`, and returns), or until stop().
  // SIGHUP calls on_reload if there is one. on_ready is called once no signal can be missed: who says earlier that it
  // is ready may be killed by the SIGTERM that answers. The calling thread is one of the runtime's.
  void run(std::function<awaitable<void>()> on_stop, std::chrono::seconds grace = std::chrono::seconds(5),
           std::function<void()> on_reload = {}, const std::function<void()>& on_ready = {});
  // Starts the threads without waiting for signals: tests and benches.
  void start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Runs a coroutine detached on `executor`. An exception out of it is a bug: it is logged with `name` and the process
// aborts.
void spawn(const Executor& executor, awaitable<void> task, std::string_view name);
// As spawn, on a fresh strand of `executor`.
void spawn_on_strand(const Executor& executor, std::function<awaitable<void>()> task, std::string_view name);
// A new strand on the threads of `executor`, which belongs to a Runtime and may be a strand itself: strands do not
// nest.
Executor fresh_strand(const Executor& executor);
awaitable<void> sleep_for(std::chrono::steady_clock::duration);
// Blocks the calling thread (which must not be the runtime's) until the coroutine is done. For main(), tests and tools.
template <typename T>
T run_blocking(Runtime&, std::function<awaitable<T>()>);

}  // namespace cahn::net

#include "net/async_impl.h"
