#include "apps/cahn/role_support.h"

#include <cstdio>

namespace cahn::apps {

int report(const Error& error) {
  std::fprintf(stderr, "cahn: %s\n", error.message.c_str());
  const bool usage = error.code == SettingsError::missing || error.code == SettingsError::bad_value ||
                     error.code == SettingsError::unknown_key || error.code == SettingsError::bad_toml;
  return usage ? exit_usage : exit_failed;
}

}  // namespace cahn::apps
