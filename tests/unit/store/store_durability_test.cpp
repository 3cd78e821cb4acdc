// Decision 69: durability is shown by order. At the moment of each acknowledgement the test takes what a power cut
// would have left on the disk, opens that, and must find what was acknowledged.

#include <future>

#include "store/sqlite_store.h"
#include "tests/unit/base/temporary_folder.h"
#include "tests/unit/store/power_cut_vfs.h"
#include "tests/unit/store/store_contract.h"

namespace cahn::store {
namespace {

class APowerCut : public testing::Test {
 protected:
  APowerCut() : vfs_(test::PowerCutVfs::instance()) {
    options_.vfs = vfs_.name();
    options_.checkpoint_pages = 20;  // so that some cuts fall between and during checkpoints
    options_.checkpoint_now_pages = 60;
  }
  ~APowerCut() override { vfs_.fail_syncs(""); }

  std::unique_ptr<Store> open() { return open_sqlite_store(file_, system_clock(), options_).value(); }

  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "store.db";
  test::PowerCutVfs& vfs_;
  SqliteOptions options_;
};

TEST_F(APowerCut, AfterAnAcknowledgementLosesNothingThatWasAcknowledged) {
  constexpr int count = 150;
  auto store = open();
  std::vector<std::pair<std::filesystem::path, Position>> cuts;
  std::promise<void> all;
  for (int i = 0; i < count; ++i) {
    Batch batch = batch_of(std::string(2'000, 'p'));
    batch.puts.push_back({"t", std::to_string(i), to_bytes("v")});
    store->commit(std::move(batch), [&, i](Result<Committed> committed) {
      if (i % 5 == 0) {
        const auto remains = folder_ / ("cut" + std::to_string(i));
        vfs_.write_remains(file_, remains);
        cuts.emplace_back(remains, committed.value().last);
      }
      if (i == count - 1) all.set_value();
    });
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // several groups, not one
  }
  all.get_future().wait();
  store.reset();
  ASSERT_EQ(cuts.size(), std::size_t{count / 5});
  for (const auto& [remains, position] : cuts) {
    const auto after = Store::open(remains / "store.db");
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_GE((*after)->last_position(), position) << remains;
    EXPECT_TRUE((*after)->get("t", std::to_string(position - 1)).value());
    EXPECT_TRUE((*after)->read(1, 1'000));
  }
}

TEST_F(APowerCut, IsSeenByThisTestWhenNothingIsSynced) {
  // The test above would pass with a VFS that saw nothing: here the same machinery does lose what was not synced.
  auto store = open();
  ASSERT_TRUE(store->commit_and_wait(batch_of("1")));
  vfs_.fail_syncs("-wal");
  EXPECT_FALSE(store->commit_and_wait(batch_of("2")));
  vfs_.write_remains(file_, folder_ / "cut");
  const auto after = Store::open(folder_ / "cut/store.db");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ((*after)->last_position(), 1U);
}

TEST_F(APowerCut, ASyncThatFailsIsNotAcknowledgedAndTheNextOneIs) {
  auto store = open();
  ASSERT_TRUE(store->commit_and_wait(batch_of("1")));
  vfs_.fail_syncs("-wal");
  const auto failed = store->commit_and_wait(batch_of("lost"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, StoreError::unavailable);
  EXPECT_EQ(store->last_position(), 1U);
  vfs_.fail_syncs("");
  const auto next = store->commit_and_wait(batch_of("2"));
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->first, 2U);
  EXPECT_EQ(to_string(store->read(2, 1).value()[0].payload), "2");
}

TEST_F(APowerCut, IsPaidForOnceByBatchesThatWaitTogether) {
  options_.checkpoint_pages = options_.checkpoint_now_pages = 1'000'000;
  auto store = open();
  std::promise<void> held, go_on, all;
  store->commit(batch_of("held"), [&](auto) {
    held.set_value();
    go_on.get_future().wait();
  });
  held.get_future().wait();
  std::atomic<int> done = 0;
  for (int i = 0; i < 100; ++i) {
    store->commit(batch_of("x"), [&](Result<Committed> committed) {
      EXPECT_TRUE(committed);
      if (++done == 100) all.set_value();
    });
  }
  const int before = vfs_.syncs();
  go_on.set_value();
  all.get_future().wait();
  EXPECT_EQ(vfs_.syncs() - before, 1);
}

}  // namespace
}  // namespace cahn::store
