#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace cahn {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  // Closes now; false if the kernel reports a late write error.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

std::unexpected<Error> file_error(FileError code, const std::filesystem::path& path, int error) {
  return fail(code, path.string() + ": " + reason(error));
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// A rename is durable only once the folder that holds the name is.
bool sync_folder(const std::filesystem::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd && ::fsync(fd.get()) == 0;
}

// Writes a temporary file beside `path` and fsyncs it; returns its name.
Result<std::filesystem::path> write_temporary(const std::filesystem::path& path, ByteView bytes, FileMode mode) {
  std::string name = (folder_of(path) / ("." + path.filename().string() + ".XXXXXX")).string();
  Descriptor fd(::mkostemp(name.data(), O_CLOEXEC));  // mkostemp creates 0600
  if (!fd) return file_error(FileError::not_writable, path, errno);
  bool written =
      write_all(fd.get(), bytes) && ::fchmod(fd.get(), static_cast<mode_t>(mode)) == 0 && ::fsync(fd.get()) == 0;
  const int error = errno;
  written = fd.close() && written;
  if (!written) {
    ::unlink(name.c_str());
    return file_error(FileError::not_writable, path, error);
  }
  return std::filesystem::path(name);
}

}  // namespace

std::string_view error_name(FileError e) {
  switch (e) {
    case FileError::not_found:
      return "not_found";
    case FileError::not_readable:
      return "not_readable";
    case FileError::not_writable:
      return "not_writable";
    case FileError::too_large:
      return "too_large";
    case FileError::exists:
      return "exists";
    case FileError::locked:
      return "locked";
    case FileError::bad_permissions:
      return "bad_permissions";
  }
  return "unknown";
}

Result<Bytes> read_file(const std::filesystem::path& path, std::size_t max_size) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return file_error(errno == ENOENT ? FileError::not_found : FileError::not_readable, path, errno);
  Bytes bytes;
  for (;;) {
    const std::size_t had = bytes.size();
    // One octet more than is allowed shows that there is more.
    const std::size_t step = std::min(max_size - had, (std::size_t{64} << 10) - 1) + 1;
    bytes.resize(had + step);
    const ssize_t got = ::read(fd.get(), bytes.data() + had, step);
    if (got < 0) {
      if (errno != EINTR) return file_error(FileError::not_readable, path, errno);
      bytes.resize(had);
      continue;
    }
    bytes.resize(had + static_cast<std::size_t>(got));
    if (got == 0) return bytes;
    if (bytes.size() > max_size) {
      return fail(FileError::too_large, path.string() + " is larger than " + std::to_string(max_size) + " octets");
    }
  }
}

Result<void> write_file(const std::filesystem::path& path, ByteView bytes, FileMode mode) {
  CAHN_TRY(const auto temporary, write_temporary(path, bytes, mode));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return file_error(FileError::not_writable, path, error);
  }
  if (!sync_folder(folder_of(path))) return file_error(FileError::not_writable, path, errno);
  return {};
}

Result<void> create_file(const std::filesystem::path& path, ByteView bytes, FileMode mode) {
  CAHN_TRY(const auto temporary, write_temporary(path, bytes, mode));
  // link() refuses an existing name, which rename() would replace.
  const bool linked = ::link(temporary.c_str(), path.c_str()) == 0;
  const int error = errno;
  ::unlink(temporary.c_str());
  if (!linked) return file_error(error == EEXIST ? FileError::exists : FileError::not_writable, path, error);
  if (!sync_folder(folder_of(path))) return file_error(FileError::not_writable, path, errno);
  return {};
}

Result<StateDirectory> StateDirectory::open(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(folder_of(path), error);
  if (error) return fail(FileError::not_writable, path.string() + ": " + error.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return file_error(FileError::not_writable, path, errno);

  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return file_error(FileError::not_readable, path, errno);
  struct stat status{};
  if (::fstat(folder.get(), &status) != 0) return file_error(FileError::not_readable, path, errno);
  if ((status.st_mode & 0077) != 0) {
    return fail(FileError::bad_permissions, path.string() + " is open to others; it must be mode 0700");
  }
  if (status.st_uid != ::geteuid()) {
    return fail(FileError::bad_permissions, path.string() + " belongs to another user");
  }
  Descriptor lock(::openat(folder.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return file_error(FileError::not_writable, path / "lock", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(FileError::locked, path.string() + " is in use by another process");
    return file_error(FileError::not_writable, path / "lock", errno);
  }
  return StateDirectory(path, lock.release());
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

StateDirectory& StateDirectory::operator=(StateDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_fd_, other.lock_fd_);
  return *this;
}

StateDirectory::~StateDirectory() {
  if (lock_fd_ >= 0) ::close(lock_fd_);  // releases the lock
}

}  // namespace cahn
