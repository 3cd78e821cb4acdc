#include "bearer/dot1x/private_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "bearer/bearer.h"

namespace cahn::bearer::dot1x {

bool is_interface_name(const std::string& name) {
  return !name.empty() && name.size() <= 15 && name != "." && name != ".." && name != "all" && name != "default" &&
         std::ranges::all_of(name,
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
}

bool is_plain_path(const std::filesystem::path& path) {
  return path.is_absolute() && std::ranges::all_of(path.native(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '/' || c == '-' || c == '_' || c == '.' || c == '+' || c == '@';
         });
}

Result<void> make_private_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(BearerError::unavailable, path.native() + ": " + std::strerror(errno));
  struct stat status{};
  const bool is_ours = ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
  if (!is_ours || (status.st_mode & 0077) != 0)
    return fail(BearerError::bad_configuration, path.native() + " is not a private directory of ours");
  return {};
}

}  // namespace cahn::bearer::dot1x
