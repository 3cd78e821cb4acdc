#include "tests/unit/store/power_cut_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <new>

#include "base/file.h"

namespace cahn::test {
namespace {

sqlite3_vfs* real_vfs() { return sqlite3_vfs_find("unix"); }

// SQLite allocates szOsFile octets: this, and the real file behind it.
struct File {
  sqlite3_file base;
  std::filesystem::path* path;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
File& mine(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) { return mine(file).real(); }

int close_file(sqlite3_file* file) {
  const int code = real(file)->pMethods != nullptr ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK;
  delete mine(file).path;
  return code;
}

int sync_file(sqlite3_file* file, int flags) {
  const int code = real(file)->pMethods->xSync(real(file), flags);
  if (code != SQLITE_OK) return code;
  return PowerCutVfs::instance().synced(*mine(file).path) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

const sqlite3_io_methods methods = {
    2,
    close_file,
    [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, n, at); },
    [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      return real(f)->pMethods->xWrite(real(f), from, n, at);
    },
    [](sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); },
    sync_file,
    [](sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
    [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); },
    [](sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); },
    [](sqlite3_file* f, int* held) { return real(f)->pMethods->xCheckReservedLock(real(f), held); },
    [](sqlite3_file* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
    [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    [](sqlite3_file* f, int page, int size, int extend, void volatile** to) {
      return real(f)->pMethods->xShmMap(real(f), page, size, extend, to);
    },
    [](sqlite3_file* f, int offset, int n, int flags) {
      return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
    },
    [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
    [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
    nullptr,
    nullptr};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  mine(file).base.pMethods = nullptr;
  const int code = real_vfs()->xOpen(real_vfs(), name, real(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  mine(file).path = new std::filesystem::path(name != nullptr ? name : "");
  mine(file).base.pMethods = &methods;
  return code;
}

int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
  PowerCutVfs::instance().removed(name);
  return real_vfs()->xDelete(real_vfs(), name, sync_folder);
}

}  // namespace

PowerCutVfs& PowerCutVfs::instance() {
  static PowerCutVfs* const vfs = [] {
    static sqlite3_vfs ours = *real_vfs();
    ours.szOsFile = static_cast<int>(sizeof(File)) + real_vfs()->szOsFile;
    ours.zName = "power-cut";
    ours.pNext = nullptr;
    ours.xOpen = open_file;
    ours.xDelete = delete_file;
    sqlite3_vfs_register(&ours, 0);
    return new PowerCutVfs();
  }();
  return *vfs;
}

bool PowerCutVfs::synced(const std::filesystem::path& path) {
  const std::scoped_lock lock(mutex_);
  ++syncs_;
  if (!failing_.empty() && path.string().ends_with(failing_)) return false;
  if (auto bytes = read_file(path, std::size_t{1} << 30)) durable_[path] = std::move(*bytes);
  return true;
}

void PowerCutVfs::removed(const std::filesystem::path& path) {
  const std::scoped_lock lock(mutex_);
  durable_.erase(path);
}

void PowerCutVfs::fail_syncs(std::string suffix) {
  const std::scoped_lock lock(mutex_);
  failing_ = std::move(suffix);
}

int PowerCutVfs::syncs() const {
  const std::scoped_lock lock(mutex_);
  return syncs_;
}

void PowerCutVfs::write_remains(const std::filesystem::path& file, const std::filesystem::path& folder) const {
  const std::scoped_lock lock(mutex_);
  std::filesystem::create_directories(folder);
  for (const auto& [path, bytes] : durable_) {
    if (path.string().starts_with(file.string())) (void)write_file(folder / path.filename(), bytes);
  }
}

}  // namespace cahn::test
