#include "assurance/enforcer.h"

#include "base/log.h"
#include "base/metrics.h"

namespace cahn::assurance {
namespace {

// The bearer's own limits are not ours to find out by flooding it.
constexpr std::size_t max_running = 64;

void observe_cut(std::chrono::steady_clock::time_point start) {
  static metrics::Timer timer("cahn_router_cut_seconds", "From a command to deny until the gate is shut.");
  timer.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

}  // namespace

// One job under way: what it does to the network and what it writes go on side by side; it is done when both are.
struct Enforcer::Effect {
  std::string device;
  Job job;
  int parts = 2;
  Result<void> result;
};

void Enforcer::apply(Access access, std::chrono::seconds lease, Done done) {
  std::string device = access.device;
  const Answer answer = access.answer;
  auto taken = table_.take(std::move(access), lease);
  // A later decision stands already, and is acknowledged by itself.
  if (taken.newness == AccessTable::Newness::old) return done(Result<void>());
  const bool reopened =
      answer == Answer::permit && (taken.newness == AccessTable::Newness::news && taken.before == Answer::deny);
  const Action action = answer == Answer::deny ? Action::cut : reopened ? Action::invite : Action::none;
  enqueue(device, {action, std::move(taken.batch), std::move(done)});
}

void Enforcer::cut(std::string device, Done done) { enqueue(device, {Action::cut, {}, std::move(done)}); }

void Enforcer::invite(std::string device) {
  if (!lapsed_) enqueue(device, {Action::invite, {}, {}});  // else everybody is, when the lease is noticed
}

bool Enforcer::must_be_out(const std::string& device) const {
  const auto access = table_.find(device);
  return !access || access->answer == Answer::deny || !table_.may_answer();
}

void Enforcer::retry_failed_cuts() {
  const auto devices = uncut_;
  for (const auto& device : devices) {
    if (!must_be_out(device)) {
      uncut_.erase(device);
    } else if (!jobs_.contains(device)) {
      cut(device, {});
    }
  }
}

void Enforcer::follow_lease() {
  const bool lapsed = !table_.may_answer();
  if (lapsed == lapsed_) return;
  lapsed_ = lapsed;
  if (lapsed) {
    log::error("ROUTER_LEASE", "the lease has run out without the registrar: everybody is cut");
  } else {
    log::info("ROUTER_LEASED", "the registrar's decisions hold again");
  }
  for (const auto& access : table_.entries()) {
    if (access.answer == Answer::permit) enqueue(access.device, {lapsed ? Action::cut : Action::invite, {}, {}});
  }
}

void Enforcer::tend() {
  follow_lease();
  retry_failed_cuts();
}

void Enforcer::enqueue(const std::string& device, Job job) {
  auto& queue = jobs_[device];
  queue.push_back(std::move(job));
  if (queue.size() > 1) return;
  ready_.push_back(device);
  start_next();
}

void Enforcer::start_next() {
  while (running_ < max_running && !ready_.empty()) {
    ++running_;
    auto effect = std::make_shared<Effect>();
    effect->device = std::move(ready_.front());
    ready_.pop_front();
    effect->job = std::move(jobs_[effect->device].front());
    net::spawn(strand_, act(effect->device, effect), "enforcing a decision");
    net::spawn(strand_, keep(effect), "keeping a decision");
  }
}

net::awaitable<void> Enforcer::act(std::string device, std::shared_ptr<Effect> effect) {
  const auto self = shared_from_this();
  Result<void> result;
  if (effect->job.action == Action::cut) {
    const auto start = std::chrono::steady_clock::now();
    result = co_await bearer_.cut(device);
    if (result) {
      observe_cut(start);
      uncut_.erase(device);
    } else {
      uncut_.insert(device);
      log::error("ROUTER_CUT", "a denied device could not be cut; it is tried again",
                 {{"device", device}, {"error", result.error().message}});
    }
  } else if (effect->job.action == Action::invite) {
    co_await bearer_.invite(device);
  }
  part_done(effect, std::move(result));
}

net::awaitable<void> Enforcer::keep(std::shared_ptr<Effect> effect) {
  const auto self = shared_from_this();
  Result<void> result;
  if (!effect->job.batch.puts.empty()) {
    store::Batch batch = std::move(effect->job.batch);
    result = co_await table_.keep(std::move(batch));
    if (!result) log::error("ROUTER_STORE", "a decision is not durable", {{"error", result.error().message}});
  }
  part_done(effect, std::move(result));
}

void Enforcer::part_done(const std::shared_ptr<Effect>& effect, Result<void> result) {
  if (!result) effect->result = std::move(result);
  if (--effect->parts > 0) return;
  if (effect->job.done) effect->job.done(effect->result);
  finish(effect->device);
}

void Enforcer::finish(const std::string& device) {
  --running_;
  const auto queue = jobs_.find(device);
  queue->second.pop_front();
  if (queue->second.empty()) {
    jobs_.erase(queue);
  } else {
    ready_.push_back(device);
  }
  start_next();
}

}  // namespace cahn::assurance
