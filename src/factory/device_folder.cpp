#include "factory/device_folder.h"

#include "base/file.h"

namespace cahn::factory {

Result<std::string> device_key(const std::filesystem::path& folder) {
  std::error_code unknown;
  if (!std::filesystem::exists(folder / device_key_uri_file, unknown) && !unknown) {
    return (folder / device_key_file).string();
  }
  auto text = read_file(folder / device_key_uri_file);
  if (!text) return std::unexpected(text.error());
  std::string uri = to_string(*text);
  while (uri.ends_with('\n') || uri.ends_with('\r')) uri.pop_back();
  return uri;
}

}  // namespace cahn::factory
