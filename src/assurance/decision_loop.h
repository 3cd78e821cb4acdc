// The decision loop: every changed verdict of the claim node becomes a numbered Decision, is logged, and is carried
// out.
//
//   claim node ─ on_change ─▶ ┐                        ┌▶ routers (AccessSink): at once
//   registry ── on_ldevid ──▶ ├ Decision ─ durable ─▶ ┤
//   every 30 s: all of them ▶ ┘                        └▶ domain CA: hold or release each LDevID (decisions 25, 51)
//
// A decision goes to routers only once its device has an LDevID: before, there is nothing a router could let in.
// The current decision of each device is kept in table "assurance.decision" of the store, with the event, so that a
// restart compares what holds now with what was last decided, and acts on the difference.
//
// Threads: safe from any thread.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assurance/access.h"
#include "assurance/decision.h"
#include "cascade/claim_node.h"
#include "net/async.h"
#include "pki/certificate_authority.h"
#include "pki/device_registry.h"
#include "store/store.h"

namespace cahn::assurance {

struct DecisionLoopOptions {
  std::string network;
  std::string segment;                      // for devices that are permitted; empty: the bearer's default
  std::chrono::milliseconds sweep{30'000};  // decision 24: the safety net under the events
};

// A Decision as it is logged: event "decision" of the store, JSON. Errors of reading: malformed.
Bytes write_decision(const Decision&);
Result<Decision> read_decision(ByteView);

class DecisionLoop {
 public:
  // Reads the last decisions; takes none before run(). All references must outlive it.
  static Result<std::unique_ptr<DecisionLoop>> open(net::Executor, cascade::ClaimNode&, pki::DeviceRegistry&,
                                                    pki::CertificateAuthority&, store::Store&, const Clock&,
                                                    DecisionLoopOptions);
  virtual ~DecisionLoop() = default;

  // For starting the command server: one life of this store, the state as last decided, and the last number.
  virtual const std::string& epoch() const = 0;
  virtual std::vector<Access> state() const = 0;
  virtual std::uint64_t last_number() const = 0;
  // Compares all verdicts with the last decisions, then follows the events. Once.
  virtual void run(AccessSink& routers) = 0;
  // Looks at one device again now: for what no event tells of, such as an LDevID that was revoked for good.
  virtual void look_at(const std::string& device) = 0;
  // Takes no further decision; completes when the last one is carried out.
  virtual net::awaitable<void> stop() = 0;

  virtual std::optional<Decision> current(const std::string& device) const = 0;
  virtual std::vector<Decision> all_current() const = 0;
  // Decisions in the log after `position`, oldest first; reads at most `limit` events. `next` is where to go on.
  struct History {
    std::vector<Decision> decisions;
    store::Position next = 0;
  };
  virtual Result<History> history(store::Position after, std::size_t limit) const = 0;
  // `listener` is called with each decision when it is durable and has been handed to the routers; must not block.
  virtual std::shared_ptr<void> on_decision(std::function<void(const Decision&)> listener) = 0;
};

}  // namespace cahn::assurance
