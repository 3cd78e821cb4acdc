// A Decision is everything the system ever does to a network: one device, one network, one answer, and why. Each is
// logged.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace cahn::assurance {

enum class Answer { permit, deny };

struct Decision {
  std::uint64_t number = 0;  // grows by one a decision of this registrar
  std::string device;        // did:key of the IDevID key
  std::string network;
  Answer answer = Answer::deny;
  std::string segment;              // with permit: where to put it; empty: the bearer's default
  std::string reason;               // one sentence
  std::vector<std::string> claims;  // ids of the credentials it rests on
  Time taken_at;
  std::optional<Time> review_at;  // when it must be looked at again, claims or no claims
};

}  // namespace cahn::assurance
