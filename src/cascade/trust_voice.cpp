#include "cascade/trust_state.h"
#include "credential/notation.h"
#include "credential/relations.h"

namespace cahn::cascade {
namespace {

constexpr std::string_view trust_manufacturers = "trust-manufacturers";
constexpr std::string_view connect_devices = "connect-devices";
constexpr std::string_view grant_rights = "grant-rights";

std::string written(Time time) { return rfc3339(std::chrono::floor<std::chrono::seconds>(time)); }

}  // namespace

std::string name_of(const std::string& person) {
  constexpr std::string_view scheme = "mailto:";
  return person.starts_with(scheme) ? person.substr(scheme.size()) : person;
}

const std::string* TrustEngine::person_of(const std::string& key) const {
  const auto found = bindings_.find(key);
  return found == bindings_.end() ? nullptr : &(*found->second.begin())->statement.arguments[0];
}

const TrustEngine::Claim* TrustEngine::seller(const std::string& maker, const std::string& key) const {
  const auto found = sellers_.find({maker, key});
  return found == sellers_.end() ? nullptr : *found->second.begin();
}

bool TrustEngine::may(const std::string& person, std::string_view right) const {
  const auto found = rights_.find(person);
  return found != rights_.end() && found->second.contains(std::string(right));
}

TrustEngine::Voice TrustEngine::voice(const Claim& claim) const {
  const auto& relation = claim.statement.relation;
  if (relation == "KeyBinding") return voice_of_identity_service(claim);
  if (relation == "Purchase") return voice_of_maker(claim);
  if (relation == "ManufacturerKey") return voice_about_maker_key(claim);
  return voice_of_person(claim);
}

// Decision 33: who is behind a key is said by the identity service alone.
TrustEngine::Voice TrustEngine::voice_of_identity_service(const Claim& claim) const {
  if (binding_keys_.contains(claim.issuer)) return {claim.issuer, {}, {}};
  return {{}, {}, "only this network's identity service says whose a key is, and " + claim.issuer + " is not its key"};
}

TrustEngine::Voice TrustEngine::voice_of_person(const Claim& claim) const {
  const auto* person = person_of(claim.issuer);
  if (person == nullptr) return {{}, {}, "unknown issuer: no credential binds " + claim.issuer + " to a person"};
  const auto& [relation, arguments] = claim.statement;
  // L554-568: nobody trusts in another's name (decision 19).
  if ((relation == "Trust" || relation == "Distrust") && arguments[0] != *person) {
    return {
        {},
        {},
        relation + " of " + name_of(arguments[0]) + " must be signed by them; this is a key of " + name_of(*person)};
  }
  return {*person, *person, {}};
}

// L571-600: a purchase is recorded by who made the device, with the CA's key or with one that sells for it.
TrustEngine::Voice TrustEngine::voice_of_maker(const Claim& claim) const {
  const auto* observed = observation(claim.statement.arguments[0]);
  if (observed == nullptr) return {{}, {}, "the device has not been seen here yet, so its manufacturer is not known"};
  const auto& maker = observed->manufacturer;
  if (claim.issuer == maker || seller(maker, claim.issuer) != nullptr) return {maker, {}, {}};
  return {{}, {}, claim.issuer + " does not sell for the manufacturer of the device, " + maker};
}

// Said by the manufacturer itself; or, as most manufacturer CAs have keys that sign no credentials, by a person who is
// entitled to trust manufacturers and so vouches for what they were told.
TrustEngine::Voice TrustEngine::voice_about_maker_key(const Claim& claim) const {
  if (claim.issuer == claim.statement.arguments[0]) return {claim.issuer, {}, {}};
  auto voice = voice_of_person(claim);
  if (voice.problem.empty() && !may(voice.person, trust_manufacturers)) {
    voice.problem = name_of(voice.person) + " lacks the right " + std::string(trust_manufacturers);
  }
  return voice;
}

// Any of these rights lets the claim's issuer say it.
std::vector<std::string_view> TrustEngine::rights_for(const Claim& claim) const {
  const auto& [relation, arguments] = claim.statement;
  if (relation == "UserRight") return {grant_rights};
  if (relation == "OwnerDeclaration") return {connect_devices};
  if (relation != "Trust" && relation != "Distrust") return {};
  if (observations_.contains(arguments[1])) return {connect_devices};
  if (devices_of_.contains(arguments[1])) return {trust_manufacturers};
  return {trust_manufacturers, connect_devices};  // not known yet what it is
}

std::string TrustEngine::missing_right(const Claim& claim, const std::string& person) const {
  const auto needed = rights_for(claim);
  std::string names;
  for (const auto right : needed) {
    if (may(person, right)) return {};
    names += (names.empty() ? "" : " or ") + std::string(right);
  }
  return needed.empty() ? std::string{} : name_of(person) + " lacks the right " + names;
}

bool TrustEngine::may_retract(const Claim& retraction, const Claim& target) const {
  if (target.statement.relation == "Retraction") return false;  // decision 43: for good
  if (retraction.issuer == target.issuer) return true;
  if (target.statement.relation == "Purchase") {
    const auto* observed = observation(target.statement.arguments[0]);
    if (observed == nullptr) return false;
    const auto& maker = observed->manufacturer;
    const auto sells = [&](const std::string& key) { return key == maker || seller(maker, key) != nullptr; };
    return sells(retraction.issuer) && sells(target.issuer);
  }
  const auto *taker = person_of(retraction.issuer), *sayer = person_of(target.issuer);
  return taker != nullptr && sayer != nullptr && *taker == *sayer;
}

std::string TrustEngine::problem_of_retraction(const Claim& claim) const {
  const auto target = by_id_.find(claim.statement.arguments[0]);
  if (target == by_id_.end()) return "the claim it retracts has not been received";
  if (!target->second->refusal.empty()) return "the claim it retracts was refused";
  if (target->second->statement.relation == "Retraction") return "a retraction is for good";
  if (target->second->retracted_by == &claim) return {};
  if (!may_retract(claim, *target->second)) return "only who issued a claim may retract it";
  if (!begun(claim)) return "not valid before " + written(*claim.valid_from);
  return "the claim it retracts is retracted already";
}

// Why it is not in force; empty when it is. The order is that of the header.
std::string TrustEngine::problem_of(const Claim& claim) const {
  if (!claim.refusal.empty()) return claim.refusal;
  if (claim.statement.relation == "Retraction") return problem_of_retraction(claim);
  const auto spoken = voice(claim);
  if (!spoken.problem.empty()) return spoken.problem;
  if (!spoken.person.empty()) {
    if (auto missing = missing_right(claim, spoken.person); !missing.empty()) return missing;
  }
  if (claim.retracted_by != nullptr) {
    const auto* person = person_of(claim.retracted_by->issuer);
    return "retracted by " + (person != nullptr ? name_of(*person) : claim.retracted_by->issuer) + " with claim " +
           claim.retracted_by->id;
  }
  if (!begun(claim)) return "not valid before " + written(*claim.valid_from);
  if (const auto topic = topics_.find(claim.topic); topic != topics_.end() && topic->second->holds != &claim) {
    return "superseded by the later claim " + topic->second->holds->id;
  }
  if (ended(claim)) return "expired at " + written(*claim.valid_until);
  if (claim.statement.relation == "KeyBinding") {
    const auto* person = person_of(claim.statement.arguments[1]);
    if (person != nullptr && *person != claim.statement.arguments[0])
      return "the key is bound to " + name_of(*person) + " already";
  }
  return {};
}

ClaimStatus TrustEngine::status_of(const Claim& claim) const {
  ClaimStatus status;
  status.id = claim.id;
  status.position = claim.position;
  status.received_at = claim.received_at;
  // A sale is usually reported before the device turns up: it waits, and nothing is wrong with it.
  const bool waits = claim.refusal.empty() && claim.statement.relation == "Purchase" &&
                     observation(claim.statement.arguments[0]) == nullptr;
  status.state = claim.accepted || waits ? ClaimState::accepted : ClaimState::refused;
  status.reason = problem_of(claim);
  status.relation = claim.statement.relation;
  status.notation = credential::to_notation({claim.statement, claim.issuer});
  status.issuer = claim.issuer;
  if (const auto* person = person_of(claim.issuer)) status.person = *person;
  status.counts = status.reason.empty();
  return status;
}

std::optional<ClaimStatus> TrustEngine::status(const std::string& claim_id) const {
  const auto found = by_id_.find(claim_id);
  if (found == by_id_.end()) return std::nullopt;
  return status_of(*found->second);
}

}  // namespace cahn::cascade
