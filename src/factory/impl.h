// What the room's sources share. Inside `factory` only.

#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "factory/error.h"

namespace cahn::factory {

inline std::unexpected<Error> unavailable(const Error& error) {
  return fail(FactoryError::unavailable, "the factory's store: " + error.message);
}

inline std::unexpected<Error> not_writable(const Error& error) {
  return fail(FactoryError::not_writable, error.message);
}

// The text of a member; empty if there is none.
inline std::string text_of(const nlohmann::json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace cahn::factory
