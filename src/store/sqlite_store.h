// The store in one SQLite file, WAL mode, synchronous=FULL. Layout (user_version 1):
//
//   event(position INTEGER PRIMARY KEY, committed_at INTEGER, type TEXT, payload BLOB)    committed_at: µs since 1970
//   UTC item(name TEXT, key BLOB, value BLOB, PRIMARY KEY (name, key)) WITHOUT ROWID          all tables of the Store
//
// Beside FILE lie FILE-wal and FILE-shm, which are part of it while it is open, and FILE.lock, which only holds the
// lock.
//
// A commit syncs the write-ahead log and nothing else; a second thread moves the log's pages into the file now and
// then, so that no commit pays for it.

#pragma once

#include <string>

#include "store/group_committer.h"
#include "store/store.h"

namespace cahn::store {

struct SqliteOptions {
  CommitLimits limits;
  std::string vfs;                    // a registered SQLite VFS by name, for tests; empty: the system's
  int checkpoint_pages = 2'000;       // the log is moved into the file past this length
  int checkpoint_now_pages = 16'000;  // past this one by the writer itself, which then waits
};

// Errors as Store::open: unavailable, corrupt, locked.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& file, const Clock& clock,
                                                 SqliteOptions options);

}  // namespace cahn::store
