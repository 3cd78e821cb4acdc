#include "assurance/claims_admission.h"

#include "credential/did.h"

namespace cahn::assurance {
namespace {

using admission::AdmissionAnswer;
using admission::AdmissionEvidence;
using admission::PolicyPoint;

bool is_the_registrars(PolicyPoint point) {
  return point == PolicyPoint::registrar_receives || point == PolicyPoint::registrar_returns ||
         point == PolicyPoint::registrar_enrols;
}

class ClaimsAdmission final : public admission::Admission {
 public:
  explicit ClaimsAdmission(cascade::ClaimNode& node) : node_(node) {}

  net::awaitable<Result<AdmissionAnswer>> decide(AdmissionEvidence evidence) override {
    AdmissionAnswer answer;
    if (!is_the_registrars(evidence.point)) {
      answer.reason = "claims at a registrar do not decide " + std::string(admission::to_text(evidence.point));
      co_return answer;
    }
    const std::string device = credential::did_key(evidence.idevid.public_key());
    // The device becomes part of what is decided continuously from its first word on (C.3), not only when it has
    // joined.
    if (evidence.point == PolicyPoint::registrar_receives) {
      std::string manufacturer = credential::did_key(evidence.manufacturer.public_key());
      std::string serial_number = evidence.serial_number;
      const auto observed = co_await node_.observe_device(device, std::move(manufacturer), std::move(serial_number));
      if (!observed && observed.error().code == cascade::ClaimError::overloaded) {
        answer.verdict = AdmissionAnswer::Verdict::later;
        answer.reason = observed.error().message;
        answer.retry_after = std::chrono::seconds(10);
        co_return answer;
      }
      if (!observed) co_return fail(observed.error(), "observing the device");
    }
    auto verdict = node_.snapshot()->device(device);
    answer.verdict = verdict.permit ? AdmissionAnswer::Verdict::permit : AdmissionAnswer::Verdict::deny;
    answer.reason = std::move(verdict.reason);
    answer.claims = std::move(verdict.claims);
    co_return answer;
  }

 private:
  cascade::ClaimNode& node_;
};

}  // namespace

std::unique_ptr<admission::Admission> claims_admission(cascade::ClaimNode& node) {
  return std::make_unique<ClaimsAdmission>(node);
}

}  // namespace cahn::assurance
