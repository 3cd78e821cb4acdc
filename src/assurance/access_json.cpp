#include "assurance/access_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "assurance/command_messages.h"
#include "assurance/json_members.h"
#include "base/ascii.h"
#include "credential/json.h"
#include "crypto/digest.h"

namespace cahn::assurance {
namespace {

using nlohmann::json;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return ascii::is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_serial(std::string_view text) { return !text.empty() && text.size() % 2 == 0 && is_hex(text); }

// The form alone: what is no key of any device matches no device.
bool is_device(std::string_view did) {
  constexpr std::string_view prefix = "did:key:z";
  if (!did.starts_with(prefix) || did.size() == prefix.size()) return false;
  return std::ranges::all_of(did.substr(prefix.size()), [](char c) { return c != '0' && ascii::is_alphanumeric(c); });
}

bool read_ldevid(const json& element, std::vector<LdevidName>& ldevids) {
  JsonMembers members(element);
  LdevidName name{members.text("serial", max_serial_hex), members.text("issuer", max_issuer)};
  members.require(is_serial(name.serial_hex), "serial");
  ldevids.push_back(std::move(name));
  return members.check().has_value();
}

}  // namespace

std::string_view command_relation(Answer answer) {
  return answer == Answer::permit ? "DeviceTrustCommand" : "DeviceRevokeCommand";
}

json to_json_details(const Access& access) {
  json ldevids = json::array();
  for (const auto& name : access.ldevids) ldevids.push_back({{"serial", name.serial_hex}, {"issuer", name.issuer}});
  return {{"number", access.number},
          {"serialNumber", access.serial_number},
          {"ldevids", std::move(ldevids)},
          {"segment", access.segment},
          {"reason", access.reason}};
}

json to_json(const Access& access) {
  json object = to_json_details(access);
  object["device"] = access.device;
  object["relation"] = command_relation(access.answer);
  return object;
}

Result<Access> details_from_json(const json& object) {
  JsonMembers members(object);
  Access access;
  access.number = members.number("number");
  access.serial_number = members.text("serialNumber", max_serial_number);
  access.segment = members.text("segment", max_segment);
  access.reason = members.text("reason", max_reason);
  members.array("ldevids", max_ldevids, [&](const json& element) { return read_ldevid(element, access.ldevids); });
  members.require(access.number > 0, "number");
  members.require(!access.serial_number.empty(), "serialNumber");
  CAHN_CHECK(members.check());
  return access;
}

Result<Access> access_from_json(const json& object) {
  CAHN_TRY(Access access, details_from_json(object));
  JsonMembers members(object);
  access.device = members.text("device", max_device);
  members.require(is_device(access.device), "device");
  const std::string relation = members.text("relation", 32);
  CAHN_CHECK(members.check());
  // Decision 35: a fact is no command, whoever signed it.
  if (relation == command_relation(Answer::permit)) {
    access.answer = Answer::permit;
  } else if (relation != command_relation(Answer::deny)) {
    return fail(AssuranceError::not_a_command, "an entry's relation is not a command");
  }
  return access;
}

std::string fit_text(std::string_view text, std::size_t max) {
  const auto cut = [max](std::string_view longer) {
    std::size_t end = std::min(max, longer.size());
    while (end > 0 && end < longer.size() && (static_cast<unsigned char>(longer[end]) & 0xc0) == 0x80) --end;
    return longer.substr(0, end);
  };
  // Dumping replaces what is not UTF-8 by U+FFFD, which may lengthen it; reading that back cannot fail.
  const auto replaced = json(cut(text)).dump(-1, ' ', false, json::error_handler_t::replace);
  return std::string(cut(json::parse(replaced).get_ref<const std::string&>()));
}

Bytes write_access(const Access& access) { return to_bytes(credential::canonical(to_json(access))); }

Result<Access> read_access(ByteView octets) {
  auto object = credential::parse_json(as_text(octets));
  if (!object) return fail(AssuranceError::malformed, object.error().message);
  return access_from_json(*object);
}

std::string state_digest(std::vector<Access> entries) {
  std::ranges::sort(entries, {}, &Access::device);
  json all = json::array();
  for (const auto& entry : entries) all.push_back(to_json(entry));
  return hex(crypto::sha256(as_bytes(credential::canonical(all))));
}

}  // namespace cahn::assurance
