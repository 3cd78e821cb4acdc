#include "assurance/decision_json.h"

#include <nlohmann/json.hpp>

#include "assurance/access_json.h"
#include "assurance/decision_loop.h"
#include "assurance/json_members.h"
#include "credential/json.h"

namespace cahn::assurance {
namespace {

using nlohmann::json;

constexpr std::size_t max_text = 4'096;
constexpr std::size_t max_claims = 10'000;
constexpr std::size_t max_time = 40;

std::optional<Time> time_of(JsonMembers& members, const char* name) {
  const auto time = parse_rfc3339(members.text(name, max_time));
  members.require(time.has_value(), name);
  return time ? std::optional(*time) : std::nullopt;
}

}  // namespace

json to_json(const Decision& decision) {
  json object = {{"number", decision.number},   {"device", decision.device},
                 {"network", decision.network}, {"answer", decision.answer == Answer::permit ? "permit" : "deny"},
                 {"segment", decision.segment}, {"reason", decision.reason},
                 {"claims", decision.claims},   {"takenAt", rfc3339(decision.taken_at, true)}};
  if (decision.review_at) object["reviewAt"] = rfc3339(*decision.review_at, true);
  return object;
}

Result<Decision> decision_from_json(const json& object) {
  JsonMembers members(object);
  Decision decision;
  decision.number = members.number("number");
  decision.device = members.text("device", max_device);
  decision.network = members.text("network", max_text);
  const std::string answer = members.text("answer", 8);
  members.require(answer == "permit" || answer == "deny", "answer");
  decision.answer = answer == "permit" ? Answer::permit : Answer::deny;
  decision.segment = members.text("segment", max_text);
  decision.reason = members.text("reason", max_text);
  members.array("claims", max_claims, [&](const json& claim) {
    if (claim.is_string()) decision.claims.push_back(claim.get<std::string>());
    return claim.is_string();
  });
  decision.taken_at = time_of(members, "takenAt").value_or(Time());
  if (object.is_object() && object.contains("reviewAt")) decision.review_at = time_of(members, "reviewAt");
  CAHN_CHECK(members.check());
  return decision;
}

Bytes write_decision(const Decision& decision) { return to_bytes(credential::canonical(to_json(decision))); }

Result<Decision> read_decision(ByteView octets) {
  const auto object = credential::parse_json(as_text(octets), {.max_size = std::size_t{4} << 20, .max_depth = 8});
  if (!object) return fail(AssuranceError::malformed, object.error().message);
  return decision_from_json(*object);
}

}  // namespace cahn::assurance
