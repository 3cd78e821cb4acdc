// What the trust engine keeps of each claim; of its two source files alone.

#pragma once

#include "cascade/trust_engine.h"

namespace cahn::cascade {

struct TrustEngine::Claim : VerifiedClaim {
  std::size_t index = 0;
  bool queued = false;
  bool accepted = false;
  bool in_force = false;
  bool has_edges = false;
  const Claim* retracted_by = nullptr;  // for good, once set
  std::string principal;                // whose word it is, when last settled
  std::string topic;                    // empty: its word is not heard
  std::vector<Fact> facts;              // as asserted
};

// One issuer's words on one matter, the last of which holds.
struct TrustEngine::Topic {
  std::set<Claim*, EarlierWord> words;
  Claim* holds = nullptr;
};

// Who speaks when a claim speaks, or why nobody does.
struct TrustEngine::Voice {
  std::string principal;  // the person, maker or service whose word it is
  std::string person;     // the same, when it is a person
  std::string problem;    // not empty: it is not heard
};

// The first argument is what most claims are about; with a person in front, the second.
inline const std::string& subject_of(const credential::Statement& statement) {
  const bool person_first = statement.relation == "Trust" || statement.relation == "Distrust" ||
                            statement.relation == "KeyBinding" || statement.relation == "UserRight";
  return statement.arguments[person_first ? 1 : 0];
}

inline constexpr std::string_view sales_role = "purchase";

// ann@example.org, for mailto:ann@example.org.
std::string name_of(const std::string& person);

}  // namespace cahn::cascade
