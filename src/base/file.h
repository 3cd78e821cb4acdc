// Files of a role. What is written is written whole: to a temporary file in the same folder, fsync, rename, fsync of
// the folder. Secrets are 0600 from their first byte on.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cahn {

enum class FileError { not_found, not_readable, not_writable, too_large, exists, locked, bad_permissions };
std::string_view error_name(FileError);

inline constexpr std::size_t default_max_file = std::size_t{16} << 20;

Result<Bytes> read_file(const std::filesystem::path&, std::size_t max_size = default_max_file);

enum class FileMode { ordinary = 0644, secret = 0600 };
Result<void> write_file(const std::filesystem::path&, ByteView, FileMode = FileMode::ordinary);
// As write_file, but refuses (exists) if the file is there already.
Result<void> create_file(const std::filesystem::path&, ByteView, FileMode = FileMode::ordinary);

// The folder in which one role of one process keeps its state. Opening creates it 0700 and locks it until destruction;
// a second process is refused (locked). A folder others can read or write is refused (bad_permissions).
class StateDirectory {
 public:
  static Result<StateDirectory> open(const std::filesystem::path&);
  StateDirectory(StateDirectory&&) noexcept;
  StateDirectory& operator=(StateDirectory&&) noexcept;
  ~StateDirectory();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  StateDirectory(std::filesystem::path path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  std::filesystem::path path_;
  int lock_fd_ = -1;
};

}  // namespace cahn
