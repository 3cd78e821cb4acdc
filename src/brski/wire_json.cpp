// The JSON of RFC 8995 5.7, 5.8.1 and 5.9.4, and of births. Numbers and lower-case keys are written; strings and other
// spellings are read too, because figure 18 and devices in the field have them (decision 15).

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "brski/wire.h"

namespace cahn::brski {
namespace {

using nlohmann::json;

constexpr int max_depth = 16;
constexpr std::size_t max_report = std::size_t{16} << 10;
constexpr std::size_t max_audit_log = std::size_t{4} << 20;
constexpr std::size_t max_audit_events = 100'000;
constexpr std::size_t max_birth = std::size_t{128} << 10;

Result<json> parse_object(std::string_view text, std::size_t max_size) {
  if (text.size() > max_size) {
    return fail(BrskiError::bad_report, "the document is larger than " + std::to_string(max_size) + " octets");
  }
  bool too_deep = false;
  const auto watch_depth = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > max_depth;
    return !too_deep;
  };
  json document = json::parse(text, watch_depth, false);
  if (too_deep) return fail(BrskiError::bad_report, "the document is nested deeper than 16 levels");
  if (document.is_discarded()) return fail(BrskiError::bad_report, "the document is not JSON");
  if (!document.is_object()) return fail(BrskiError::bad_report, "the document is not a JSON object");
  return document;
}

std::string written(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

// The member of that name, else one that differs only in the case of its letters.
const json* member(const json& object, std::string_view name) {
  if (const auto exact = object.find(name); exact != object.end()) return &*exact;
  for (auto it = object.begin(); it != object.end(); ++it) {
    if (ascii::equal_without_case(it.key(), name)) return &*it;
  }
  return nullptr;
}

std::optional<std::uint64_t> number(const json* value) {
  if (!value) return std::nullopt;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  if (!value->is_string()) return std::nullopt;
  const auto& text = value->get_ref<const std::string&>();
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return out;
}

std::optional<std::string> text_of(const json* value) {
  if (!value || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

// A counter that may be missing, but not be something else.
Result<std::uint64_t> counter(const json& object, std::string_view name) {
  const json* value = member(object, name);
  if (!value) return 0;
  const auto n = number(value);
  if (!n) return fail(BrskiError::bad_report, "'" + std::string(name) + "' is not a number");
  return *n;
}

std::optional<voucher::Assertion> assertion_of(const json* value) {
  const auto text = text_of(value);
  for (const auto a : {voucher::Assertion::verified, voucher::Assertion::logged, voucher::Assertion::proximity}) {
    if (text && *text == voucher::to_text(a)) return a;
  }
  return std::nullopt;
}

Result<AuditEvent> audit_event(const json& object) {
  if (!object.is_object()) return fail(BrskiError::bad_report, "an event of the audit log is not an object");
  AuditEvent event;
  const auto date = text_of(member(object, "date"));
  auto parsed_date = date ? parse_rfc3339(*date) : Result<Time>(fail(TimeError::bad_rfc3339, "missing"));
  if (!parsed_date) return fail(BrskiError::bad_report, "an event of the audit log has no RFC 3339 'date'");
  event.date = *parsed_date;
  const auto domain = text_of(member(object, "domainID"));
  auto domain_id = base64_decode_lenient(domain.value_or(""));
  if (!domain || !domain_id) return fail(BrskiError::bad_report, "an event of the audit log has no base64 'domainID'");
  event.domain_id = *std::move(domain_id);
  const json* nonce = member(object, "nonce");
  if (nonce && !nonce->is_null()) {
    event.nonce = text_of(nonce);
    if (!event.nonce) return fail(BrskiError::bad_report, "a 'nonce' of the audit log is neither text nor null");
  }
  const auto assertion = assertion_of(member(object, "assertion"));
  if (!assertion) return fail(BrskiError::bad_report, "an event of the audit log has no known 'assertion'");
  event.assertion = *assertion;
  CAHN_TRY(event.truncated, counter(object, "truncated"));
  return event;
}

}  // namespace

std::string to_json(const StatusReport& report) {
  json document = {{"version", report.version}, {"status", report.status}};
  if (!report.reason.empty()) document["reason"] = report.reason;
  if (!report.reason_context.empty()) {
    json context = json::parse(report.reason_context, nullptr, false);
    if (context.is_object()) document["reason-context"] = std::move(context);
  }
  return written(document);
}

Result<StatusReport> status_report_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_object(text, max_report));
  StatusReport report;
  const auto version = number(member(document, "version"));
  if (!version) return fail(BrskiError::bad_report, "the report has no 'version'");
  report.version = *version;
  const json* status = member(document, "status");
  if (!status || !status->is_boolean()) return fail(BrskiError::bad_report, "the report has no boolean 'status'");
  report.status = status->get<bool>();
  report.reason = text_of(member(document, "reason")).value_or("");
  if (const json* context = member(document, "reason-context"); context && context->is_object()) {
    report.reason_context = written(*context);
  }
  return report;
}

std::string to_json(const AuditLog& log) {
  json events = json::array();
  for (const AuditEvent& event : log.events) {
    json one = {{"date", rfc3339(event.date, true)},
                {"domainID", base64(event.domain_id)},
                {"nonce", event.nonce ? json(*event.nonce) : json(nullptr)},
                {"assertion", voucher::to_text(event.assertion)}};
    if (event.truncated != 0) one["truncated"] = event.truncated;
    events.push_back(std::move(one));
  }
  json document = {{"version", log.version}, {"events", std::move(events)}};
  if (log.nonced_duplicates + log.nonceless_duplicates + log.arbitrary != 0) {
    document["truncation"] = {{"nonced duplicates", log.nonced_duplicates},
                              {"nonceless duplicates", log.nonceless_duplicates},
                              {"arbitrary", log.arbitrary}};
  }
  return written(document);
}

Result<AuditLog> audit_log_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_object(text, max_audit_log));
  AuditLog log;
  const auto version = number(member(document, "version"));
  if (!version) return fail(BrskiError::bad_report, "the audit log has no 'version'");
  log.version = *version;
  const json* events = member(document, "events");
  if (!events || !events->is_array() || events->size() > max_audit_events) {
    return fail(BrskiError::bad_report, "the audit log has no list of 'events', or a boundless one");
  }
  for (const json& one : *events) {
    CAHN_TRY(AuditEvent event, audit_event(one));
    log.events.push_back(std::move(event));
  }
  if (const json* truncation = member(document, "truncation"); truncation && truncation->is_object()) {
    CAHN_TRY(log.nonced_duplicates, counter(*truncation, "nonced duplicates"));
    CAHN_TRY(log.nonceless_duplicates, counter(*truncation, "nonceless duplicates"));
    CAHN_TRY(log.arbitrary, counter(*truncation, "arbitrary"));
  }
  return log;
}

std::string to_json(const Birth& birth) {
  return written(
      {{"serialNumber", birth.serial_number}, {"idevid", base64(birth.idevid.der())}, {"model", birth.model}});
}

Result<Birth> birth_from_json(std::string_view text) {
  CAHN_TRY(const json document, parse_object(text, max_birth));
  const auto serial = text_of(member(document, "serialNumber"));
  const auto idevid = text_of(member(document, "idevid"));
  if (!serial || !idevid) return fail(BrskiError::bad_report, "the birth lacks 'serialNumber' or 'idevid'");
  auto der = base64_decode(*idevid);
  if (!der) return fail(BrskiError::bad_report, "the 'idevid' of the birth is not base64");
  auto certificate = crypto::Certificate::from_der(*der);
  if (!certificate) return fail(BrskiError::bad_report, "the 'idevid' of the birth is no certificate");
  if (certificate->subject_serial_number() != serial) {
    return fail(BrskiError::bad_report, "the 'serialNumber' of the birth is not the one in its IDevID");
  }
  return Birth{*serial, *std::move(certificate), text_of(member(document, "model")).value_or("")};
}

}  // namespace cahn::brski
