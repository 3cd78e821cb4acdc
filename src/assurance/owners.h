// Who owns the network, as the claim node knows it.

#pragma once

#include "assurance/ownership.h"
#include "cascade/claim_node.h"

namespace cahn::assurance {

// A router's ownership credential becomes a claim like any other; the person owns this network when the claim node says
// that an owner's own Trust(person@, router+) is in force. Retracting it disconnects the router at the next check.
OwnerCheck owners_of(cascade::ClaimNode& node);

// A router must pass one of them.
OwnerCheck any_of(OwnerCheck first, OwnerCheck second);

}  // namespace cahn::assurance
