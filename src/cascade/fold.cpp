#include "cascade/fold.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace cahn::cascade {
namespace {

constexpr std::size_t replay_page = 512;
constexpr std::size_t live_page = 64;           // a snapshot at least so often, however much comes in
constexpr std::size_t list_step = 64;           // claims described before the fold gets its turn
constexpr std::chrono::seconds retry_after{1};  // when the log cannot be read

std::optional<Observation> observation_of(ByteView payload) {
  const auto json = nlohmann::json::parse(payload.begin(), payload.end(), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Observation seen;
  for (const auto& [member, target] : {std::pair{"device", &seen.device},
                                       {"manufacturer", &seen.manufacturer},
                                       {"serialNumber", &seen.serial_number}}) {
    const auto found = json.find(member);
    if (found == json.end() || !found->is_string()) return std::nullopt;
    *target = found->get<std::string>();
  }
  return seen;
}

void log_unreadable(const store::Event& event) {
  log::error("CASCADE_EVENT_UNREADABLE", "an event of the log cannot be read and counts for nothing",
             {{"type", event.type}, {"position", std::to_string(event.position)}});
}

}  // namespace

Result<Bytes> to_payload(const Observation& seen) {
  try {
    const nlohmann::json json{
        {"device", seen.device}, {"manufacturer", seen.manufacturer}, {"serialNumber", seen.serial_number}};
    return to_bytes(json.dump());
  } catch (const nlohmann::json::exception&) {
    return fail(ClaimError::malformed, "the serial number is not UTF-8");
  }
}

struct Fold::Listener {
  std::recursive_mutex mutex;  // recursive, so that a listener may let go of its own handle
  std::function<void(const std::vector<DecisionChange>&)> call;
  bool gone = false;
};

struct Fold::Folding {
  struct FoldedClaim {
    std::string id;
    store::Position position;
    std::string bytes_digest;
    std::optional<Intake::SteadyTime> received;
  };
  struct Before {
    std::optional<Verdict> verdict;
    store::Position position;  // of the event that changed it last
  };

  bool live = true;  // rules are told and asked after each event
  std::vector<FactChange> facts;
  std::set<std::string> makers, devices;  // to be decided
  std::set<std::string> trusted_keys;     // whose owners changed
  std::map<std::string, Before> devices_before;
  std::vector<FoldedClaim> claims;
  store::Position last = 0;
};

Fold::Fold(store::Store& store, const Clock& clock, Intake& intake, const ClaimNodeOptions& options)
    : store_(store),
      clock_(clock),
      intake_(intake),
      rules_directory_(options.rules_directory),
      clock_step_(options.clock_step),
      trust_(options.owners, options.binding_keys),
      accepted_("cahn_claims", "Claims received, by what became of them", {{"state", "accepted"}}),
      refused_("cahn_claims", "Claims received, by what became of them", {{"state", "refused"}}),
      pending_("cahn_claims", "Claims received, by what became of them", {{"state", "received"}}),
      devices_("cahn_devices_decided", "Devices that have a decision"),
      latency_("cahn_claim_fold_seconds", "From the receipt of a claim to the snapshot that has it") {}

Fold::~Fold() {
  following_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (auto& [position, done] : waiting_) done();
}

Result<void> Fold::start() {
  std::promise<Result<void>> promise;
  auto ready = promise.get_future();
  following_ = store_.follow([this] {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    wake_.notify_one();
  });
  thread_ = std::thread([this, promise = std::move(promise)]() mutable { run(std::move(promise)); });
  return ready.get();
}

// --- the engine's thread -------------------------------------------------------------------------------------------

void Fold::run(std::promise<Result<void>> ready) {
  auto rules = RuleEngine::open(rules_directory_);
  if (!rules) return ready.set_value(std::unexpected(rules.error()));
  rules_ = *std::move(rules);
  const auto replayed = replay();
  ready.set_value(replayed);
  while (replayed && !is_stopping()) {
    if (fold_page()) continue;
    write_clock_event();
    wait_for_events();
  }
  rules_.reset();  // here, because its tables are this thread's
}

// The rules are asked once, at the end: what they were asked between would be thrown away.
Result<void> Fold::replay() {
  Folding folding;
  folding.live = false;
  for (;;) {
    const auto folded = fold_events(folding, replay_page);
    if (!folded) return fail(ClaimError::unavailable, "reading the log: " + folded.error().message);
    if (*folded < replay_page) break;
  }
  tell_rules(folding);
  decide(folding, folding.last);
  publish(folding);
  return {};
}

// Whether there may be more to fold at once.
bool Fold::fold_page() {
  Folding folding;
  const auto folded = fold_events(folding, live_page);
  if (!folded) {
    log::error("CASCADE_LOG_UNREADABLE", "the log cannot be read, decisions stand still",
               {{"why", folded.error().message}});
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, retry_after, [this] { return stopping_; });
    return false;
  }
  if (*folded > 0) publish(folding);
  return *folded == live_page;
}

Result<std::size_t> Fold::fold_events(Folding& folding, std::size_t limit) {
  CAHN_TRY(const auto events, store_.read(next_, limit));
  std::vector<std::optional<Intake::Taken>> taken(events.size());  // all begun before the first is waited for
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].type == claim_event) taken[i] = intake_.take(events[i].payload);
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    fold_event(events[i], taken[i], folding);
    next_ = events[i].position + 1;
    folding.last = events[i].position;
    if (!folding.live) continue;
    tell_rules(folding);
    decide(folding, events[i].position);
  }
  return events.size();
}

void Fold::fold_event(const store::Event& event, const std::optional<Intake::Taken>& taken, Folding& folding) {
  if (taken) taken->verification.wait();  // before the lock: readers of statuses need not wait for a signature
  const std::lock_guard lock(trust_mutex_);
  trust_.advance(event.committed_at);
  if (taken) {
    fold_claim(event, *taken, folding);
  } else if (event.type == observation_event) {
    if (auto seen = observation_of(event.payload)) {
      seen->position = event.position;
      trust_.observe(*std::move(seen));
    } else {
      log_unreadable(event);
    }
  } else if (event.type == clock_event) {
    if (const auto now = parse_rfc3339(as_text(event.payload))) {
      trust_.advance(*now);
    } else {
      log_unreadable(event);
    }
    *clock_is_written_ = false;
  }
  std::ranges::move(trust_.take_changes(), std::back_inserter(folding.facts));
  for (auto& key : trust_.take_trust_changes()) folding.trusted_keys.insert(std::move(key));
}

void Fold::fold_claim(const store::Event& event, const Intake::Taken& taken, Folding& folding) {
  const Verifier::Checked& checked = taken.verification.get();
  if (!checked) return log_unreadable(event);
  VerifiedClaim claim = *checked;
  claim.position = event.position;
  claim.received_at = event.committed_at;
  folding.claims.push_back({claim.id, event.position, taken.bytes_digest, taken.received});
  trust_.add(std::move(claim));
}

// Tells the rules what changed, and gathers whose answers that touches.
void Fold::tell_rules(Folding& folding) {
  for (const auto& change : folding.facts) {
    auto touched = rules_->apply(change);
    if (!touched) {
      lose_fact(change.fact, touched.error(), folding);
      continue;
    }
    folding.makers.insert(touched->makers.begin(), touched->makers.end());
    folding.devices.insert(touched->devices.begin(), touched->devices.end());
    const auto& [name, arguments] = change.fact;
    if (name == "trust" || name == "distrust") folding.makers.insert(arguments[0]);
    if (name != "observed") continue;
    folding.devices.insert(arguments[0]);
    folding.makers.insert(arguments[1]);
  }
  if (!folding.facts.empty()) {
    folding.makers.insert(undecided_makers_.begin(), undecided_makers_.end());
    folding.devices.insert(undecided_devices_.begin(), undecided_devices_.end());
  }
  folding.facts.clear();
}

void Fold::lose_fact(const Fact& fact, const Error& why, Folding& folding) {
  log::error("CASCADE_FACT_LOST",
             "the rules could not take in a change of a fact, so everything is denied until a restart",
             {{"fact", fact.name}, {"why", why.message}});
  fact_lost_ = true;
  decisions_.makers.for_each([&](const std::string& did, const Verdict&) { folding.makers.insert(did); });
  decisions_.devices.for_each([&](const std::string& did, const Verdict&) { folding.devices.insert(did); });
}

// Rules that fail to answer deny (fail closed), and are asked again when a fact changes.
Verdict Fold::verdict_of(Result<Verdict> answer, const std::string& did, std::set<std::string>& undecided) const {
  if (fact_lost_) return {false, "the rules lost a fact; the node must be started again", {}};
  if (answer) {
    undecided.erase(did);
    return *std::move(answer);
  }
  undecided.insert(did);
  log::error("CASCADE_RULES_FAILED", "the rules gave no answer, which denies",
             {{"about", did}, {"why", answer.error().message}});
  return {false, "the rules gave no answer: " + answer.error().message, {}};
}

void Fold::decide(Folding& folding, store::Position position) {
  for (const auto& did : folding.makers) {
    auto verdict = verdict_of(rules_->maker(did), did, undecided_makers_);
    const auto* known = decisions_.makers.find(did);
    if (known == nullptr || *known != verdict) decisions_.makers.set(did, std::move(verdict));
  }
  for (const auto& did : folding.devices) decide_device(did, folding, position);
  for (const auto& key : folding.trusted_keys) decisions_.owners_trusting.set(key, trust_.owners_trusting(key));
  folding.makers.clear();
  folding.devices.clear();
  folding.trusted_keys.clear();
}

void Fold::decide_device(const std::string& did, Folding& folding, store::Position position) {
  auto verdict = verdict_of(rules_->device(did), did, undecided_devices_);
  const auto* known = decisions_.devices.find(did);
  if (known != nullptr && *known == verdict) return;
  if (known == nullptr) ++device_count_;
  auto& before =
      folding.devices_before.try_emplace(did, known != nullptr ? std::optional(*known) : std::nullopt, 0).first->second;
  before.position = position;
  decisions_.devices.set(did, std::move(verdict));
}

// --- publishing ----------------------------------------------------------------------------------------------------

void Fold::publish(Folding& folding) {
  decisions_.position = std::max(decisions_.position, folding.last);
  auto fresh = decisions_.publish();
  // Before the snapshot: who finds a position in it may count on the claim's place among the pending being free again, and
  // on the metrics.
  const auto now = std::chrono::steady_clock::now();
  for (const auto& claim : folding.claims) {
    intake_.folded(claim.id, claim.position, claim.bytes_digest);
    if (claim.received) latency_.observe(std::chrono::duration<double>(now - *claim.received).count());
  }
  accepted_.set(static_cast<double>(trust_.accepted()));
  refused_.set(static_cast<double>(trust_.refused()));
  pending_.set(static_cast<double>(intake_.pending()));
  devices_.set(static_cast<double>(device_count_));
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(fresh);
  }

  std::vector<DecisionChange> changes;
  for (const auto& [did, before] : folding.devices_before) {
    const auto& verdict = *decisions_.devices.find(did);
    if (before.verdict != verdict) changes.push_back({did, verdict, before.position});
  }
  if (!changes.empty() && folding.live) announce(changes);

  std::vector<std::function<void()>> done;
  {
    const std::lock_guard lock(mutex_);
    const auto end = waiting_.upper_bound(decisions_.position);
    for (auto it = waiting_.begin(); it != end; ++it) done.push_back(std::move(it->second));
    waiting_.erase(waiting_.begin(), end);
  }
  for (const auto& call : done) call();
}

void Fold::announce(const std::vector<DecisionChange>& changes) {
  std::vector<std::shared_ptr<Listener>> listeners;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [](const auto& known) { return known.expired(); });
    for (const auto& known : listeners_) {
      if (auto listener = known.lock()) listeners.push_back(std::move(listener));
    }
  }
  for (const auto& listener : listeners) {
    const std::lock_guard lock(listener->mutex);
    if (!listener->gone) listener->call(changes);
  }
}

bool Fold::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Fold::wait_for_events() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, clock_step_, [this] { return woken_ || stopping_; });
  woken_ = false;
}

void Fold::write_clock_event() {
  const auto edge = trust_.next_edge();
  const auto now = clock_.now();
  if (!edge || *edge > now || *clock_is_written_) return;
  *clock_is_written_ = true;
  store::Batch batch;
  batch.events.push_back({std::string(clock_event), to_bytes(rfc3339(now, true))});
  store_.commit(std::move(batch), [written = clock_is_written_](const Result<store::Committed>& result) {
    if (!result) *written = false;  // tried again with the next step
  });
}

// --- for other threads ---------------------------------------------------------------------------------------------

std::shared_ptr<const Snapshot> Fold::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Fold::when_folded(store::Position position, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && snapshot_->position() < position) {
      waiting_.emplace(position, std::move(done));
      return;
    }
  }
  done();
}

std::shared_ptr<void> Fold::on_change(std::function<void(const std::vector<DecisionChange>&)> call) {
  auto listener = std::make_shared<Listener>();
  listener->call = std::move(call);
  {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(listener);
  }
  // The handle's end waits for a call under way, then there are no more.
  return std::shared_ptr<void>(listener.get(), [listener](void*) {
    const std::lock_guard lock(listener->mutex);
    listener->gone = true;
  });
}

std::optional<ClaimStatus> Fold::status(const std::string& id) const {
  const std::lock_guard lock(trust_mutex_);
  return trust_.status(id);
}

std::vector<ClaimStatus> Fold::list(store::Position after, std::size_t limit) const {
  std::vector<ClaimStatus> page;
  while (page.size() < limit) {
    const std::lock_guard lock(trust_mutex_);
    const auto step = std::min(limit - page.size(), list_step);
    auto more = trust_.list(page.empty() ? after : page.back().position, step);
    const bool is_last = more.size() < step;
    std::ranges::move(more, std::back_inserter(page));
    if (is_last) break;
  }
  return page;
}

std::optional<Observation> Fold::observation(const std::string& device) const {
  const std::lock_guard lock(trust_mutex_);
  const auto* seen = trust_.observation(device);
  return seen == nullptr ? std::nullopt : std::optional(*seen);
}

}  // namespace cahn::cascade
