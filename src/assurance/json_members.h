// Reads members of a hostile JSON object into values within bounds. The first thing that does not fit is remembered;
// the caller asks once, at the end.
//
// Threads: values.

#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "assurance/error.h"
#include "base/result.h"

namespace cahn::assurance {

inline constexpr std::uint64_t max_number = std::uint64_t{1} << 53;  // what JSON (RFC 8259 6) carries exactly

class JsonMembers {
 public:
  explicit JsonMembers(const nlohmann::json& object) : object_(object) {
    if (!object.is_object()) problem_ = "not a JSON object";
  }

  std::string text(const char* name, std::size_t max) {
    const auto* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string() || value->get_ref<const std::string&>().size() > max) return refuse(name), std::string();
    return value->get<std::string>();
  }
  std::uint64_t number(const char* name, std::uint64_t max = max_number) {
    const auto* value = find(name);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > max) return refuse(name), 0;
    return value->get<std::uint64_t>();
  }
  bool flag(const char* name) {
    const auto* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return refuse(name), false;
    return value->get<bool>();
  }
  // Calls `each` for every element until it returns false, which refuses the member.
  void array(const char* name, std::size_t max, const std::function<bool(const nlohmann::json&)>& each) {
    const auto* value = find(name);
    if (value == nullptr) return;
    if (!value->is_array() || value->size() > max) return refuse(name);
    for (const auto& element : *value) {
      if (!each(element)) return refuse(name);
    }
  }
  void require(bool fits, const char* name) {
    if (!fits) refuse(name);
  }

  Result<void> check() const {
    if (problem_.empty()) return {};
    return fail(AssuranceError::malformed, problem_);
  }

 private:
  const nlohmann::json* find(const char* name) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    if (found == object_.end()) return refuse(name), nullptr;
    return &*found;
  }
  void refuse(const char* name) {
    if (problem_.empty()) problem_ = "member " + std::string(name) + " is missing or does not fit";
  }

  const nlohmann::json& object_;
  std::string problem_;
};

}  // namespace cahn::assurance
