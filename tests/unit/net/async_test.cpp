#include "net/async.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <set>
#include <stdexcept>
#include <thread>

#include "net/gate.h"

namespace cahn::net {
namespace {

TEST(RuntimeTest, GivesBackWhatACoroutineReturns) {
  Runtime runtime(2);
  runtime.start();
  EXPECT_EQ(run_blocking<int>(runtime, []() -> awaitable<int> { co_return 42; }), 42);
  EXPECT_THROW(run_blocking<int>(runtime,
                                 []() -> awaitable<int> {
                                   throw std::runtime_error("out of it");
                                   co_return 0;
                                 }),
               std::runtime_error);
}

TEST(RuntimeTest, RunsUntilASignalAndStopsInOrder) {
  Runtime runtime(2);
  std::atomic<bool> stopped_in_order = false;
  spawn_on_strand(
      runtime.executor(),
      []() -> awaitable<void> {
        co_await sleep_for(std::chrono::milliseconds(50));
        ::kill(::getpid(), SIGTERM);
      },
      "kill");
  runtime.run([&]() -> awaitable<void> {
    co_await sleep_for(std::chrono::milliseconds(50));
    stopped_in_order = true;
  });
  EXPECT_TRUE(stopped_in_order);
}

TEST(RuntimeTest, HearsTheSignalThatAnswersItsReadiness) {
  for (const int number : {SIGTERM, SIGINT}) {
    Runtime runtime(2);
    std::atomic<bool> stopped_in_order = false;
    const auto on_stop = [&]() -> awaitable<void> {
      stopped_in_order = true;
      co_return;
    };
    runtime.run(on_stop, std::chrono::seconds(5), {}, [number] { ::kill(::getpid(), number); });
    EXPECT_TRUE(stopped_in_order);
  }
}

TEST(RuntimeTest, DoesNotWaitForeverForAStop) {
  Runtime runtime(2);
  spawn_on_strand(
      runtime.executor(),
      []() -> awaitable<void> {
        co_await sleep_for(std::chrono::milliseconds(50));
        ::kill(::getpid(), SIGTERM);
      },
      "kill");
  runtime.run([]() -> awaitable<void> { co_await sleep_for(std::chrono::hours(1)); }, std::chrono::seconds(1));
}

TEST(RuntimeTest, ReadsItsConfigurationAgainOnHangup) {
  Runtime runtime(1);
  std::atomic<int> reloads = 0;
  spawn_on_strand(
      runtime.executor(),
      [&]() -> awaitable<void> {
        for (int before = 0; before < 3; ++before) {
          co_await sleep_for(std::chrono::milliseconds(20));
          ::kill(::getpid(), SIGHUP);
          while (reloads == before) co_await sleep_for(std::chrono::milliseconds(1));
        }
        runtime.stop();
      },
      "hang up");
  runtime.run({}, std::chrono::seconds(1), [&] { ++reloads; });
  EXPECT_EQ(reloads, 3);
}

TEST(RuntimeDeathTest, AbortsWhenABackgroundTaskThrows) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Runtime runtime(1);
        spawn_on_strand(
            runtime.executor(),
            []() -> awaitable<void> {
              throw std::runtime_error("a bug");
              co_return;
            },
            "buggy task");
        runtime.run({});
      },
      "buggy task");
}

TEST(StrandTest, RunsOneAtATimeAndDoesNotNest) {
  Runtime runtime(4);
  runtime.start();
  const auto strand = fresh_strand(runtime.executor());
  EXPECT_NE(fresh_strand(strand), strand);
  int unguarded = 0;
  std::atomic<int> finished = 0;
  const auto count_up = [](int* value, std::atomic<int>* done) -> awaitable<void> {
    for (int i = 0; i < 1000; ++i) {
      ++*value;
      if (i % 100 == 0) co_await sleep_for(std::chrono::microseconds(1));
    }
    ++*done;
  };
  for (int i = 0; i < 8; ++i) spawn(strand, count_up(&unguarded, &finished), "count");
  while (finished < 8) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(unguarded, 8000);
}

TEST(GateTest, LetsAWaiterThroughOrGivesUp) {
  Runtime runtime(4);
  runtime.start();
  for (int i = 0; i < 200; ++i) {
    auto gate = std::make_shared<Gate>(runtime.executor());
    std::thread opener([&] { gate->open(); });
    const bool open = run_blocking<bool>(runtime, [&]() -> awaitable<bool> {
      const bool through = co_await gate->wait(std::chrono::hours(1));
      co_return through;
    });
    opener.join();
    EXPECT_TRUE(open);
  }
  auto shut = std::make_shared<Gate>(runtime.executor());
  EXPECT_FALSE(run_blocking<bool>(runtime, [&]() -> awaitable<bool> {
    const bool through = co_await shut->wait(std::chrono::milliseconds(10));
    co_return through;
  }));
}

}  // namespace
}  // namespace cahn::net
