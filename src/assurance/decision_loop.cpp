#include "assurance/decision_loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "assurance/access_json.h"
#include "assurance/ca_reconciler.h"
#include "assurance/decision_json.h"
#include "assurance/json_members.h"
#include "assurance/listeners.h"
#include "base/log.h"
#include "base/metrics.h"
#include "credential/json.h"
#include "store/async.h"

namespace cahn::assurance {
namespace {

using nlohmann::json;

constexpr std::string_view decision_event = "decision";
constexpr std::string_view decision_table = "assurance.decision";  // device → its current decision and access
constexpr std::string_view life_table = "assurance.life";
constexpr std::string_view epoch_key = "epoch";
constexpr std::size_t max_at_once = 2'000;  // decisions of one commit

// What stands about one device: the decision, and what routers were told, if it has an LDevID.
struct Standing {
  Decision decision;
  std::optional<Access> access;
  bool logged = true;  // false: the store failed, and it must be decided again
};

Bytes write_standing(const Standing& standing) {
  json object = {{"decision", to_json(standing.decision)}};
  if (standing.access) object["access"] = to_json(*standing.access);
  return to_bytes(credential::canonical(object));
}

Result<Standing> read_standing(ByteView octets) {
  const auto object = credential::parse_json(as_text(octets), {.max_size = std::size_t{4} << 20, .max_depth = 8});
  if (!object) return fail(AssuranceError::malformed, object.error().message);
  if (!object->is_object() || !object->contains("decision")) {
    return fail(AssuranceError::malformed, "a standing without its decision");
  }
  Standing standing;
  CAHN_TRY(standing.decision, decision_from_json((*object)["decision"]));
  if (object->contains("access")) {
    CAHN_TRY(standing.access, access_from_json((*object)["access"]));
  }
  return standing;
}

Result<std::string> open_life(store::Store& store) {
  CAHN_TRY(const auto known, store.get(life_table, epoch_key));
  if (known) return to_string(*known);
  const std::string epoch = hex(random_bytes(16));
  store::Batch batch;
  batch.puts.push_back({std::string(life_table), std::string(epoch_key), to_bytes(epoch)});
  CAHN_CHECK(store.commit_and_wait(std::move(batch)));
  return epoch;
}

void count_decision(Answer answer) {
  static metrics::Counter permits("cahn_decisions_total", "Decisions taken.", {{"answer", "permit"}});
  static metrics::Counter denials("cahn_decisions_total", "Decisions taken.", {{"answer", "deny"}});
  (answer == Answer::permit ? permits : denials).add();
}

// Whether routers need not be told: numbers and reasons alone change nothing for them.
bool means_the_same(const Access& a, const Access& b) {
  return a.answer == b.answer && a.serial_number == b.serial_number && a.ldevids == b.ldevids && a.segment == b.segment;
}

class DecisionLoopImpl : public std::enable_shared_from_this<DecisionLoopImpl> {
 public:
  DecisionLoopImpl(net::Executor strand, cascade::ClaimNode& node, pki::DeviceRegistry& registry,
                   pki::CertificateAuthority& ca, store::Store& store, const Clock& clock, DecisionLoopOptions options)
      : strand_(std::move(strand)),
        node_(node),
        registry_(registry),
        authority_(ca),
        store_(store),
        clock_(clock),
        options_(std::move(options)),
        ca_(std::make_shared<CaReconciler>(strand_, registry, ca)) {}

  Result<void> load();
  void run(AccessSink& routers);
  void look_at(const std::string& device);  // and then
  void schedule();
  net::awaitable<void> stop();
  void forsake() { stopping_ = true; }

  const std::string& epoch() const { return epoch_; }
  std::uint64_t last_number() const {
    const std::scoped_lock lock(mutex_);
    return number_;
  }
  std::vector<Access> state() const;
  std::optional<Decision> current(const std::string& device) const;
  std::vector<Decision> all_current() const;
  Result<DecisionLoop::History> history(store::Position after, std::size_t limit) const;
  std::shared_ptr<void> on_decision(std::function<void(const Decision&)> listener) {
    return listeners_.add(std::move(listener));
  }

 private:
  void look_at_all();
  net::awaitable<void> decide_pending();
  std::vector<Standing> decide(const std::set<std::string>& devices);
  std::optional<Standing> decide_one(const cascade::Snapshot& snapshot, const std::string& device,
                                     std::uint64_t number);
  std::optional<Access> access_for(const std::string& device, const cascade::Verdict& verdict) const;
  net::awaitable<void> carry_out(std::vector<Standing> taken);
  net::awaitable<void> sweep();

  const net::Executor strand_;
  cascade::ClaimNode& node_;
  pki::DeviceRegistry& registry_;
  pki::CertificateAuthority& authority_;
  store::Store& store_;
  const Clock& clock_;
  const DecisionLoopOptions options_;
  const std::shared_ptr<CaReconciler> ca_;
  AccessSink* routers_ = nullptr;
  std::string epoch_;
  Listeners<Decision> listeners_;
  std::shared_ptr<void> claims_, ldevids_;  // subscriptions

  std::atomic<bool> stopping_ = false;
  std::atomic<bool> sweeping_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, Standing> standing_;
  std::uint64_t number_ = 0;
  std::set<std::string> pending_;  // devices to be looked at
  bool deciding_ = false;          // a coroutine is at work on pending_
};

Result<void> DecisionLoopImpl::load() {
  CAHN_TRY(epoch_, open_life(store_));
  return store::each_row(
      store_, decision_table, "", [&](const std::string& device, const Bytes& value) -> Result<void> {
        auto standing = read_standing(value);
        if (!standing) return fail(store::StoreError::corrupt, "the table of decisions: " + standing.error().message);
        number_ = std::max(number_, standing->decision.number);
        standing_.insert_or_assign(device, std::move(*standing));
        return {};
      });
}

void DecisionLoopImpl::run(AccessSink& routers) {
  routers_ = &routers;
  // First the subscriptions, then the comparison: nothing falls between.
  claims_ = node_.on_change([weak = weak_from_this()](const std::vector<cascade::DecisionChange>& changes) {
    const auto self = weak.lock();
    if (!self) return;
    for (const auto& change : changes) self->look_at(change.device);
    self->schedule();
  });
  ldevids_ = registry_.on_ldevid([weak = weak_from_this()](const pki::DeviceRecord& record) {
    const auto self = weak.lock();
    if (!self) return;
    self->look_at(record.device);
    self->schedule();
  });
  look_at_all();
  sweeping_ = true;
  net::spawn(strand_, sweep(), "decision sweep");
}

void DecisionLoopImpl::look_at(const std::string& device) {
  const std::scoped_lock lock(mutex_);
  pending_.insert(device);
}

void DecisionLoopImpl::look_at_all() {
  const auto devices = node_.snapshot()->devices();
  {
    const std::scoped_lock lock(mutex_);
    pending_.insert(devices.begin(), devices.end());
    for (const auto& [device, standing] : standing_) pending_.insert(device);
  }
  schedule();
}

void DecisionLoopImpl::schedule() {
  {
    const std::scoped_lock lock(mutex_);
    if (deciding_ || pending_.empty() || stopping_) return;
    deciding_ = true;
  }
  net::spawn(strand_, decide_pending(), "decision loop");
}

net::awaitable<void> DecisionLoopImpl::decide_pending() {
  const auto self = shared_from_this();
  for (;;) {
    std::set<std::string> devices;
    {
      const std::scoped_lock lock(mutex_);
      if (pending_.empty() || stopping_) {
        deciding_ = false;
        co_return;
      }
      while (!pending_.empty() && devices.size() < max_at_once) devices.insert(pending_.extract(pending_.begin()));
    }
    auto taken = decide(devices);
    if (!taken.empty()) co_await carry_out(std::move(taken));
    // Also where nothing new was decided: a hold may have failed the last time.
    for (const auto& device : devices) {
      if (const auto decision = current(device)) ca_->want(device, decision->answer);
    }
  }
}

std::vector<Standing> DecisionLoopImpl::decide(const std::set<std::string>& devices) {
  const auto snapshot = node_.snapshot();  // the newest: a change that was overtaken is not acted on
  std::uint64_t number = last_number();
  std::vector<Standing> taken;
  for (const auto& device : devices) {
    if (auto standing = decide_one(*snapshot, device, number + 1)) {
      ++number;
      taken.push_back(std::move(*standing));
    }
  }
  return taken;
}

std::optional<Standing> DecisionLoopImpl::decide_one(const cascade::Snapshot& snapshot, const std::string& device,
                                                     std::uint64_t number) {
  auto verdict = snapshot.device(device);
  verdict.reason = fit_text(verdict.reason, max_reason);
  const Answer answer = verdict.permit ? Answer::permit : Answer::deny;
  auto access = access_for(device, verdict);
  if (access) access->number = number;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = standing_.find(device);
    if (known != standing_.end() && known->second.logged) {
      const auto& before = known->second;
      if (access && before.access && means_the_same(*access, *before.access)) access = before.access;
      if (before.decision.answer == answer && before.decision.reason == verdict.reason &&
          before.decision.claims == verdict.claims && before.access == access) {
        return std::nullopt;
      }
    }
  }
  Standing standing;
  standing.decision = {.number = number,
                       .device = device,
                       .network = options_.network,
                       .answer = answer,
                       .segment = verdict.permit ? options_.segment : "",
                       .reason = std::move(verdict.reason),
                       .claims = std::move(verdict.claims),
                       .taken_at = clock_.now(),
                       .review_at = std::nullopt};
  standing.access = std::move(access);
  return standing;
}

std::optional<Access> DecisionLoopImpl::access_for(const std::string& device, const cascade::Verdict& verdict) const {
  const auto record = registry_.by_device(device);
  if (!record || record->ldevids.empty()) return std::nullopt;
  Access access;
  access.device = device;
  access.answer = verdict.permit ? Answer::permit : Answer::deny;
  access.serial_number = record->serial_number;
  access.segment = verdict.permit ? options_.segment : "";
  access.reason = verdict.reason;
  for (const auto& ldevid : record->ldevids) {
    const auto revocation = authority_.revocation(ldevid.serial_hex());
    // Revoked for good: no answer about the device brings this certificate back.
    if (revocation && revocation != crypto::RevocationReason::certificate_hold) continue;
    access.ldevids.push_back({ldevid.serial_hex(), ldevid.issuer_text()});
  }
  if (access.ldevids.size() > max_ldevids) {
    access.ldevids.erase(access.ldevids.begin(), access.ldevids.end() - static_cast<std::ptrdiff_t>(max_ldevids));
  }
  return access;
}

net::awaitable<void> DecisionLoopImpl::carry_out(std::vector<Standing> taken) {
  store::Batch batch;
  for (const auto& standing : taken) {
    batch.events.push_back({std::string(decision_event), write_decision(standing.decision)});
    batch.puts.push_back({std::string(decision_table), standing.decision.device, write_standing(standing)});
  }
  const auto committed = co_await store::commit(store_, std::move(batch));
  if (!committed) {
    // Nobody is let in on a decision that is not in the log; but who must be out is cut all the same.
    log::error("DECISION_LOG", "decisions could not be logged", {{"error", committed.error().message}});
    for (auto& standing : taken) standing.logged = false;
    std::erase_if(taken, [](const Standing& standing) { return standing.decision.answer == Answer::permit; });
  }
  std::vector<Access> changes;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& standing : taken) {
      const auto before = standing_.find(standing.decision.device);
      const bool told = before != standing_.end() && before->second.access == standing.access;
      if (standing.access && !told) changes.push_back(*standing.access);
      number_ = std::max(number_, standing.decision.number);
      standing_.insert_or_assign(standing.decision.device, standing);
    }
  }
  routers_->publish(std::move(changes));
  for (const auto& standing : taken) {
    const auto& decision = standing.decision;
    count_decision(decision.answer);
    log::info("DECISION_TAKEN", decision.answer == Answer::permit ? "a device is permitted" : "a device is denied",
              {{"device", decision.device},
               {"answer", decision.answer == Answer::permit ? "permit" : "deny"},
               {"number", std::to_string(decision.number)},
               {"reason", decision.reason}});
    listeners_.call(decision);
  }
}

net::awaitable<void> DecisionLoopImpl::sweep() {
  const auto self = shared_from_this();
  auto next = std::chrono::steady_clock::now() + options_.sweep;
  while (!stopping_) {
    co_await net::sleep_for(std::min<std::chrono::milliseconds>(options_.sweep, std::chrono::milliseconds(50)));
    if (stopping_ || std::chrono::steady_clock::now() < next) continue;
    look_at_all();
    next = std::chrono::steady_clock::now() + options_.sweep;
  }
  sweeping_ = false;
}

net::awaitable<void> DecisionLoopImpl::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  claims_.reset();
  ldevids_.reset();
  const auto busy = [this] {
    const std::scoped_lock lock(mutex_);
    return deciding_ || sweeping_;
  };
  while (busy() || ca_->under_way() > 0) co_await net::sleep_for(std::chrono::milliseconds(5));
}

std::vector<Access> DecisionLoopImpl::state() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Access> all;
  for (const auto& [device, standing] : standing_) {
    if (standing.access) all.push_back(*standing.access);
  }
  return all;
}

std::optional<Decision> DecisionLoopImpl::current(const std::string& device) const {
  const std::scoped_lock lock(mutex_);
  const auto found = standing_.find(device);
  return found == standing_.end() ? std::nullopt : std::optional(found->second.decision);
}

std::vector<Decision> DecisionLoopImpl::all_current() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Decision> all;
  for (const auto& [device, standing] : standing_) all.push_back(standing.decision);
  return all;
}

Result<DecisionLoop::History> DecisionLoopImpl::history(store::Position after, std::size_t limit) const {
  CAHN_TRY(const auto events, store_.read(after + 1, limit));
  DecisionLoop::History found;
  found.next = events.empty() ? after : events.back().position;
  for (const auto& event : events) {
    if (event.type != decision_event) continue;
    CAHN_TRY(auto decision, read_decision(event.payload));
    found.decisions.push_back(std::move(decision));
  }
  return found;
}

class DecisionLoopHandle final : public DecisionLoop {
 public:
  explicit DecisionLoopHandle(std::shared_ptr<DecisionLoopImpl> impl) : impl_(std::move(impl)) {}
  ~DecisionLoopHandle() override { impl_->forsake(); }

  const std::string& epoch() const override { return impl_->epoch(); }
  std::vector<Access> state() const override { return impl_->state(); }
  std::uint64_t last_number() const override { return impl_->last_number(); }
  void run(AccessSink& routers) override { impl_->run(routers); }
  void look_at(const std::string& device) override {
    impl_->look_at(device);
    impl_->schedule();
  }
  net::awaitable<void> stop() override { return impl_->stop(); }
  std::optional<Decision> current(const std::string& device) const override { return impl_->current(device); }
  std::vector<Decision> all_current() const override { return impl_->all_current(); }
  Result<History> history(store::Position after, std::size_t limit) const override {
    return impl_->history(after, limit);
  }
  std::shared_ptr<void> on_decision(std::function<void(const Decision&)> listener) override {
    return impl_->on_decision(std::move(listener));
  }

 private:
  const std::shared_ptr<DecisionLoopImpl> impl_;
};

}  // namespace

Result<std::unique_ptr<DecisionLoop>> DecisionLoop::open(net::Executor executor, cascade::ClaimNode& node,
                                                         pki::DeviceRegistry& registry, pki::CertificateAuthority& ca,
                                                         store::Store& store, const Clock& clock,
                                                         DecisionLoopOptions options) {
  net::Executor strand = boost::asio::make_strand(executor);
  auto impl =
      std::make_shared<DecisionLoopImpl>(std::move(strand), node, registry, ca, store, clock, std::move(options));
  CAHN_CHECK(impl->load());
  return std::make_unique<DecisionLoopHandle>(std::move(impl));
}

}  // namespace cahn::assurance
