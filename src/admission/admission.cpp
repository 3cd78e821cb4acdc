#include "admission/admission.h"

namespace cahn::admission {

std::string_view to_text(PolicyPoint point) {
  switch (point) {
    case PolicyPoint::pledge_requests:
      return "C.1 pledge requests";
    case PolicyPoint::registrar_receives:
      return "C.3 registrar receives";
    case PolicyPoint::masa_receives:
      return "C.5 MASA receives";
    case PolicyPoint::registrar_returns:
      return "C.8 registrar returns";
    case PolicyPoint::pledge_receives:
      return "C.10 pledge receives";
    case PolicyPoint::registrar_enrols:
      return "D.4 registrar enrols";
  }
  return "unknown";
}

std::string_view to_text(AuditVerdict::Standing standing) {
  switch (standing) {
    case AuditVerdict::Standing::clean:
      return "clean";
    case AuditVerdict::Standing::unexpected:
      return "unexpected";
    case AuditVerdict::Standing::unknown:
      return "unknown";
    case AuditVerdict::Standing::unavailable:
      return "unavailable";
  }
  return "unknown";
}

namespace {

class PermitWhatRfc8995Permits final : public Admission {
 public:
  boost::asio::awaitable<Result<AdmissionAnswer>> decide(AdmissionEvidence) override {
    AdmissionAnswer answer;
    answer.verdict = AdmissionAnswer::Verdict::permit;
    answer.reason = "no policy beyond RFC 8995";
    co_return answer;
  }
};

}  // namespace

std::unique_ptr<Admission> permit_what_rfc8995_permits() { return std::make_unique<PermitWhatRfc8995Permits>(); }

}  // namespace cahn::admission
