// Admission is where policy enters the voucher flow. A role asks it at each policy point of the onboarding stages
// (C.1 and C.10 pledge, C.3 and C.8 registrar, C.5 MASA) and at enrolment (D.4), and acts on the answer; it never
// learns how the answer was found. The default permits what RFC 8995 alone permits; the assurance room answers from
// claims.
//
// Threads: implementations are called concurrently from any I/O thread and may suspend but must not block it; what
// cannot be decided soon is `later`, and the device comes back.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/certificate.h"
#include "voucher/voucher.h"

namespace cahn::admission {

// The points of L765-832 at which a policy may stop an onboarding.
enum class PolicyPoint {
  pledge_requests,     // C.1
  registrar_receives,  // C.3: before anything leaves for the manufacturer
  masa_receives,       // C.5
  registrar_returns,   // C.8
  pledge_receives,     // C.10
  registrar_enrols     // D.4, first enrolment and renewal
};
std::string_view to_text(PolicyPoint);

// What the manufacturer's audit log says of a device's past, as the registrar judged it (RFC 8995 5.8.3).
struct AuditVerdict {
  enum class Standing {
    clean,       // nothing in it is unexpected
    unexpected,  // an owner nobody knows of, or one who may take the device back
    unknown,     // the MASA has no log for us, or answered in a way that is not understood
    unavailable  // the MASA cannot be asked at the moment
  };
  Standing standing = Standing::unavailable;
  std::string reason;     // one sentence for the operator
  bool accepted = false;  // an operator has seen it and lets the device in all the same
};
std::string_view to_text(AuditVerdict::Standing);

// What the asking role has already verified by itself. Nothing in here is merely claimed by the device.
struct AdmissionEvidence {
  PolicyPoint point;
  crypto::Certificate idevid;                   // chain checked against a configured manufacturer anchor
  crypto::Certificate manufacturer;             // the CA certificate that issued it
  std::string serial_number;                    // from the IDevID subject, equal to the one in the signed request
  std::optional<voucher::Assertion> assertion;  // what the request asks for, or the voucher grants
  std::optional<std::string> masa_url;          // from the IDevID
  std::optional<crypto::Certificate> owner;     // the domain to be pinned; absent before the registrar is known
  std::string network;                          // the target network's name, empty where the role does not know one
  std::optional<AuditVerdict> audit_log{};      // C.8 and D.4: none where the log was not asked for
};

struct AdmissionAnswer {
  enum class Verdict { permit, deny, later };

  Verdict verdict = Verdict::deny;
  std::string reason;                  // one sentence for the operator's log and console; never sent to the device
  std::vector<std::string> claims;     // ids of the credentials that decided it, strongest first
  std::chrono::seconds retry_after{};  // with `later`: when to ask again, sent as Retry-After
};

class Admission {
 public:
  virtual ~Admission() = default;

  // Decides one policy point. Fails only for faults of our own (store gone, engine dead), and the caller then denies:
  // an error is never a permit. `evidence` is taken by value: a coroutine outlives its caller's temporaries.
  virtual boost::asio::awaitable<Result<AdmissionAnswer>> decide(AdmissionEvidence evidence) = 0;
};

// Permits what has passed RFC 8995's own checks.
std::unique_ptr<Admission> permit_what_rfc8995_permits();

}  // namespace cahn::admission
