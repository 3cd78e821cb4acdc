// Telemetry, audit logs and births: whatever is read can be written, and then read as the same.

#include <cstdlib>

#include "brski/wire.h"

using namespace cahn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto report = brski::status_report_from_json(text)) {
    const auto again = brski::status_report_from_json(brski::to_json(*report));
    if (!again || again->status != report->status || again->version != report->version) std::abort();
  }
  if (const auto log = brski::audit_log_from_json(text)) {
    const auto again = brski::audit_log_from_json(brski::to_json(*log));
    if (!again || again->events.size() != log->events.size()) std::abort();
  }
  if (const auto birth = brski::birth_from_json(text)) {
    if (!brski::birth_from_json(brski::to_json(*birth))) std::abort();
  }
  return 0;
}
