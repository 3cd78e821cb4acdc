// JSON from outside, and its canonical form (RFC 8785, JCS).

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "credential/did.h"

namespace cahn::credential {

struct JsonLimits {
  std::size_t max_size = std::size_t{256} << 10;
  int max_depth = 32;
};
// Strict JSON: UTF-8, no duplicate member names, no lone surrogates, integers beyond 2^53 refused (JCS cannot keep
// them).
Result<nlohmann::json> parse_json(std::string_view text, JsonLimits = {});
// RFC 8785. REQUIRES: strings and names are UTF-8, as parse_json leaves them.
std::string canonical(const nlohmann::json&);

}  // namespace cahn::credential
