#include "voucher/bounded_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace cahn::voucher {
namespace {

using nlohmann::json;

constexpr int max_depth = 16;
constexpr std::size_t max_quoted = 40;

// What it refuses, it remembers; the rest of the text is then read past.
class Watch {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= max_depth) refuse("JSON of more than 16 levels");
    if (!refusal_.empty()) return false;
    if (event == json::parse_event_t::object_start) open_objects_.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects_.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!open_objects_.back().insert(name).second) refuse("JSON with two members named " + in_quotes(name));
    }
    return refusal_.empty();
  }
  const std::string& refusal() const { return refusal_; }

 private:
  void refuse(std::string why) {
    if (refusal_.empty()) refusal_ = std::move(why);
  }

  std::vector<std::set<std::string>> open_objects_;
  std::string refusal_;
};

}  // namespace

Result<json> parse_object(std::string_view text, std::size_t max_size) {
  if (text.size() > max_size) {
    return fail(VoucherError::not_json, "JSON of more than " + std::to_string(max_size >> 10) + " KiB");
  }
  Watch watch;
  try {
    json document = json::parse(text, std::ref(watch));
    if (!watch.refusal().empty()) return fail(VoucherError::not_json, watch.refusal());
    if (!document.is_object()) {
      return fail(VoucherError::not_json, "expected a JSON object, found " + std::string(kind_of(document)));
    }
    return document;
  } catch (const json::parse_error& error) {
    if (!watch.refusal().empty()) return fail(VoucherError::not_json, watch.refusal());
    return fail(VoucherError::not_json, "not JSON in UTF-8 from octet " + std::to_string(error.byte) + " on");
  }
}

std::string_view kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "an array";
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return "a number";
    default:
      return "null";
  }
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, max_quoted)) out += c >= 0x20 && c < 0x7f && c != '"' ? c : '?';
  return out + (text.size() > max_quoted ? "…\"" : "\"");
}

}  // namespace cahn::voucher
