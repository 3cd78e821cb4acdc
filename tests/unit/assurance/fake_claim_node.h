// A claim node whose verdicts the test sets.

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assurance/listeners.h"
#include "cascade/claim_node.h"

namespace cahn::test {

class FakeClaimNode final : public cascade::ClaimNode {
 public:
  struct FakeSnapshot final : cascade::Snapshot {
    std::map<std::string, cascade::Verdict> verdicts;
    std::map<std::string, std::vector<std::string>> trusting;
    store::Position at = 0;

    store::Position position() const override { return at; }
    cascade::Verdict manufacturer(const std::string&) const override { return {}; }
    cascade::Verdict device(const std::string& did) const override {
      const auto found = verdicts.find(did);
      return found == verdicts.end() ? cascade::Verdict{false, "an unknown device", {}} : found->second;
    }
    std::vector<std::string> devices() const override {
      std::vector<std::string> all;
      for (const auto& [did, verdict] : verdicts) all.push_back(did);
      return all;
    }
    std::vector<std::string> people_trusting(const std::string& key) const override {
      const auto found = trusting.find(key);
      return found == trusting.end() ? std::vector<std::string>() : found->second;
    }
  };

  // Publishes a snapshot with it; with `tell`, the listeners hear of it.
  void set(const std::string& device, cascade::Verdict verdict, bool tell = true) {
    {
      const std::scoped_lock lock(mutex_);
      auto next = std::make_shared<FakeSnapshot>(*snapshot_);
      next->verdicts[device] = verdict;
      ++next->at;
      snapshot_ = std::move(next);
    }
    if (tell) listeners_.call({{device, verdict, 0}});
  }
  void set_trusting(const std::string& key, std::vector<std::string> people) {
    const std::scoped_lock lock(mutex_);
    auto next = std::make_shared<FakeSnapshot>(*snapshot_);
    next->trusting[key] = std::move(people);
    snapshot_ = std::move(next);
  }

  net::awaitable<Result<cascade::ClaimReceipt>> submit(Bytes credential) override {
    submitted.push_back(to_string(credential));
    if (on_submit) on_submit();
    co_return cascade::ClaimReceipt{"id", 1, false};
  }
  Result<cascade::ClaimStatus> status(const std::string&) const override {
    return fail(cascade::ClaimError::unknown, "none");
  }
  std::vector<cascade::ClaimStatus> list(store::Position, std::size_t) const override { return {}; }
  net::awaitable<Result<void>> observe_device(std::string device, std::string manufacturer,
                                              std::string serial) override {
    observed.push_back({device, manufacturer, serial});
    if (refuse_observing) co_return fail(*refuse_observing, "not now");
    co_return Result<void>();
  }
  std::shared_ptr<const cascade::Snapshot> snapshot() const override {
    const std::scoped_lock lock(mutex_);
    return snapshot_;
  }
  net::awaitable<void> folded(store::Position) override { co_return; }
  std::shared_ptr<void> on_change(std::function<void(const std::vector<cascade::DecisionChange>&)> listener) override {
    return listeners_.add(std::move(listener));
  }

  std::vector<std::string> submitted;
  std::function<void()> on_submit;
  std::vector<std::vector<std::string>> observed;
  std::optional<cascade::ClaimError> refuse_observing;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const FakeSnapshot> snapshot_ = std::make_shared<FakeSnapshot>();
  assurance::Listeners<std::vector<cascade::DecisionChange>> listeners_;
};

}  // namespace cahn::test
