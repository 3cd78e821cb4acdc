#include "apps/cahn/role_support.h"

#include <cstdio>

#include "base/file.h"

namespace cahn::apps {

int report(const Error& error) {
  std::fprintf(stderr, "cahn: %s\n", error.message.c_str());
  const bool usage = error.code == SettingsError::missing || error.code == SettingsError::bad_value ||
                     error.code == SettingsError::unknown_key || error.code == SettingsError::bad_toml;
  return usage ? exit_usage : exit_failed;
}

Result<std::string> operator_token(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    CAHN_CHECK(create_file(file, as_bytes(hex(random_bytes(32)) + "\n"), FileMode::secret));
  }
  CAHN_TRY(const Bytes text, read_file(file, 4096));
  std::string token = to_string(text);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.size() < 32) return fail(SettingsError::bad_value, file.string() + " holds no token of at least 32 octets");
  return token;
}

}  // namespace cahn::apps
