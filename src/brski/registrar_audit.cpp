#include "brski/registrar_audit.h"

#include <algorithm>

#include "base/ascii.h"
#include "crypto/digest.h"

namespace cahn::brski {
namespace {

using admission::AuditVerdict;
using Standing = AuditVerdict::Standing;

std::string name_of(const Bytes& domain) { return printable(base64(domain), 64); }

bool is_one_of(const Bytes& domain, std::span<const Bytes> domains) {
  return std::ranges::find(domains, domain) != domains.end();
}

// Why this voucher of a foreign domain is unexpected; empty if it is not.
std::string objection(const AuditEvent& event, const AuditPolicy& policy, Time first_own) {
  const std::string voucher =
      "a voucher of " + rfc3339(event.date) + " for the unknown domain " + name_of(event.domain_id);
  if (!event.nonce && !policy.ignore_unknown_nonceless) return voucher + " has no nonce and may be used at any time";
  if (event.date >= first_own) return voucher + " is later than our first one";
  if (!policy.earlier_owners) return voucher + " shows an earlier owner";
  return {};
}

// The same for the same foreign entries in whatever order they come.
std::string digest_of(std::vector<std::string> foreign) {
  if (foreign.empty()) return {};
  std::ranges::sort(foreign);
  std::string all;
  for (const std::string& one : foreign) all += one + "\n";
  return hex(crypto::sha256(as_bytes(all)));
}

}  // namespace

AuditFinding judge_audit_log(const AuditLog& log, const AuditPolicy& policy, std::span<const Bytes> own_domains,
                             Time now) {
  std::optional<Time> first_own;
  for (const AuditEvent& event : log.events) {
    if (is_one_of(event.domain_id, own_domains)) first_own = std::min(first_own.value_or(event.date), event.date);
  }
  std::vector<std::string> foreign;
  std::string objections;
  for (const AuditEvent& event : log.events) {
    if (is_one_of(event.domain_id, own_domains) || is_one_of(event.domain_id, policy.known_domains)) continue;
    foreign.push_back(hex(event.domain_id) + " " + rfc3339(event.date, true) + " " +
                      (event.nonce ? hex(as_bytes(*event.nonce)) : "-"));
    if (objections.empty()) objections = objection(event, policy, first_own.value_or(Time::max()));
  }
  AuditFinding finding{{Standing::clean, {}, false}, now, digest_of(std::move(foreign))};
  if (policy.ignore_history) {
    finding.verdict.reason = "the history of devices is ignored by configuration";
    return finding;
  }
  if (!first_own) objections = "the MASA gave us a voucher that its audit log does not hold";
  if (objections.empty() && log.arbitrary != 0 && !policy.earlier_owners) {
    objections = "the MASA left " + std::to_string(log.arbitrary) + " entries out, which may be earlier owners";
  }
  if (!objections.empty()) finding.verdict.standing = Standing::unexpected;
  finding.verdict.reason = objections.empty() ? std::to_string(log.events.size()) + " vouchers, none unexpected" +
                                                    (log.arbitrary != 0 ? "; some were left out by the MASA" : "")
                                              : std::move(objections);
  return finding;
}

AuditFinding finding_without_log(const Error& why, Time now) {
  const Standing standing = why.code == BrskiError::masa_failed ? Standing::unavailable : Standing::unknown;
  return {{standing, why.message, false}, now, {}};
}

Result<void> permits(const AuditPolicy& policy, const AuditFinding& finding) {
  const AuditVerdict& verdict = finding.verdict;
  if (verdict.accepted || policy.ignore_history) return {};
  switch (verdict.standing) {
    case Standing::clean:
      return {};
    case Standing::unexpected:
      break;
    case Standing::unknown:
      if (policy.unknown_answers) return {};
      break;
    case Standing::unavailable:
      if (policy.unavailable == AuditPolicy::Unavailable::permit) return {};
      return fail(BrskiError::not_yet, "the audit log cannot be had: " + verdict.reason);
  }
  return fail(BrskiError::unreadable_request, "the audit log is against it: " + verdict.reason);
}

Result<std::pair<std::string, std::string>> audit_location(const MasaAddress& masa, std::string_view location) {
  const bool path_only = location.starts_with('/') && !location.starts_with("//");
  const auto url = net::parse_url(path_only ? "https://" + masa.endpoint.authority() + std::string(location)
                                            : std::string(location));
  if (!url) return fail(BrskiError::bad_report, "the Location of the audit log is of no use: " + url.error().message);
  // Whatever a MASA says, its registrar's credentials go to no other server.
  if (!url->tls || url->endpoint.port != masa.endpoint.port ||
      !ascii::equal_without_case(url->endpoint.host, masa.endpoint.host)) {
    return fail(BrskiError::bad_report, "the Location of the audit log is on another server than the MASA");
  }
  return std::pair(url->path, url->query);
}

}  // namespace cahn::brski
