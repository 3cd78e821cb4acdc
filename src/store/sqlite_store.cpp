#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "base/log.h"
#include "store/followers.h"
#include "store/sqlite.h"

namespace cahn::store {
namespace {

using sqlite::Connection;
using sqlite::ResetAtExit;
using sqlite::Statement;

constexpr std::int64_t application_id = 0x4341484e;  // "CAHN"
constexpr std::int64_t layout_version = 1;

std::int64_t microseconds(Time time) { return time.time_since_epoch().count(); }

// An flock for as long as it lives: given back by the kernel however the process ends.
class FileLock {
 public:
  static Result<FileLock> take(const std::filesystem::path& path) {
    FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (lock.fd_ < 0) {
      return fail(StoreError::unavailable, path.string() + ": " + std::generic_category().message(errno));
    }
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
      return fail(StoreError::locked, path.string() + " is held by another process");
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

// Makes sure the file is there and is 0600; SQLite gives the files beside it the same mode.
Result<void> prepare_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const bool ready = fd >= 0 && ::fchmod(fd, 0600) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!ready) return fail(StoreError::unavailable, file.string() + ": " + std::generic_category().message(error));
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    ::fsync(folder_fd);
    ::close(folder_fd);
  }
  return {};
}

Result<void> prepare_layout(const Connection& connection) {
  CAHN_CHECK(connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"));
  CAHN_TRY(const auto version, connection.integer("PRAGMA user_version"));
  CAHN_TRY(const auto id, connection.integer("PRAGMA application_id"));
  CAHN_TRY(const auto objects, connection.integer("SELECT count(*) FROM sqlite_schema"));
  if (version == 0 && id == 0 && objects == 0) {
    return connection.execute(
        "BEGIN IMMEDIATE;"
        "CREATE TABLE event(position INTEGER PRIMARY KEY, committed_at INTEGER NOT NULL, type TEXT NOT NULL,"
        "                   payload BLOB NOT NULL);"
        "CREATE TABLE item(name TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY(name, key))"
        "                  WITHOUT ROWID;"
        "PRAGMA application_id=" +
        std::to_string(application_id) + "; PRAGMA user_version=" + std::to_string(layout_version) + "; COMMIT;");
  }
  if (id != application_id) return fail(StoreError::corrupt, "the file is a database of something else");
  if (version != layout_version) {
    return fail(StoreError::corrupt, "the file has layout " + std::to_string(version) + ", which is not known here");
  }
  return {};
}

// The connection that writes, with its statements. Used by the writer thread alone.
class Writer {
 public:
  static Result<std::unique_ptr<Writer>> open(const std::filesystem::path& file, const std::string& vfs) {
    CAHN_TRY(auto connection, Connection::open(file, vfs));
    CAHN_CHECK(prepare_layout(connection));
    CAHN_TRY(auto insert, connection.prepare("INSERT INTO event VALUES(?,?,?,?)"));
    CAHN_TRY(auto put, connection.prepare("INSERT OR REPLACE INTO item VALUES(?,?,?)"));
    CAHN_TRY(auto erase, connection.prepare("DELETE FROM item WHERE name=? AND key=?"));
    CAHN_TRY(auto exists, connection.prepare("SELECT 1 FROM item WHERE name=? AND key=?"));
    CAHN_TRY(auto begin, connection.prepare("BEGIN IMMEDIATE"));
    CAHN_TRY(auto savepoint, connection.prepare("SAVEPOINT batch"));
    CAHN_TRY(auto release, connection.prepare("RELEASE batch"));
    CAHN_TRY(auto commit, connection.prepare("COMMIT"));
    return std::unique_ptr<Writer>(new Writer{std::move(connection), std::move(insert), std::move(put),
                                              std::move(erase), std::move(exists), std::move(begin),
                                              std::move(savepoint), std::move(release), std::move(commit)});
  }

  // Applies one batch inside the open transaction, or nothing of it. `next` is the position of its first event.
  Result<Committed> apply(const Batch& batch, Position next, Time now) {
    CAHN_CHECK(refuse_present(batch));
    CAHN_CHECK(savepoint.run());
    auto written = write(batch, next, now);
    if (!written) {
      if (connection.in_transaction()) CAHN_CHECK(connection.execute("ROLLBACK TO batch; RELEASE batch"));
      return written;
    }
    CAHN_CHECK(release.run());
    return written;
  }

  void roll_back() {
    if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
  }

  Connection connection;
  Statement insert, put, erase, exists, begin, savepoint, release, commit;

 private:
  Writer(Connection c, Statement i, Statement p, Statement e, Statement x, Statement b, Statement s, Statement r,
         Statement m)
      : connection(std::move(c)),
        insert(std::move(i)),
        put(std::move(p)),
        erase(std::move(e)),
        exists(std::move(x)),
        begin(std::move(b)),
        savepoint(std::move(s)),
        release(std::move(r)),
        commit(std::move(m)) {}

  Result<void> refuse_present(const Batch& batch) {
    for (const auto& [table, key] : batch.absent) {
      const ResetAtExit reset(exists);
      CAHN_TRY(const bool present, exists.bind_text(1, table).bind_blob(2, key).step());
      if (present) return fail(StoreError::conflict, "a key that must be new is in table " + table + " already");
    }
    return {};
  }

  Result<Committed> write(const Batch& batch, Position next, Time now) {
    Committed committed;
    for (const NewEvent& event : batch.events) {
      CAHN_CHECK(insert.bind(1, static_cast<std::int64_t>(next))
                     .bind(2, microseconds(now))
                     .bind_text(3, event.type)
                     .bind_blob(4, event.payload)
                     .run());
      if (committed.first == 0) committed.first = next;
      committed.last = next++;
    }
    for (const auto& gone : batch.erases) CAHN_CHECK(erase.bind_text(1, gone.table).bind_blob(2, gone.key).run());
    for (const auto& item : batch.puts) {
      CAHN_CHECK(put.bind_text(1, item.table).bind_blob(2, item.key).bind_blob(3, item.value).run());
    }
    return committed;
  }
};

// A connection that reads, with its statements. Lent to one thread at a time.
struct Reader {
  Connection connection;
  Statement events, item, items;

  static Result<std::unique_ptr<Reader>> open(const std::filesystem::path& file, const std::string& vfs) {
    CAHN_TRY(auto connection, Connection::open(file, vfs));
    CAHN_CHECK(connection.execute("PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA wal_autocheckpoint=0;"));
    CAHN_TRY(auto events, connection.prepare("SELECT position, committed_at, type, payload FROM event"
                                             " WHERE position>=? ORDER BY position LIMIT ?"));
    CAHN_TRY(auto item, connection.prepare("SELECT value FROM item WHERE name=? AND key=?"));
    CAHN_TRY(auto items, connection.prepare("SELECT key, value FROM item WHERE name=? AND key>=? ORDER BY key"));
    return std::unique_ptr<Reader>(
        new Reader{std::move(connection), std::move(events), std::move(item), std::move(items)});
  }
};

// Moves pages of the write-ahead log into the file, on its own thread and connection.
class Checkpointer {
 public:
  explicit Checkpointer(Connection connection) : connection_(std::move(connection)), thread_([this] { run(); }) {}
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;
  ~Checkpointer() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wanted_changed_.notify_one();
    thread_.join();
  }

  void want() {
    {
      const std::scoped_lock lock(mutex_);
      wanted_ = true;
    }
    wanted_changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wanted_changed_.wait(lock, [this] { return wanted_ || stopping_; });
      if (stopping_) return;
      wanted_ = false;
      lock.unlock();
      // PASSIVE disturbs neither readers nor the writer. A failure only means that the log stays long; the writer sees
      // real trouble with the file itself.
      sqlite3_wal_checkpoint_v2(connection_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
      lock.lock();
    }
  }

  Connection connection_;
  std::mutex mutex_;
  std::condition_variable wanted_changed_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::filesystem::path file, const Clock& clock, SqliteOptions options, FileLock lock,
              std::unique_ptr<Writer> writer, Connection checkpoints, Position last, Time last_time)
      : file_(std::move(file)),
        clock_(clock),
        options_(std::move(options)),
        lock_(std::move(lock)),
        writer_(std::move(writer)),
        last_(last),
        last_time_(last_time),
        checkpointer_(std::move(checkpoints)),
        committer_(
            options_.limits, [this](std::span<GroupCommitter::Request> group) { apply(group); },
            [this] { after_group(); }) {
    sqlite3_wal_hook(writer_->connection.handle(), &SqliteStore::log_grew, this);
  }

  void commit(Batch batch, std::function<void(Result<Committed>)> done) override {
    committer_.commit(std::move(batch), std::move(done));
  }
  Position last_position() const override { return last_.load(std::memory_order_acquire); }
  std::shared_ptr<void> follow(std::function<void()> wake) override { return followers_.add(std::move(wake)); }

  Result<std::vector<Event>> read(Position from, std::size_t limit) const override;
  Result<std::optional<Bytes>> get(std::string_view table, std::string_view key) const override;
  Result<std::vector<std::pair<std::string, Bytes>>> scan(std::string_view table, std::string_view prefix,
                                                          std::size_t limit, std::string_view after) const override;

 private:
  class Lease;

  static int log_grew(void* self, sqlite3*, const char*, int pages) {
    static_cast<SqliteStore*>(self)->log_pages_ = pages;
    return SQLITE_OK;
  }

  void apply(std::span<GroupCommitter::Request> group);
  Result<void> apply_all(std::span<GroupCommitter::Request> group, Position& next, Time now);
  void after_group();

  const std::filesystem::path file_;
  const Clock& clock_;
  const SqliteOptions options_;
  const FileLock lock_;
  const std::unique_ptr<Writer> writer_;
  mutable std::mutex readers_mutex_;
  mutable std::vector<std::unique_ptr<Reader>> idle_readers_;
  std::atomic<Position> last_;
  Time last_time_;                                         // writer thread only
  int next_checkpoint_pages_ = options_.checkpoint_pages;  // writer thread only
  int log_pages_ = 0;                                      // writer thread only
  bool appended_ = false;                                  // writer thread only
  Followers followers_;
  Checkpointer checkpointer_;
  GroupCommitter committer_;  // last: its destructor drains into all of the above
};

// One Reader, taken from the idle ones or opened, and given back.
class SqliteStore::Lease {
 public:
  static Result<Lease> take(const SqliteStore& store) {
    {
      const std::scoped_lock lock(store.readers_mutex_);
      if (!store.idle_readers_.empty()) {
        Lease lease(store, std::move(store.idle_readers_.back()));
        store.idle_readers_.pop_back();
        return lease;
      }
    }
    CAHN_TRY(auto reader, Reader::open(store.file_, store.options_.vfs));
    return Lease(store, std::move(reader));
  }
  Lease(Lease&&) = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    constexpr std::size_t max_idle = 8;
    if (!reader_) return;
    const std::scoped_lock lock(store_.readers_mutex_);
    if (store_.idle_readers_.size() < max_idle) store_.idle_readers_.push_back(std::move(reader_));
  }
  Reader* operator->() const { return reader_.get(); }

 private:
  Lease(const SqliteStore& store, std::unique_ptr<Reader> reader) : store_(store), reader_(std::move(reader)) {}
  const SqliteStore& store_;
  std::unique_ptr<Reader> reader_;
};

Result<void> SqliteStore::apply_all(std::span<GroupCommitter::Request> group, Position& next, Time now) {
  CAHN_CHECK(writer_->begin.run());
  for (auto& request : group) {
    request.result = writer_->apply(request.batch, next, now);
    if (!writer_->connection.in_transaction()) return fail(request.result.error());  // SQLite itself rolled back
    if (request.result && request.result->last != 0) next = request.result->last + 1;
  }
  return writer_->commit.run();
}

void SqliteStore::apply(std::span<GroupCommitter::Request> group) {
  // Never backwards, so that "as of" a time is one position, whatever the machine's clock does.
  const Time now = std::max(clock_.now(), last_time_);
  const Position before = last_.load(std::memory_order_relaxed);
  Position next = before + 1;
  if (const auto committed = apply_all(group, next, now); !committed) {
    writer_->roll_back();
    log::error("STORE_WRITE", "a commit failed", {{"file", file_.string()}, {"error", committed.error().message}});
    for (auto& request : group) request.result = std::unexpected(committed.error());
    return;
  }
  last_time_ = now;
  last_.store(next - 1, std::memory_order_release);
  appended_ = next - 1 > before;
}

void SqliteStore::after_group() {
  if (std::exchange(appended_, false)) followers_.wake_all();
  if (log_pages_ < options_.checkpoint_pages) next_checkpoint_pages_ = options_.checkpoint_pages;  // it began anew
  if (log_pages_ >= options_.checkpoint_now_pages) {
    sqlite3_wal_checkpoint_v2(writer_->connection.handle(), nullptr, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
  } else if (log_pages_ >= next_checkpoint_pages_) {
    next_checkpoint_pages_ = log_pages_ + options_.checkpoint_pages;
    checkpointer_.want();
  }
}

Result<std::vector<Event>> SqliteStore::read(Position from, std::size_t limit) const {
  CAHN_TRY(const auto reader, Lease::take(*this));
  Statement& events = reader->events;
  const ResetAtExit reset(events);
  constexpr Position most = std::numeric_limits<std::int64_t>::max();
  Position expected = std::max<Position>(from, 1);
  events.bind(1, static_cast<std::int64_t>(std::min(expected, most)))
      .bind(2, static_cast<std::int64_t>(std::min<Position>(limit, most)));
  std::vector<Event> found;
  for (;;) {
    CAHN_TRY(const bool row, events.step());
    if (!row) return found;
    const auto position = static_cast<Position>(events.integer(0));
    if (position != expected) {
      return fail(StoreError::corrupt, "the log lacks event " + std::to_string(expected));
    }
    found.push_back({position, Time(std::chrono::microseconds(events.integer(1))), events.text(2), events.blob(3)});
    ++expected;
  }
}

Result<std::optional<Bytes>> SqliteStore::get(std::string_view table, std::string_view key) const {
  CAHN_TRY(const auto reader, Lease::take(*this));
  const ResetAtExit reset(reader->item);
  CAHN_TRY(const bool row, reader->item.bind_text(1, table).bind_blob(2, key).step());
  if (!row) return std::optional<Bytes>();
  return reader->item.blob(0);
}

Result<std::vector<std::pair<std::string, Bytes>>> SqliteStore::scan(std::string_view table, std::string_view prefix,
                                                                     std::size_t limit, std::string_view after) const {
  CAHN_TRY(const auto reader, Lease::take(*this));
  Statement& items = reader->items;
  const ResetAtExit reset(items);
  items.bind_text(1, table).bind_blob(2, std::max(prefix, after));
  std::vector<std::pair<std::string, Bytes>> found;
  while (found.size() < limit) {
    CAHN_TRY(const bool row, items.step());
    if (!row) break;
    std::string key = items.text(0);
    if (!key.starts_with(prefix)) break;
    if (!after.empty() && key == after) continue;
    found.emplace_back(std::move(key), items.blob(1));
  }
  return found;
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& file, const Clock& clock,
                                                 SqliteOptions options) {
  auto lock_file = file;
  lock_file += ".lock";
  CAHN_TRY(auto lock, FileLock::take(lock_file));
  CAHN_CHECK(prepare_file(file));
  CAHN_TRY(auto writer, Writer::open(file, options.vfs));
  CAHN_TRY(auto checkpoints, Connection::open(file, options.vfs));
  CAHN_TRY(const auto last, writer->connection.integer("SELECT max(position) FROM event"));
  CAHN_TRY(const auto last_time, writer->connection.integer("SELECT max(committed_at) FROM event WHERE position="
                                                            "(SELECT max(position) FROM event)"));
  if (last < 0) return fail(StoreError::corrupt, "the log ends at a position below 1");
  return std::make_unique<SqliteStore>(file, clock, std::move(options), std::move(lock), std::move(writer),
                                       std::move(checkpoints), static_cast<Position>(last),
                                       Time(std::chrono::microseconds(last_time)));
}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& file, const Clock& clock) {
  return open_sqlite_store(file, clock, {});
}

}  // namespace cahn::store
