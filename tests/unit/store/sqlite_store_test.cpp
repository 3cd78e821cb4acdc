#include "store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include "base/file.h"
#include "tests/unit/base/temporary_folder.h"
#include "tests/unit/store/store_contract.h"

namespace cahn::store {

namespace {

class SqlitePlace final : public StorePlace {
 public:
  Result<std::unique_ptr<Store>> open(const Clock& clock) override { return Store::open(folder_ / "store.db", clock); }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

std::vector<Implementation> implementations() {
  return {{"SQLite", [] { return std::make_unique<SqlitePlace>(); }}};
}

namespace {

class SqliteStore : public testing::Test {
 protected:
  std::unique_ptr<Store> open(SqliteOptions options = {}) {
    auto store = open_sqlite_store(file_, system_clock(), std::move(options));
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  ErrorCode error_of_opening() {
    const auto store = Store::open(file_);
    return store ? ErrorCode(StoreError::conflict) : store.error().code;
  }

  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "store.db";
};

TEST_F(SqliteStore, KeepsItsFilesToTheOwner) {
  ::umask(0);
  const auto store = open();
  ASSERT_TRUE(store->commit_and_wait(batch_of("1")));
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << entry.path();
    ++seen;
  }
  EXPECT_EQ(seen, 4);  // the file, -wal, -shm, .lock
}

TEST_F(SqliteStore, BelongsToOneProcess) {
  auto store = open();
  EXPECT_EQ(error_of_opening(), StoreError::locked);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto second = Store::open(file_);
    ::_exit(!second && second.error().code == StoreError::locked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  store.reset();
  EXPECT_TRUE(Store::open(file_));
}

TEST_F(SqliteStore, RefusesAFileThatIsNoDatabase) {
  ASSERT_TRUE(write_file(file_, as_bytes(std::string(5000, 'x'))));
  EXPECT_EQ(error_of_opening(), StoreError::corrupt);
}

TEST_F(SqliteStore, RefusesADatabaseOfSomethingElse) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE cookies(a)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(error_of_opening(), StoreError::corrupt);
}

TEST_F(SqliteStore, RefusesALayoutItDoesNotKnow) {
  open().reset();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "PRAGMA user_version=99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(error_of_opening(), StoreError::corrupt);
}

TEST_F(SqliteStore, AnswersCorruptAndLivesWhenItsPagesAreDamaged) {
  {
    const auto store = open();
    Batch batch;
    for (int i = 0; i < 2'000; ++i) batch.events.push_back({"e", random_bytes(100)});
    ASSERT_TRUE(store->commit_and_wait(batch));
  }
  const auto size = std::filesystem::file_size(file_);
  std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
  for (std::uintmax_t at = 8192; at + 4096 <= size; at += 4096) {
    file.seekp(static_cast<std::streamoff>(at));
    file.write("\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef", 12);
  }
  file.close();
  const auto store = Store::open(file_);
  if (!store) {
    EXPECT_EQ(store.error().code, StoreError::corrupt);
    return;
  }
  const auto events = (*store)->read(1, 10'000);
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, StoreError::corrupt);
}

TEST_F(SqliteStore, NoticesAnEventTakenOutOfTheLog) {
  {
    const auto store = open();
    ASSERT_TRUE(store->commit_and_wait({.events = {event("a", "1"), event("a", "2"), event("a", "3")}}));
  }
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "DELETE FROM event WHERE position=2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  const auto store = open();
  EXPECT_EQ(store->read(1, 10).error().code, StoreError::corrupt);
}

TEST_F(SqliteStore, SaysWhenItsFolderIsNotThere) {
  EXPECT_EQ(Store::open(folder_ / "none/store.db").error().code, StoreError::unavailable);
}

TEST_F(SqliteStore, MovesItsLogIntoTheFileBesideTheCommits) {
  SqliteOptions options;
  options.checkpoint_pages = 8;
  options.checkpoint_now_pages = 64;
  const auto store = open(options);
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(store->commit_and_wait({.events = {{"e", Bytes(5'000)}}}));
  auto log = file_;
  log += "-wal";
  EXPECT_LT(std::filesystem::file_size(log), 100U * 4200U);
  EXPECT_EQ(store->read(1, 1000).value().size(), 400U);
}

// The queue is filled while the store's thread is held in a callback.
class AFullQueue : public SqliteStore {
 protected:
  void hold(Store& store) {
    store.commit(batch_of("held"), [this](auto) {
      held_.set_value();
      go_on_.get_future().wait();
    });
    held_.get_future().wait();
  }
  std::promise<void> held_, go_on_;
};

TEST_F(AFullQueue, RefusesAtOnceAndForgetsNothingItAccepted) {
  SqliteOptions options;
  options.limits.max_queued_batches = 10;
  auto store = open(options);
  hold(*store);
  int refused = 0;
  std::atomic<int> accepted = 0;
  for (int i = 0; i < 25; ++i) {
    store->commit(batch_of("x"), [&](Result<Committed> result) {
      if (result) {
        ++accepted;
      } else {
        EXPECT_EQ(result.error().code, StoreError::unavailable);
        ++refused;
      }
    });
  }
  EXPECT_EQ(refused, 15);
  go_on_.set_value();
  store.reset();
  EXPECT_EQ(accepted, 10);
  EXPECT_EQ(open()->last_position(), 11U);
}

TEST_F(AFullQueue, IsBoundedInOctetsToo) {
  SqliteOptions options;
  options.limits.max_queued_octets = 1000;
  auto store = open(options);
  hold(*store);
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    store->commit({.events = {{"e", Bytes(300)}}}, [&](Result<Committed> result) {
      if (!result) ++refused;  // at once, on this thread; what is accepted is answered on the store's
    });
  }
  EXPECT_EQ(refused, 2);
  go_on_.set_value();
  store.reset();
}

}  // namespace
}  // namespace cahn::store
