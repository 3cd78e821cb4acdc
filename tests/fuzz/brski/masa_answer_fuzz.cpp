// What a MASA may answer beside a voucher: a challenge, the place of an audit log, the log itself. The first octet says
// which.

#include <algorithm>
#include <cstdlib>

#include "brski/registrar_audit.h"
#include "brski/registrar_credentials.h"

using namespace cahn;

namespace {

// Nothing a MASA says may end a header line of ours.
void check_challenge(std::string_view text) {
  const brski::MasaCredentials ann{"ann", "secret", brski::MasaCredentials::Scheme::digest};
  const auto header = brski::digest_authorization(ann, text, "POST", "/x", "c");
  if (!header) return;
  const bool one_line = std::ranges::all_of(*header, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (!one_line || header->find("secret") != std::string::npos) std::abort();
}

void check_location(std::string_view text) {
  static const auto masa = *brski::parse_masa_address("masa.example:9443");
  const auto place = brski::audit_location(masa, text);
  if (place && !place->first.starts_with('/')) std::abort();
}

void check_log(std::string_view text) {
  const auto log = brski::audit_log_from_json(text);
  if (!log) return;
  const Bytes own[] = {Bytes{0, 0, 0}};
  const auto finding = brski::judge_audit_log(*log, {}, own, Time{});
  const bool clean = finding.verdict.standing == admission::AuditVerdict::Standing::clean;
  const auto is_ours = [&](const brski::AuditEvent& e) { return e.domain_id == own[0]; };
  if (clean && std::ranges::none_of(log->events, is_ours)) std::abort();
  const auto is_open = [&](const brski::AuditEvent& e) { return !e.nonce && !is_ours(e); };
  if (clean && std::ranges::any_of(log->events, is_open)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'd') check_challenge(text);
  if (data[0] == 'l') check_location(text);
  if (data[0] == 'a') check_log(text);
  return 0;
}
