#include "apps/brski/ini_admission.h"

namespace cahn::apps::tool {
namespace {

using admission::AdmissionAnswer;
using admission::AdmissionEvidence;
using admission::PolicyPoint;

class PermitUnder final : public admission::Admission {
 public:
  PermitUnder(RequiredAnchors required, const Clock& clock) : required_(std::move(required)), clock_(clock) {}

  boost::asio::awaitable<Result<AdmissionAnswer>> decide(AdmissionEvidence about) override {
    AdmissionAnswer answer{.verdict = AdmissionAnswer::Verdict::permit, .reason = "no policy beyond the ini"};
    if (about.point == PolicyPoint::registrar_receives && required_.devices)
      answer = judge(about.idevid, about.manufacturer, *required_.devices, "the IDevID");
    if (about.point == PolicyPoint::masa_receives && required_.domains)
      answer = about.owner ? judge(*about.owner, *about.owner, *required_.domains, "the registrar's domain")
                           : AdmissionAnswer{.reason = "the registrar's domain is not known"};
    co_return answer;
  }

 private:
  AdmissionAnswer judge(const crypto::Certificate& who, const crypto::Certificate& above,
                        const crypto::TrustStore& anchors, const std::string& what) const {
    std::vector<crypto::Certificate> between = required_.intermediates;
    between.push_back(above);
    const auto path = crypto::verify_chain(who, between, anchors, clock_.now());
    if (path) return {.verdict = AdmissionAnswer::Verdict::permit, .reason = what + " leads to cmsVerifyStorePath"};
    return {.verdict = AdmissionAnswer::Verdict::deny,
            .reason = what + " does not lead to cmsVerifyStorePath: " + path.error().message};
  }

  RequiredAnchors required_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<admission::Admission> permit_under(RequiredAnchors required, const Clock& clock) {
  return std::make_unique<PermitUnder>(std::move(required), clock);
}

}  // namespace cahn::apps::tool
