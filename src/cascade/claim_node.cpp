#include "cascade/claim_node.h"

#include "cascade/await.h"
#include "cascade/fold.h"
#include "credential/did.h"

namespace cahn::cascade {
namespace {

constexpr std::size_t max_serial_number = 256;

class LogNode final : public ClaimNode {
 public:
  LogNode(store::Store& store, const Clock& clock, const ClaimNodeOptions& options)
      : store_(store),
        verifier_(options.max_claim),
        intake_(
            std::make_shared<Intake>(store, clock, verifier_, Intake::Limits{options.max_claim, options.max_pending})),
        fold_(store, clock, *intake_, options) {}

  Result<void> start() { return fold_.start(); }

  net::awaitable<Result<ClaimReceipt>> submit(Bytes credential) override {
    std::function<void(Intake::Done)> begin = [intake = intake_,
                                               bytes = std::move(credential)](Intake::Done done) mutable {
      intake->submit(std::move(bytes), std::move(done));
    };
    co_return co_await await_callback<Result<ClaimReceipt>>(std::move(begin));
  }

  Result<ClaimStatus> status(const std::string& id) const override {
    // In this order, because a claim leaves the one only when the other has it.
    const auto waiting = intake_->status(id);
    if (auto folded = fold_.status(id)) return *std::move(folded);
    if (waiting) return *waiting;
    return fail(ClaimError::unknown, "no claim has this id");
  }

  std::vector<ClaimStatus> list(store::Position after, std::size_t limit) const override {
    auto waiting = intake_->list(after);
    auto page = fold_.list(after, limit);
    const auto last = page.empty() ? after : page.back().position;
    for (auto& claim : waiting) {
      if (page.size() < limit && claim.position > last) page.push_back(std::move(claim));
    }
    return page;
  }

  net::awaitable<Result<void>> observe_device(std::string device, std::string manufacturer,
                                              std::string serial_number) override {
    Observation seen{std::move(device), std::move(manufacturer), std::move(serial_number)};
    if (const auto checked = check(seen); !checked) co_return std::unexpected(checked.error());
    if (const auto known = fold_.observation(seen.device); known == seen) {
      co_await folded(known->position);
      co_return Result<void>{};
    }
    auto payload = to_payload(seen);
    if (!payload) co_return std::unexpected(payload.error());
    std::function<void(std::function<void(Result<store::Committed>)>)> begin =
        [this, bytes = *std::move(payload)](std::function<void(Result<store::Committed>)> done) {
          store::Batch batch;
          batch.events.push_back({std::string(observation_event), bytes});
          store_.commit(std::move(batch), std::move(done));
        };
    const auto committed = co_await await_callback<Result<store::Committed>>(std::move(begin));
    if (!committed) {
      co_return fail(ClaimError::unavailable, "the observation could not be stored: " + committed.error().message);
    }
    co_await folded(committed->last);
    co_return Result<void>{};
  }

  std::shared_ptr<const Snapshot> snapshot() const override { return fold_.snapshot(); }

  net::awaitable<void> folded(store::Position position) override {
    std::function<void(std::function<void(bool)>)> begin = [this, position](std::function<void(bool)> done) {
      fold_.when_folded(position, [done = std::move(done)] { done(true); });
    };
    co_await await_callback<bool>(std::move(begin));
  }

  std::shared_ptr<void> on_change(std::function<void(const std::vector<DecisionChange>&)> listener) override {
    return fold_.on_change(std::move(listener));
  }

 private:
  static Result<void> check(const Observation& seen) {
    for (const auto& did : {seen.device, seen.manufacturer}) {
      if (const auto key = credential::key_of_did(did); !key) {
        return fail(ClaimError::malformed,
                    "an observed device and its maker are named by did:key: " + key.error().message);
      }
    }
    if (seen.serial_number.size() > max_serial_number)
      return fail(ClaimError::malformed, "the serial number is too long");
    return {};
  }

  store::Store& store_;
  Verifier verifier_;
  std::shared_ptr<Intake> intake_;
  Fold fold_;
};

}  // namespace

std::string_view error_name(ClaimError error) {
  switch (error) {
    case ClaimError::malformed:
      return "malformed";
    case ClaimError::too_large:
      return "too_large";
    case ClaimError::overloaded:
      return "overloaded";
    case ClaimError::unavailable:
      return "unavailable";
    case ClaimError::unknown:
      return "unknown";
    case ClaimError::bad_rules:
      return "bad_rules";
  }
  return "unknown";
}

Result<std::unique_ptr<ClaimNode>> ClaimNode::open(store::Store& store, const Clock& clock, ClaimNodeOptions options) {
  auto node = std::make_unique<LogNode>(store, clock, options);
  CAHN_CHECK(node->start());
  return node;
}

}  // namespace cahn::cascade
