// JSON from outside, for this room and those above it: bounded, and without what two readers could understand in two ways.

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "voucher/voucher.h"

namespace cahn::voucher {

// One JSON object in UTF-8, of at most `max_size` octets and 16 levels, in which no object has two members of one name.
// Else not_json, with what was found and at which octet.
Result<nlohmann::json> parse_object(std::string_view text, std::size_t max_size);

// What a value is, for an error: "a number", "an object", …
std::string_view kind_of(const nlohmann::json&);
// The beginning of a text from outside in quotes, fit for a log.
std::string in_quotes(std::string_view text);

}  // namespace cahn::voucher
