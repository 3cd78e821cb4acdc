// A SQLite VFS that knows what would be left after a power cut: of every file, just what had been synced. It also fails
// syncs when told to.

#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "base/bytes.h"

namespace cahn::test {

class PowerCutVfs {
 public:
  // Registers it under `name` until the end of the process.
  static PowerCutVfs& instance();
  std::string name() const { return "power-cut"; }

  // Writes what would be left of the files beside `file` into `folder`.
  void write_remains(const std::filesystem::path& file, const std::filesystem::path& folder) const;
  // From now on syncs of files whose name ends so fail; empty: none do.
  void fail_syncs(std::string suffix);
  int syncs() const;

  // For the VFS itself.
  bool synced(const std::filesystem::path&);
  void removed(const std::filesystem::path&);

 private:
  PowerCutVfs() = default;
  mutable std::mutex mutex_;
  std::map<std::filesystem::path, Bytes> durable_;
  std::string failing_;
  int syncs_ = 0;
};

}  // namespace cahn::test
