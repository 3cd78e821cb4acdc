// What the roles' wiring has in common: files, servers, and how errors are reported.

#pragma once

#include "apps/cahn/role_settings.h"
#include "apps/common/certificate_files.h"
#include "apps/common/serving.h"

namespace cahn::apps {

// Prints "cahn: <message>" (or the settings error) and returns the exit code that belongs to it.
int report(const Error&);

// The token that orders to a role's operator port need: made on first use, 0600.
Result<std::string> operator_token(const std::filesystem::path& file);

}  // namespace cahn::apps
