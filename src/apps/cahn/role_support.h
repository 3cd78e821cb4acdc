// What the roles' wiring has in common: files, servers, and how errors are reported.

#pragma once

#include "apps/cahn/role_settings.h"
#include "apps/common/certificate_files.h"
#include "apps/common/serving.h"

namespace cahn::apps {

// Prints "cahn: <message>" (or the settings error) and returns the exit code that belongs to it.
int report(const Error&);

}  // namespace cahn::apps
