// JSON of what the registrar keeps in its store, and the members its documents are read by. Internal.

#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/time.h"

namespace cahn::brski::stored {

using nlohmann::json;

inline std::string written(const json& document, int indent = -1) {
  return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

inline std::optional<std::string> text(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

inline bool flag(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

inline std::optional<Time> time(const json& object, const char* name) {
  const auto value = text(object, name);
  const auto parsed = value ? parse_rfc3339(*value) : Result<Time>(fail(TimeError::bad_rfc3339, "missing"));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

inline std::optional<Bytes> octets(const json& object, const char* name) {
  const auto value = text(object, name);
  auto decoded = value ? base64_decode(*value) : Result<Bytes>(fail(EncodingError::bad_base64, "missing"));
  return decoded ? std::optional(*std::move(decoded)) : std::nullopt;
}

}  // namespace cahn::brski::stored
