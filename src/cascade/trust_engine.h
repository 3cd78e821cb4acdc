// The trust engine: which claims are in force, whose word counts here, and for what (L433-437, decision 38). It sifts
// what was received into the facts that the rules see.
//
// A claim is in force when all of this holds, in this order; the first that does not is the reason it gives:
//
//   its form and proof are right          else refused, for good
//   its issuer may speak of the matter    else refused, until a binding, a right or an observation changes that
//   nobody entitled to retracted it       a retraction is for good (decision 43)
//   its time has begun                    60 s of grace for a clock that is ahead
//   it is the issuer's latest word        later validFrom, then log position (decision 41); "issuer" is the person,
//   however
//                                         many keys they have; Trust and Distrust of one thing are one matter
//   its time has not ended                the latest word, once ended, leaves no word: the one before it stays
//   superseded
//
// State is a pure function of what was folded in, in order: nothing reads a clock. Time comes as an event (decision
// 40).
//
// Threads: none of its own; the caller guards it.

#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "cascade/rule_engine.h"
#include "credential/credential.h"

namespace cahn::cascade {

// A claim as it stands in the log, its form and proof looked at once.
struct VerifiedClaim {
  std::string id;  // content hash
  std::string statement_hash;
  store::Position position = 0;
  Time received_at;
  credential::Statement statement;
  std::string issuer;
  std::optional<Time> valid_from, valid_until;
  std::string refusal;  // why it can never count; empty when form and proof are right
};

struct Observation {
  std::string device, manufacturer, serial_number;
  store::Position position = 0;  // where the log has it; no part of what was seen
  friend bool operator==(const Observation& a, const Observation& b) {
    return a.device == b.device && a.manufacturer == b.manufacturer && a.serial_number == b.serial_number;
  }
};

class TrustEngine {
 public:
  TrustEngine(const std::vector<std::string>& owners, const std::vector<std::string>& binding_keys);
  ~TrustEngine();

  // The events of the log, folded in order.
  void add(VerifiedClaim);    // known already: nothing happens
  void observe(Observation);  // the latest one of a device holds
  void advance(Time now);     // time never goes back
  // When the next claim starts or ends: a clock event is due then.
  std::optional<Time> next_edge() const;

  // The facts that changed since the last call, in order.
  std::vector<FactChange> take_changes();
  // The keys whose owners_trusting changed since the last call.
  std::vector<std::string> take_trust_changes();

  bool knows(const std::string& claim_id) const;
  std::optional<ClaimStatus> status(const std::string& claim_id) const;
  // Of claims after this position, oldest first.
  std::vector<ClaimStatus> list(store::Position after, std::size_t limit) const;
  std::size_t accepted() const { return accepted_; }
  std::size_t refused() const { return claims_.size() - accepted_; }
  const Observation* observation(const std::string& device) const;
  // The owners whose own Trust in this key is in force (L517-524), sorted.
  std::vector<std::string> owners_trusting(const std::string& key) const;

 private:
  struct Claim;
  struct Topic;
  struct Voice;
  struct FirstInTheLog {
    bool operator()(const Claim*, const Claim*) const;
  };
  struct EarlierWord {
    bool operator()(const Claim*, const Claim*) const;
  };
  using Claims = std::set<Claim*, FirstInTheLog>;

  // trust_voice.cpp: what may be said by whom.
  Voice voice(const Claim&) const;
  Voice voice_of_identity_service(const Claim&) const;
  Voice voice_of_person(const Claim&) const;
  Voice voice_of_maker(const Claim&) const;
  Voice voice_about_maker_key(const Claim&) const;
  std::string missing_right(const Claim&, const std::string& person) const;
  std::vector<std::string_view> rights_for(const Claim&) const;
  const std::string* person_of(const std::string& key) const;
  const Claim* seller(const std::string& maker, const std::string& key) const;
  bool may(const std::string& person, std::string_view right) const;
  bool may_retract(const Claim& retraction, const Claim& target) const;
  std::string problem_of(const Claim&) const;
  std::string problem_of_retraction(const Claim&) const;
  ClaimStatus status_of(const Claim&) const;

  // trust_engine.cpp: what a claim is, and what that changes for others, until nothing changes.
  void settle_all();
  void settle(Claim&);
  void settle_retraction(Claim&);
  void set_accepted(Claim&, bool);
  void enter_topic(Claim&, const std::string& topic);  // empty: leave
  void reforce(const std::string& topic);
  void set_force(Claim&, bool in_force);
  void bind(Claim&, bool in_force);
  void set_owner_trust(const Claim&, bool in_force);
  void publish_facts(Claim&, std::vector<Fact> wanted);
  std::vector<Fact> facts_of(const Claim&) const;
  std::map<std::string, std::map<std::string, const Claim*>> derive_rights() const;
  void publish_rights();
  void queue(Claim*);
  void queue_issued_by(const std::string& key);
  void queue_about(const std::string& subject);
  void add_edges(Claim&);
  bool begun(const Claim&) const;
  bool ended(const Claim&) const;

  const std::set<std::string> owners_;
  const std::set<std::string> binding_keys_;
  Time now_{};

  std::vector<std::unique_ptr<Claim>> claims_;  // in the order of their positions
  std::unordered_map<std::string, Claim*> by_id_;
  std::unordered_map<std::string, std::vector<Claim*>> by_issuer_;
  std::unordered_map<std::string, std::vector<Claim*>> by_subject_;  // what it is about: a key, a claim
  std::unordered_map<std::string, std::vector<Claim*>> by_statement_;
  std::unordered_map<std::string, std::unique_ptr<Topic>> topics_;
  std::unordered_map<std::string, Claims> bindings_;                   // key → bindings in force; the first one holds
  std::map<std::pair<std::string, std::string>, Claims> sellers_;      // (maker, key) → ManufacturerKey in force
  Claims grants_;                                                      // UserRight in force
  std::map<std::string, std::map<std::string, const Claim*>> rights_;  // person → right → what gave it; null: owner
  std::set<std::vector<std::string>> rights_facts_;                    // as asserted: name and arguments
  std::unordered_map<std::string, Observation> observations_;
  std::unordered_map<std::string, std::size_t> devices_of_;  // maker → how many of its devices were observed
  std::unordered_map<std::string, std::set<std::string>> owners_trusting_;
  std::set<std::pair<Time, std::size_t>> edges_;  // and the index of the claim

  std::deque<Claim*> queue_;
  bool rights_are_stale_ = false;
  std::size_t accepted_ = 0;
  std::vector<FactChange> changes_;
  std::vector<std::string> trust_changes_;
};

}  // namespace cahn::cascade
