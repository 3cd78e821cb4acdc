#include "cascade/trust_engine.h"

#include <algorithm>

#include "cascade/trust_state.h"
#include "credential/relations.h"

namespace cahn::cascade {
namespace {

constexpr std::chrono::seconds grace{60};  // before validFrom: the issuer's clock may be ahead of ours

// Each part with its length in front, so that no part can pretend to be two.
std::string joined(const std::vector<std::string>& parts) {
  std::string key;
  for (const auto& part : parts) key += std::to_string(part.size()) + ':' + part;
  return key;
}

std::string topic_of(const std::string& principal, const credential::Statement& statement) {
  std::vector<std::string> parts{principal, statement.relation == "Distrust" ? "Trust" : statement.relation};
  parts.insert(parts.end(), statement.arguments.begin(), statement.arguments.end());
  return joined(parts);
}

FactChange change(const std::vector<std::string>& name_and_arguments, bool present) {
  return {{name_and_arguments.front(), {name_and_arguments.begin() + 1, name_and_arguments.end()}}, present};
}

}  // namespace

bool TrustEngine::FirstInTheLog::operator()(const Claim* a, const Claim* b) const { return a->position < b->position; }

// Decision 41: the later validFrom, then the later position.
bool TrustEngine::EarlierWord::operator()(const Claim* a, const Claim* b) const {
  return std::tie(*a->valid_from, a->position) < std::tie(*b->valid_from, b->position);
}

TrustEngine::TrustEngine(const std::vector<std::string>& owners, const std::vector<std::string>& binding_keys)
    : owners_(owners.begin(), owners.end()), binding_keys_(binding_keys.begin(), binding_keys.end()) {
  publish_rights();
}

TrustEngine::~TrustEngine() = default;

// --- events --------------------------------------------------------------------------------------------------------

void TrustEngine::add(VerifiedClaim verified) {
  if (by_id_.contains(verified.id)) return;
  Claim& claim = *claims_.emplace_back(std::make_unique<Claim>());
  static_cast<VerifiedClaim&>(claim) = std::move(verified);
  if (claim.refusal.empty() && !claim.valid_from) {
    claim.refusal = "it has no validFrom, so nobody can tell which of two statements is the later";  // decision 41
  }
  claim.index = claims_.size() - 1;
  by_id_.emplace(claim.id, &claim);
  if (!claim.refusal.empty()) return;
  auto& same = by_statement_[claim.statement_hash];
  // Decision 42: another encoding of a retracted statement is that statement.
  if (!same.empty()) claim.retracted_by = same.front()->retracted_by;
  same.push_back(&claim);
  by_issuer_[claim.issuer].push_back(&claim);
  by_subject_[subject_of(claim.statement)].push_back(&claim);
  queue(&claim);
  settle_all();
}

void TrustEngine::observe(Observation seen) {
  const auto fact = [](const Observation& o) { return Fact{"observed", {o.device, o.manufacturer, o.serial_number}}; };
  auto& known = observations_[seen.device];
  if (known == seen) return;
  if (!known.device.empty()) {
    changes_.push_back({fact(known), false});
    if (const auto count = devices_of_.find(known.manufacturer); --count->second == 0) devices_of_.erase(count);
    queue_about(known.manufacturer);
  }
  known = std::move(seen);
  changes_.push_back({fact(known), true});
  if (++devices_of_[known.manufacturer] == 1) queue_about(known.manufacturer);
  queue_about(known.device);
  settle_all();
}

void TrustEngine::advance(Time now) {
  now_ = std::max(now_, now);
  while (!edges_.empty() && edges_.begin()->first <= now_) {
    queue(claims_[edges_.begin()->second].get());
    edges_.erase(edges_.begin());
  }
  settle_all();
}

std::optional<Time> TrustEngine::next_edge() const {
  return edges_.empty() ? std::nullopt : std::optional(edges_.begin()->first);
}

// --- settling ------------------------------------------------------------------------------------------------------

void TrustEngine::settle_all() {
  while (!queue_.empty() || rights_are_stale_) {
    if (queue_.empty()) {
      publish_rights();
      continue;
    }
    Claim& claim = *queue_.front();
    queue_.pop_front();
    claim.queued = false;
    settle(claim);
  }
}

void TrustEngine::settle(Claim& claim) {
  if (claim.statement.relation == "Retraction") return settle_retraction(claim);
  const auto spoken = voice(claim);
  const bool heard = spoken.problem.empty();
  set_accepted(claim, heard && (spoken.person.empty() || missing_right(claim, spoken.person).empty()));
  const bool stands = heard && claim.retracted_by == nullptr;
  claim.principal = spoken.principal;
  if (stands) add_edges(claim);
  enter_topic(claim, stands && begun(claim) ? topic_of(spoken.principal, claim.statement) : std::string{});
  if (claim.in_force) publish_facts(claim, facts_of(claim));
  // A retraction may have come before its target, or before the binding that shows it is of the same person.
  if (claim.retracted_by == nullptr) queue_about(claim.id);
}

void TrustEngine::settle_retraction(Claim& retraction) {
  const auto found = by_id_.find(retraction.statement.arguments[0]);
  const Claim* target = found == by_id_.end() ? nullptr : found->second;
  const bool takes = target != nullptr && target->refusal.empty() &&
                     (target->retracted_by == &retraction || may_retract(retraction, *target));
  set_accepted(retraction, target == nullptr || takes);
  if (!takes || target->retracted_by != nullptr) return;
  if (!begun(retraction)) return add_edges(retraction);
  for (Claim* same : by_statement_[target->statement_hash]) {
    same->retracted_by = &retraction;
    queue(same);
  }
}

void TrustEngine::set_accepted(Claim& claim, bool accepted) {
  if (claim.accepted == accepted) return;
  claim.accepted = accepted;
  accepted ? ++accepted_ : --accepted_;
}

void TrustEngine::enter_topic(Claim& claim, const std::string& topic) {
  if (claim.topic != topic && !claim.topic.empty()) {
    const std::string left = claim.topic;
    claim.topic.clear();
    topics_.at(left)->words.erase(&claim);
    reforce(left);
  }
  if (topic.empty()) return;
  claim.topic = topic;
  auto& entered = topics_[topic];
  if (!entered) entered = std::make_unique<Topic>();
  entered->words.insert(&claim);
  reforce(topic);
}

void TrustEngine::reforce(const std::string& name) {
  Topic& topic = *topics_.at(name);
  Claim* const before = topic.holds;
  topic.holds = topic.words.empty() ? nullptr : *topic.words.rbegin();
  if (before != nullptr && before != topic.holds) set_force(*before, false);
  if (topic.holds == nullptr) {
    topics_.erase(name);
  } else {
    set_force(*topic.holds, !ended(*topic.holds));
  }
}

void TrustEngine::set_force(Claim& claim, bool in_force) {
  if (claim.in_force == in_force) return;
  claim.in_force = in_force;
  const auto& [relation, arguments] = claim.statement;
  if (relation == "KeyBinding") bind(claim, in_force);
  if (relation == "Trust") set_owner_trust(claim, in_force);
  if (relation == "UserRight") {
    in_force ? (void)grants_.insert(&claim) : (void)grants_.erase(&claim);
    rights_are_stale_ = true;
  }
  if (relation == "ManufacturerKey" && arguments[2] == sales_role) {
    auto& claims = sellers_[{arguments[0], arguments[1]}];
    in_force ? (void)claims.insert(&claim) : (void)claims.erase(&claim);
    if (claims.empty()) sellers_.erase({arguments[0], arguments[1]});
    queue_issued_by(arguments[1]);
  }
  publish_facts(claim, in_force ? facts_of(claim) : std::vector<Fact>{});
}

void TrustEngine::bind(Claim& claim, bool in_force) {
  const auto& key = claim.statement.arguments[1];
  auto& claims = bindings_[key];
  in_force ? (void)claims.insert(&claim) : (void)claims.erase(&claim);
  if (claims.empty()) bindings_.erase(key);
  queue_issued_by(key);
}

void TrustEngine::set_owner_trust(const Claim& claim, bool in_force) {
  const auto &person = claim.statement.arguments[0], &key = claim.statement.arguments[1];
  if (!owners_.contains(person)) return;
  auto& people = owners_trusting_[key];
  in_force ? (void)people.insert(person) : (void)people.erase(person);
  if (people.empty()) owners_trusting_.erase(key);
  trust_changes_.push_back(key);
}

// --- facts ---------------------------------------------------------------------------------------------------------

std::vector<Fact> TrustEngine::facts_of(const Claim& claim) const {
  const auto& [relation, arguments] = claim.statement;
  const auto since = rfc3339(std::chrono::floor<std::chrono::seconds>(*claim.valid_from));
  if (relation == "Trust") return {{"trust", {arguments[1], arguments[0], since, claim.id}}};
  if (relation == "Distrust") return {{"distrust", {arguments[1], arguments[0], since, claim.id}}};
  if (relation == "OwnerDeclaration") {
    return {{"owner_declaration", {arguments[0], claim.principal, arguments[1], since, claim.id}}};
  }
  if (relation == "Purchase") {
    const auto& maker = observation(arguments[0])->manufacturer;
    const std::string type = arguments.size() > 2 ? arguments[2] : "";
    std::vector<Fact> facts{{"purchase", {arguments[0], maker, arguments[1], type, since, claim.id}}};
    const Claim* key = claim.issuer == maker ? nullptr : seller(maker, claim.issuer);
    if (key != nullptr) facts.push_back({"rests_on", {claim.id, key->id}});
    return facts;
  }
  return {};
}

void TrustEngine::publish_facts(Claim& claim, std::vector<Fact> wanted) {
  for (const auto& fact : claim.facts) {
    if (std::ranges::find(wanted, fact) == wanted.end()) changes_.push_back({fact, false});
  }
  for (const auto& fact : wanted) {
    if (std::ranges::find(claim.facts, fact) == claim.facts.end()) changes_.push_back({fact, true});
  }
  claim.facts = std::move(wanted);
}

// Owners have every right; who has grant-rights hands rights on. Found breadth first, so that the shortest chain
// explains.
std::map<std::string, std::map<std::string, const TrustEngine::Claim*>> TrustEngine::derive_rights() const {
  std::map<std::string, std::map<std::string, const Claim*>> rights;
  std::map<std::string, std::vector<const Claim*>> given_by;
  for (const Claim* grant : grants_) given_by[*person_of(grant->issuer)].push_back(grant);
  std::deque<std::string> grantors(owners_.begin(), owners_.end());
  for (const auto& owner : owners_) {
    for (const auto right : credential::rights()) rights[owner].emplace(right, nullptr);
  }
  for (; !grantors.empty(); grantors.pop_front()) {
    for (const Claim* grant : given_by[grantors.front()]) {
      const auto &person = grant->statement.arguments[0], &right = grant->statement.arguments[1];
      const bool fresh = rights[person].emplace(right, grant).second;
      if (fresh && right == "grant-rights") grantors.push_back(person);
    }
  }
  return rights;
}

void TrustEngine::publish_rights() {
  rights_are_stale_ = false;
  rights_ = derive_rights();
  std::set<std::vector<std::string>> wanted;
  for (const auto& [person, rights] : rights_) {
    for (const auto& [right, by] : rights) {
      wanted.insert({"counts", "network", person, right});
      for (const Claim* grant = by; grant != nullptr;) {
        wanted.insert({"grounds", person, right, grant->id});
        grant = rights_.at(*person_of(grant->issuer)).at("grant-rights");
      }
    }
  }
  std::set<std::string> people;
  const auto differ = [&](const auto& from, const auto& to, bool present) {
    for (const auto& fact : from) {
      if (to.contains(fact)) continue;
      changes_.push_back(change(fact, present));
      if (fact[0] == "counts") people.insert(fact[2]);
    }
  };
  differ(rights_facts_, wanted, false);
  differ(wanted, rights_facts_, true);
  rights_facts_ = std::move(wanted);
  for (const auto& [key, claims] : bindings_) {
    if (people.contains(*person_of(key))) queue_issued_by(key);
  }
}

// --- what hangs on what --------------------------------------------------------------------------------------------

void TrustEngine::queue(Claim* claim) {
  if (claim->queued) return;
  claim->queued = true;
  queue_.push_back(claim);
}

void TrustEngine::queue_issued_by(const std::string& key) {
  const auto found = by_issuer_.find(key);
  if (found != by_issuer_.end()) std::ranges::for_each(found->second, [this](Claim* claim) { queue(claim); });
}

void TrustEngine::queue_about(const std::string& subject) {
  const auto found = by_subject_.find(subject);
  if (found != by_subject_.end()) std::ranges::for_each(found->second, [this](Claim* claim) { queue(claim); });
}

// Only of claims that are heard: a stranger's claim must not make the log grow with the clock.
void TrustEngine::add_edges(Claim& claim) {
  if (claim.has_edges) return;
  claim.has_edges = true;
  if (!begun(claim)) edges_.emplace(*claim.valid_from - grace, claim.index);
  if (claim.valid_until && !ended(claim)) edges_.emplace(*claim.valid_until, claim.index);
}

bool TrustEngine::begun(const Claim& claim) const { return now_ >= *claim.valid_from - grace; }
bool TrustEngine::ended(const Claim& claim) const { return claim.valid_until && now_ >= *claim.valid_until; }

// --- answers -------------------------------------------------------------------------------------------------------

std::vector<FactChange> TrustEngine::take_changes() { return std::exchange(changes_, {}); }
std::vector<std::string> TrustEngine::take_trust_changes() { return std::exchange(trust_changes_, {}); }

bool TrustEngine::knows(const std::string& claim_id) const { return by_id_.contains(claim_id); }

std::vector<ClaimStatus> TrustEngine::list(store::Position after, std::size_t limit) const {
  std::vector<ClaimStatus> page;
  auto it = std::ranges::upper_bound(claims_, after, {}, [](const auto& claim) { return claim->position; });
  for (; it != claims_.end() && page.size() < limit; ++it) page.push_back(status_of(**it));
  return page;
}

const Observation* TrustEngine::observation(const std::string& device) const {
  const auto found = observations_.find(device);
  return found == observations_.end() ? nullptr : &found->second;
}

std::vector<std::string> TrustEngine::owners_trusting(const std::string& key) const {
  const auto found = owners_trusting_.find(key);
  if (found == owners_trusting_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace cahn::cascade
