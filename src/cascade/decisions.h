// All answers as of one log position: what the engine's thread writes, and the immutable snapshots of it that all read.
//
// Threads: a Decisions is a value of the engine's thread; snapshots are immutable.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cascade/claim_node.h"
#include "cascade/persistent_map.h"

namespace cahn::cascade {

struct Decisions {
  store::Position position = 0;
  PersistentMap<Verdict> makers;   // of every key that is trusted, distrusted, or made a device
  PersistentMap<Verdict> devices;  // of every device observed
  PersistentMap<std::vector<std::string>> owners_trusting;  // by key

  // A copy that shares all its parts.
  std::shared_ptr<const Snapshot> publish() const;
};

}  // namespace cahn::cascade
