// The orders an operator gives a running registrar, as JSON on the operator's port (docs/guide-registrar.md).
//
// Each is at most 256 KiB and 16 levels deep, without members of the same name or unknown ones: a misspelt setting is an
// error, not a default. Errors: bad_report, naming the member.
//
// Threads: pure functions.

#pragma once

#include <string>
#include <string_view>

#include "brski/registrar.h"

namespace cahn::brski {

constexpr std::size_t max_order = std::size_t{256} << 10;  // octets

// {"decision": "approve" | "reject" | "forget", "reason": "..."}
struct PendingOrder {
  enum class Decision { approve, reject, forget } decision;
  std::string reason;
};
Result<PendingOrder> pending_order_from_json(std::string_view);

// {"order": "accept" | "refresh", "reason": "..."}: accept the past that was found, or ask for the log again.
struct OnboardingOrder {
  enum class Kind { accept, refresh } kind;
  std::string reason;
};
Result<OnboardingOrder> onboarding_order_from_json(std::string_view);

// {"manufacturer": "Acme", "serialNumber": "...", "idevidIssuer": base64, "masa": "..."}; the last may be missing.
Result<OfflineDevice> offline_device_from_json(std::string_view);

// {"name", "anchors": PEM, "intermediates": PEM, "masa", "masaFallback", "masaAnchors": PEM, "ignoreLifetime",
// "serialFrom", "operatorApproves", "offlineFirst", "withoutClientCertificate", "compat"}; only the first two must be
// there. Secrets do not come this way.
Result<Manufacturer> manufacturer_from_json(std::string_view);

// "subject-serial-number", "common-name", "dns-name", "uri"; "strict", "field". Errors: bad_report.
Result<SerialSource> serial_source_from(std::string_view);
Result<Compat> compat_from(std::string_view);
std::string_view to_text(SerialSource);
std::string_view to_text(Compat);

}  // namespace cahn::brski
