#include "tests/unit/store/store_contract.h"

#include <condition_variable>
#include <future>
#include <set>
#include <thread>

namespace cahn::store {
namespace {

// By value: a temporary inside a range-for's expression dies before the loop (until C++23 compilers).
std::vector<Event> events_of(Result<std::vector<Event>> read) { return std::move(read).value(); }

class AnyStore : public testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    place_ = GetParam().make_place();
    open();
  }
  void open() {
    store_.reset();
    auto opened = place_->open(clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  std::vector<std::string> payloads(Position from = 1, std::size_t limit = 1000) {
    std::vector<std::string> found;
    for (const Event& e : events_of(store_->read(from, limit))) found.push_back(to_string(e.payload));
    return found;
  }

  ManualClock clock_{Time(std::chrono::seconds(1'800'000'000))};
  std::unique_ptr<StorePlace> place_;
  std::unique_ptr<Store> store_;
};

TEST_P(AnyStore, StartsEmpty) {
  EXPECT_EQ(store_->last_position(), 0U);
  EXPECT_TRUE(store_->read(1, 10).value().empty());
  EXPECT_FALSE(store_->get("t", "k").value());
}

TEST_P(AnyStore, GivesPositionsFromOneWithoutGaps) {
  const auto first = store_->commit_and_wait({.events = {event("a", "1"), event("b", "2")}});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->first, 1U);
  EXPECT_EQ(first->last, 2U);
  EXPECT_EQ(store_->commit_and_wait(batch_of("3"))->first, 3U);
  EXPECT_EQ(store_->last_position(), 3U);
  const auto events = store_->read(2, 10).value();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].position, 2U);
  EXPECT_EQ(events[0].type, "b");
  EXPECT_EQ(events[0].committed_at, clock_.now());
  EXPECT_EQ(to_string(events[1].payload), "3");
}

TEST_P(AnyStore, ABatchOfTablesAloneHasNoPositions) {
  const auto committed = store_->commit_and_wait({.puts = {{"t", "k", to_bytes("v")}}});
  ASSERT_TRUE(committed);
  EXPECT_EQ(committed->first, 0U);
  EXPECT_EQ(store_->last_position(), 0U);
  EXPECT_EQ(to_string(*store_->get("t", "k").value()), "v");
}

TEST_P(AnyStore, TheOrderOfCallsIsTheOrderOfPositions) {
  constexpr int count = 2'000;
  std::vector<Position> positions;
  std::promise<void> all;
  for (int i = 0; i < count; ++i) {
    store_->commit(batch_of(std::to_string(i)), [&](Result<Committed> committed) {
      positions.push_back(committed.value().first);
      if (positions.size() == count) all.set_value();
    });
  }
  all.get_future().wait();
  const auto found = payloads(1, count);
  ASSERT_EQ(found.size(), std::size_t{count});
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(positions[i], Position(i + 1));
    EXPECT_EQ(found[i], std::to_string(i));
  }
}

TEST_P(AnyStore, AConflictWritesNothingAndLeavesItsNeighboursAlone) {
  ASSERT_TRUE(store_->commit_and_wait({.puts = {{"t", "taken", to_bytes("old")}}}));
  std::promise<void> all;
  std::vector<Result<Committed>> results;
  const auto keep = [&](Result<Committed> r) {
    results.push_back(std::move(r));
    if (results.size() == 4) all.set_value();
  };
  store_->commit(batch_of("before"), keep);
  store_->commit(
      {.events = {event("x", "refused")}, .puts = {{"t", "taken", to_bytes("new")}}, .absent = {{"t", "taken"}}}, keep);
  store_->commit({.events = {event("x", "first")}, .puts = {{"t", "fresh", {}}}, .absent = {{"t", "fresh"}}}, keep);
  // Sees what the batch before it did, also within one group.
  store_->commit({.events = {event("x", "again")}, .absent = {{"t", "fresh"}}}, keep);
  all.get_future().wait();
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().code, StoreError::conflict);
  ASSERT_TRUE(results[2]);
  EXPECT_EQ(results[2]->first, 2U);
  ASSERT_FALSE(results[3]);
  EXPECT_EQ(results[3].error().code, StoreError::conflict);
  EXPECT_EQ(payloads(), (std::vector<std::string>{"before", "first"}));
  EXPECT_EQ(to_string(*store_->get("t", "taken").value()), "old");
}

TEST_P(AnyStore, ErasesComeBeforePuts) {
  ASSERT_TRUE(store_->commit_and_wait({.puts = {{"t", "a", to_bytes("1")}, {"t", "b", to_bytes("1")}}}));
  ASSERT_TRUE(store_->commit_and_wait(
      {.puts = {{"t", "a", to_bytes("2")}}, .erases = {{"t", "a"}, {"t", "b"}, {"t", "none"}}}));
  EXPECT_EQ(to_string(*store_->get("t", "a").value()), "2");
  EXPECT_FALSE(store_->get("t", "b").value());
}

TEST_P(AnyStore, ScansAPrefixInOctetOrderInPages) {
  Batch batch;
  const std::string high = "p\xff", with_zero = std::string("p\0z", 3);
  for (const auto& key :
       {std::string("p2"), std::string("p1"), high, with_zero, std::string("o"), std::string("q"), std::string("p")}) {
    batch.puts.push_back({"t", key, to_bytes(key)});
  }
  batch.puts.push_back({"other", "p3", {}});
  ASSERT_TRUE(store_->commit_and_wait(batch));
  const auto keys = [](const auto& items) {
    std::vector<std::string> found;
    for (const auto& [key, value] : items) {
      EXPECT_EQ(to_string(value), key);
      found.push_back(key);
    }
    return found;
  };
  EXPECT_EQ(keys(store_->scan("t", "p", 100).value()), (std::vector<std::string>{"p", with_zero, "p1", "p2", high}));
  EXPECT_EQ(keys(store_->scan("t", "p", 2).value()), (std::vector<std::string>{"p", with_zero}));
  EXPECT_EQ(keys(store_->scan("t", "p", 2, with_zero).value()), (std::vector<std::string>{"p1", "p2"}));
  EXPECT_EQ(keys(store_->scan("t", "p", 2, high).value()), std::vector<std::string>{});
  EXPECT_EQ(store_->scan("t", "", 100).value().size(), 7U);
  EXPECT_TRUE(store_->scan("none", "", 100).value().empty());
}

TEST_P(AnyStore, HandsOutEveryRowOnceHoweverManyUntilTheTakerFails) {
  constexpr int count = 2500;
  Batch batch;
  for (int i = 0; i < count; ++i) batch.puts.push_back({"t", "p" + std::to_string(10'000 + i), {}});
  batch.puts.push_back({"t", "q", {}});
  ASSERT_TRUE(store_->commit_and_wait(batch));
  std::vector<std::string> keys;
  const auto collect = [&](const std::string& key, const Bytes&) -> Result<void> {
    keys.push_back(key);
    return {};
  };
  ASSERT_TRUE(each_row(*store_, "t", "p", collect));
  EXPECT_EQ(keys.size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(std::ranges::is_sorted(keys));
  EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
  int taken = 0;
  const auto stopped = each_row(*store_, "t", "", [&](const std::string&, const Bytes&) -> Result<void> {
    if (++taken == 1200) return fail(StoreError::corrupt, "this one");
    return {};
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "this one");
  EXPECT_EQ(taken, 1200);
}

TEST_P(AnyStore, KeepsAnyOctets) {
  const Bytes octets{0, 1, 0xff, 0, '\'', '"'};
  const std::string key = to_string(octets);
  ASSERT_TRUE(store_->commit_and_wait({.events = {{"t", octets}}, .puts = {{"t", key, octets}, {"t", "", {}}}}));
  EXPECT_EQ(store_->read(1, 1).value()[0].payload, octets);
  EXPECT_EQ(store_->get("t", key).value(), octets);
  EXPECT_EQ(store_->get("t", "").value(), Bytes{});
}

TEST_P(AnyStore, FindsEverythingAgainAfterItIsClosed) {
  ASSERT_TRUE(store_->commit_and_wait({.events = {event("a", "1")}, .puts = {{"t", "k", to_bytes("v")}}}));
  open();
  EXPECT_EQ(store_->last_position(), 1U);
  EXPECT_EQ(to_string(*store_->get("t", "k").value()), "v");
  EXPECT_EQ(store_->commit_and_wait(batch_of("2"))->first, 2U);
  EXPECT_EQ(payloads(), (std::vector<std::string>{"1", "2"}));
}

TEST_P(AnyStore, ClosingMakesDurableWhatWasAccepted) {
  std::atomic<int> answered = 0;
  for (int i = 0; i < 500; ++i) {
    store_->commit(batch_of(std::to_string(i)), [&](Result<Committed> r) { answered += r.has_value() ? 1 : 0; });
  }
  open();
  EXPECT_EQ(answered, 500);
  EXPECT_EQ(store_->last_position(), 500U);
}

TEST_P(AnyStore, TimesOfEventsNeverGoBack) {
  ASSERT_TRUE(store_->commit_and_wait(batch_of("1")));
  const Time before = clock_.now();
  clock_.set(before - std::chrono::hours(1));
  ASSERT_TRUE(store_->commit_and_wait(batch_of("2")));
  open();
  ASSERT_TRUE(store_->commit_and_wait(batch_of("3")));
  for (const Event& e : events_of(store_->read(1, 3))) EXPECT_EQ(e.committed_at, before);
}

TEST_P(AnyStore, WakesFollowersAfterEventsAndNotAfterTables) {
  std::mutex mutex;
  std::condition_variable woken;
  int calls = 0;
  const auto handle = store_->follow([&] {
    const std::scoped_lock lock(mutex);
    ++calls;
    woken.notify_all();
  });
  ASSERT_TRUE(store_->commit_and_wait({.puts = {{"t", "k", {}}}}));
  ASSERT_TRUE(store_->commit_and_wait(batch_of("1")));
  std::unique_lock lock(mutex);
  EXPECT_TRUE(woken.wait_for(lock, std::chrono::seconds(20), [&] { return calls > 0; }));
  EXPECT_EQ(calls, 1);
}

TEST_P(AnyStore, AFollowerReadsOnFromWhereItWasAndMissesNothing) {
  constexpr Position count = 500;
  std::mutex mutex;
  std::condition_variable woken;
  bool awake = true;
  const auto handle = store_->follow([&] {
    const std::scoped_lock lock(mutex);
    awake = true;
    woken.notify_all();
  });
  std::thread writer([&] {
    for (Position i = 1; i <= count; ++i) store_->commit(batch_of(std::to_string(i)), [](auto) {});
  });
  Position next = 1;
  while (next <= count) {
    {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(woken.wait_for(lock, std::chrono::seconds(60), [&] { return awake; })) << "stuck at " << next;
      awake = false;
    }
    for (const Event& e : events_of(store_->read(next, count))) {
      EXPECT_EQ(to_string(e.payload), std::to_string(next));
      next = e.position + 1;
    }
  }
  writer.join();
}

TEST_P(AnyStore, AFollowerThatLetGoIsNotCalledAgain) {
  std::atomic<int> calls = 0;
  auto handle = store_->follow([&] { ++calls; });
  handle.reset();
  ASSERT_TRUE(store_->commit_and_wait(batch_of("1")));
  open();  // joins the store's thread
  EXPECT_EQ(calls, 0);
}

TEST_P(AnyStore, AFollowerMayLetGoFromWithinItsCall) {
  std::shared_ptr<void> handle;
  std::atomic<int> calls = 0;
  handle = store_->follow([&] {
    ++calls;
    handle.reset();
  });
  ASSERT_TRUE(store_->commit_and_wait(batch_of("1")));
  ASSERT_TRUE(store_->commit_and_wait(batch_of("2")));
  open();
  EXPECT_EQ(calls, 1);
}

TEST_P(AnyStore, WhatWasAcknowledgedIsReadAtOnce) {
  for (int i = 0; i < 200; ++i) {
    const auto committed =
        store_->commit_and_wait({.events = {event("e", "x")}, .puts = {{"t", "k", to_bytes(std::to_string(i))}}});
    ASSERT_TRUE(committed);
    ASSERT_EQ(to_string(*store_->get("t", "k").value()), std::to_string(i));
    ASSERT_EQ(store_->read(committed->last, 10).value().size(), 1U);
    ASSERT_GE(store_->last_position(), committed->last);
  }
}

TEST_P(AnyStore, TakesCommitsAndReadsFromManyThreads) {
  constexpr int threads = 4, each = 300;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const auto events = store_->read(1, 10'000);
      ASSERT_TRUE(events) << events.error().message;
      for (std::size_t i = 0; i < events->size(); ++i) ASSERT_EQ((*events)[i].position, i + 1);
    }
  });
  std::vector<std::thread> writers;
  for (int t = 0; t < threads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        ASSERT_TRUE(store_->commit_and_wait(
            {.events = {event("e", name)}, .puts = {{"t", name, {}}}, .absent = {{"t", name}}}));
        ASSERT_TRUE(store_->get("t", name).value());
      }
    });
  }
  for (auto& writer : writers) writer.join();
  done = true;
  reader.join();
  const auto found = payloads(1, 10'000);
  EXPECT_EQ(std::set(found.begin(), found.end()).size(), std::size_t{threads * each});
}

TEST_P(AnyStore, RefusesAnEventThatIsTooLarge) {
  const auto committed = store_->commit_and_wait({.events = {{"big", Bytes((std::size_t{4} << 20) + 1)}}});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, StoreError::too_large);
  EXPECT_TRUE(store_->commit_and_wait({.events = {{"big", Bytes(std::size_t{4} << 20)}}}));
}

INSTANTIATE_TEST_SUITE_P(Every, AnyStore, testing::ValuesIn(implementations()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cahn::store
