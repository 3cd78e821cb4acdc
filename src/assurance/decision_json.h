// A Decision in JSON.

#pragma once

#include <nlohmann/json_fwd.hpp>

#include "assurance/decision.h"
#include "base/result.h"

namespace cahn::assurance {

nlohmann::json to_json(const Decision&);
// Errors: malformed.
Result<Decision> decision_from_json(const nlohmann::json&);

}  // namespace cahn::assurance
