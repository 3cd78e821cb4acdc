// The claim node: signed claims in, decisions about devices out.
//
//   submit → bytes durable in the log (the receipt) → form and proof → who signed, and may they → facts → rules →
//   Snapshot
//
// The log is the truth; everything else is a fold of it and is rebuilt on start. Prolog runs on a thread of its own and
// publishes immutable snapshots (decision 37); readers never wait for it.
//
// Threads: safe from any thread.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "crypto/key.h"
#include "net/async.h"
#include "store/store.h"

namespace cahn::cascade {

enum class ClaimError { malformed, too_large, overloaded, unavailable, unknown, bad_rules };
std::string_view error_name(ClaimError);

struct ClaimNodeOptions {
  std::vector<std::string> owners;        // mailto: URIs of the network's owners: the root of all entitlement
  std::vector<std::string> binding_keys;  // did:key whose KeyBinding credentials say who is behind a mailto:
  std::string rules_directory;            // the *.pl files of rules/
  crypto::PrivateKeyPtr node_key;         // Ed25519: signs what the node itself states
  std::size_t max_claim = std::size_t{256} << 10;
  std::size_t max_pending = 10'000;            // received, not yet folded; past it: overloaded, before the append
  std::chrono::milliseconds clock_step{1000};  // how soon an expiry is noticed
};

struct ClaimReceipt {
  std::string id;  // content hash (decision 42)
  store::Position position = 0;
  bool known_already = false;  // posted before: nothing was appended
};

enum class ClaimState { received, accepted, refused };
struct ClaimStatus {
  std::string id;
  store::Position position = 0;
  Time received_at;
  ClaimState state = ClaimState::received;
  std::string reason;  // why refused, or what is wrong now: "retracted by …", "expired"
  std::string relation, notation, issuer;
  std::string person;   // mailto: behind the issuer, if bound
  bool counts = false;  // accepted, and in force now
};

// Why a device may, or may not. `claims` are the ids of the credentials that carry the answer (for a deny: that took it
// away, may be empty); `missing` says in words what would change a deny.
struct Verdict {
  bool permit = false;
  std::string reason;
  std::vector<std::string> claims;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// All decisions as of one log position. Immutable.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual store::Position position() const = 0;
  // Stage C.3's first question: does an entitled person trust this maker? Any did:key may be asked.
  virtual Verdict manufacturer(const std::string& manufacturer_did) const = 0;
  // The whole question for a device the node has observed (observe_device); others are denied as unknown.
  virtual Verdict device(const std::string& device_did) const = 0;
  virtual std::vector<std::string> devices() const = 0;
  // Common ownership (L517-524): the mailto: of every owner whose own credential Trust(person, key+) is in force here.
  virtual std::vector<std::string> people_trusting(const std::string& key_did) const = 0;
};

struct DecisionChange {
  std::string device;
  Verdict verdict;
  store::Position position = 0;  // of the event that changed it
};

class ClaimNode {
 public:
  // Replays the log before it returns.
  static Result<std::unique_ptr<ClaimNode>> open(store::Store&, const Clock&, ClaimNodeOptions);
  virtual ~ClaimNode() = default;  // stops the Prolog thread

  // Durable when it completes. Errors: malformed (not JSON or not credential-shaped: not stored), too_large,
  // overloaded, unavailable.
  virtual net::awaitable<Result<ClaimReceipt>> submit(Bytes credential) = 0;
  virtual Result<ClaimStatus> status(const std::string& id) const = 0;  // unknown
  virtual std::vector<ClaimStatus> list(store::Position after, std::size_t limit) const = 0;

  // The registrar has verified that this device (did:key of the IDevID key) is made by this manufacturer (did:key of
  // the issuing CA's key). Idempotent; durable, and in the snapshot, when it completes.
  virtual net::awaitable<Result<void>> observe_device(std::string device, std::string manufacturer,
                                                      std::string serial_number) = 0;

  virtual std::shared_ptr<const Snapshot> snapshot() const = 0;
  // Completes once everything up to `position` is in the snapshot.
  virtual net::awaitable<void> folded(store::Position position) = 0;
  // `listener` is called on the engine's thread, after the snapshot is published, with every device whose verdict
  // changed; it must not block. Until the returned handle is destroyed.
  virtual std::shared_ptr<void> on_change(std::function<void(const std::vector<DecisionChange>&)> listener) = 0;
};

}  // namespace cahn::cascade
