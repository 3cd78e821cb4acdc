#include "cascade/decisions.h"

#include <algorithm>

namespace cahn::cascade {
namespace {

class PublishedDecisions final : public Snapshot {
 public:
  explicit PublishedDecisions(Decisions decisions) : decisions_(std::move(decisions)) {}

  store::Position position() const override { return decisions_.position; }

  // A maker that nobody has said anything about is no question for the rules: nobody entitled trusts it.
  Verdict manufacturer(const std::string& did) const override {
    const auto* known = decisions_.makers.find(did);
    return known != nullptr ? *known : Verdict{false, "no entitled person trusts the maker " + did, {}};
  }

  Verdict device(const std::string& did) const override {
    const auto* known = decisions_.devices.find(did);
    return known != nullptr ? *known : Verdict{false, "the device " + did + " has not been seen by this registrar", {}};
  }

  std::vector<std::string> devices() const override {
    std::vector<std::string> dids;
    decisions_.devices.for_each([&dids](const std::string& did, const Verdict&) { dids.push_back(did); });
    std::ranges::sort(dids);
    return dids;
  }

  std::vector<std::string> people_trusting(const std::string& key) const override {
    const auto* people = decisions_.owners_trusting.find(key);
    return people != nullptr ? *people : std::vector<std::string>{};
  }

 private:
  const Decisions decisions_;
};

}  // namespace

std::shared_ptr<const Snapshot> Decisions::publish() const { return std::make_shared<PublishedDecisions>(*this); }

}  // namespace cahn::cascade
