// The manufacturer's audit log as a registrar reads it: what in it is unexpected, and where a prepared one lies (RFC
// 8995 5.8). Fetching it is the registrar's.
//
// Threads: pure functions.

#pragma once

#include <span>
#include <string>
#include <utility>

#include "admission/admission.h"
#include "brski/registrar_options.h"

namespace cahn::brski {

// A verdict, and what it was about.
struct AuditFinding {
  admission::AuditVerdict verdict;
  Time judged_at{};
  std::string digest;  // of what in the log is not ours, so that an operator's word counts for this past and no other
};

// Judges a log by the policy. `own_domains` are the domainIDs of this registrar's certificates and of the voucher's pin
// (RFC 8995 5.8.2). Unexpected are, from domains that are neither ours nor known: a nonceless voucher, whose holder may
// take the device over; a voucher later than our first one; with `earlier_owners` off any at all; and a log that does
// not know us, although its MASA gave us a voucher.
AuditFinding judge_audit_log(const AuditLog& log, const AuditPolicy& policy, std::span<const Bytes> own_domains,
                             Time now);

// What is found when there is no log to judge: masa_failed (not at the moment), unknown_party (404), bad_report (an
// answer that is not understood).
AuditFinding finding_without_log(const Error& why, Time now);

// Whether a device with this finding may have a voucher and a certificate. Errors: unreadable_request (406, the reason
// is the operator's), not_yet (ask again later).
Result<void> permits(const AuditPolicy& policy, const AuditFinding& finding);

// Path and query of the Location of a 201, which must lie on the MASA's own origin. Errors: bad_report.
Result<std::pair<std::string, std::string>> audit_location(const MasaAddress& masa, std::string_view location);

}  // namespace cahn::brski
