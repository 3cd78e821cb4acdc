// The door of the node: bytes become a claim in the log, or are turned away before anything is stored.
//
// A claim is known from the moment its append is asked for; who posts it again waits for the same commit and is told
// so. Between receipt and fold a claim is pending, and how many may be is bounded.
//
// Threads: safe from any thread. Callbacks of the log keep the intake alive, hence shared_ptr.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cascade/claim_node.h"
#include "cascade/verifier.h"

namespace cahn::cascade {

inline constexpr std::string_view claim_event = "claim";  // the payload is the bytes as received (decision 46)

class Intake : public std::enable_shared_from_this<Intake> {
 public:
  using Done = std::function<void(Result<ClaimReceipt>)>;
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct Limits {
    std::size_t max_claim;
    std::size_t max_pending;
  };

  Intake(store::Store&, const Clock&, Verifier&, Limits);

  // `done` is called once, from any thread, after the claim is durable or was turned away.
  void submit(Bytes, Done done);

  struct Taken {
    Verifier::Pending verification;
    std::string bytes_digest;            // names it in `folded`
    std::optional<SteadyTime> received;  // when it came in through here
  };
  // For the fold: the verification under way of a claim that came in through here, else one begun now.
  Taken take(const Bytes& payload) const;
  // For the fold: the claim of this id is in the snapshot, so it is pending no more; or it was read on start.
  void folded(const std::string& id, store::Position, const std::string& bytes_digest);

  // Of durable claims that are not folded yet: by id; after a position.
  std::optional<ClaimStatus> status(const std::string& id) const;
  std::vector<ClaimStatus> list(store::Position after) const;
  std::size_t pending() const;

 private:
  struct Pending;

  void committed(const std::shared_ptr<Pending>&, Result<store::Committed>);

  store::Store& store_;
  const Clock& clock_;
  Verifier& verifier_;
  const Limits limits_;

  mutable std::mutex mutex_;
  std::unordered_map<std::string, store::Position> known_;                   // by id; 0 while not durable
  std::unordered_map<std::string, std::shared_ptr<Pending>> pending_;        // by id
  std::unordered_map<std::string, std::shared_ptr<Pending>> pending_bytes_;  // by SHA-256 of the received bytes
};

}  // namespace cahn::cascade
