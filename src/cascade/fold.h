// The engine's thread: follows the log, folds each event into the trust engine and the rules, and publishes what became
// of the decisions. One thread owns Prolog's facts and tables (decision 37); all others read what it published.
//
//   log → page of events → verification (begun earlier, on other threads) → trust engine → facts → touched answers
//       → Snapshot → listeners → who waits for this position
//
// Threads: the public functions are safe from any thread.

#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "cascade/decisions.h"
#include "cascade/intake.h"
#include "cascade/rule_engine.h"
#include "cascade/trust_engine.h"

namespace cahn::cascade {

// The registrar saw a device and checked its certificate: {"device", "manufacturer", "serialNumber"}.
inline constexpr std::string_view observation_event = "device_observed";
// Time has come so far (decision 40): RFC 3339 text. Written when a claim starts or ends, and at no other time.
inline constexpr std::string_view clock_event = "clock";

// Errors: malformed, when the serial number is not UTF-8.
Result<Bytes> to_payload(const Observation&);

class Fold {
 public:
  Fold(store::Store&, const Clock&, Intake&, const ClaimNodeOptions&);
  ~Fold();

  // Starts the thread; returns when the log is replayed. Errors: bad_rules, unavailable.
  Result<void> start();

  std::shared_ptr<const Snapshot> snapshot() const;
  // Calls `done` once, from any thread, when `position` is in the snapshot, or when the fold ends.
  void when_folded(store::Position position, std::function<void()> done);
  std::shared_ptr<void> on_change(std::function<void(const std::vector<DecisionChange>&)> listener);

  std::optional<ClaimStatus> status(const std::string& id) const;
  std::vector<ClaimStatus> list(store::Position after, std::size_t limit) const;
  std::optional<Observation> observation(const std::string& device) const;

 private:
  struct Listener;
  struct Folding;  // what one page of events changed

  void run(std::promise<Result<void>> ready);
  Result<void> replay();
  bool fold_page();
  Result<std::size_t> fold_events(Folding&, std::size_t limit);
  void fold_event(const store::Event&, const std::optional<Intake::Taken>&, Folding&);
  void fold_claim(const store::Event&, const Intake::Taken&, Folding&);
  void tell_rules(Folding&);
  void lose_fact(const Fact&, const Error&, Folding&);
  Verdict verdict_of(Result<Verdict>, const std::string& did, std::set<std::string>& undecided) const;
  void decide(Folding&, store::Position);
  void decide_device(const std::string& did, Folding&, store::Position);
  void publish(Folding&);
  void announce(const std::vector<DecisionChange>&);
  bool is_stopping() const;
  void wait_for_events();
  void write_clock_event();

  store::Store& store_;
  const Clock& clock_;
  Intake& intake_;
  const std::string rules_directory_;
  const std::chrono::milliseconds clock_step_;

  // Of the engine's thread alone.
  std::unique_ptr<RuleEngine> rules_;
  Decisions decisions_;
  std::set<std::string> undecided_makers_, undecided_devices_;  // asked again at every change
  bool fact_lost_ = false;  // the rules no longer rest on the log: everything is denied until the node starts again
  store::Position next_ = 1;
  std::shared_ptr<std::atomic<bool>> clock_is_written_ = std::make_shared<std::atomic<bool>>(false);

  mutable std::mutex trust_mutex_;  // no shared one: readers must not keep the fold out
  TrustEngine trust_;               // written by the engine's thread under the mutex

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false, stopping_ = false;
  std::shared_ptr<const Snapshot> snapshot_;
  std::multimap<store::Position, std::function<void()>> waiting_;
  std::vector<std::weak_ptr<Listener>> listeners_;

  metrics::Gauge accepted_, refused_, pending_, devices_;
  metrics::Timer latency_;
  std::size_t device_count_ = 0;

  std::shared_ptr<void> following_;
  std::thread thread_;
};

}  // namespace cahn::cascade
