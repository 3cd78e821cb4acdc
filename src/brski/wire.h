// What pledge, registrar and MASA have in common on the wire: paths, media types, status codes, and the JSON of
// telemetry and audit logs (RFC 8995 5.7, 5.8.1, 5.9.4). Vouchers themselves are the voucher room's.
//
// Threads: values and pure functions.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "net/http.h"
#include "voucher/signed_voucher.h"

namespace cahn::brski {

// RFC 8995 8.3.1, and the factory's report of a birth (decision 66).
inline constexpr std::string_view path_request_voucher = "/.well-known/brski/requestvoucher";
inline constexpr std::string_view path_voucher_status = "/.well-known/brski/voucher_status";
inline constexpr std::string_view path_enrol_status = "/.well-known/brski/enrollstatus";
inline constexpr std::string_view path_request_audit_log = "/.well-known/brski/requestauditlog";
inline constexpr std::string_view path_births = "/factory/births";

inline constexpr std::string_view media_type_json = "application/json";

// Why a role refused, or could not do, its part. Each has one HTTP status (decision 5).
enum class BrskiError {
  unsupported_media_type,  // 415
  unreadable_request,      // 406: not CMS, not JSON, lacks what a voucher-request must have
  forbidden,               // 403: bad signature, stale, or an administrator could change it
  unknown_party,           // 404: a device or maker that is not known here
  wrong_proximity,         // 401, and the connection is closed
  not_yet,                 // 202 with Retry-After
  unavailable,             // 503: a fault of our own
  masa_failed,             // 502: the MASA cannot be reached, or answered nonsense
  bad_report,              // 400: telemetry or birth that cannot be read
  registrar_refused,       // pledge: the registrar's answer was a refusal; the message carries status and text
  gave_up,                 // pledge: waited as long as it may
  no_registrar,            // pledge: no candidate led anywhere
  not_the_registrar,       // pledge: not the party the voucher, or our domain CA, vouches for
  bad_certificate,         // pledge: what came back from enrolment is not ours
  bad_state,               // pledge: its state directory is damaged or not writable
  bad_option               // a role was given options it cannot work with
};
std::string_view error_name(BrskiError);

// A role's answer to a request that it refuses: the status that belongs to the error's code, its message as text/plain.
net::HttpResponse refusal(const Error&);
int http_status(const ErrorCode&);
// 202 with Retry-After between 1 s and 60 s (decision 5; a pledge waits no longer anyway, RFC 8995 5.6).
net::HttpResponse come_back_later(std::chrono::seconds);
// Turns what voucher::open refused into unreadable_request or forbidden (decision 5).
Error as_request_error(const Error& from_voucher);

// Whether an idevid-issuer is that of the IDevID: its AuthorityKeyIdentifier, or the key identifier in it (decision 4).
bool is_issuer_of(ByteView idevid_issuer, const crypto::Certificate& idevid);

// Text of a peer for a log line or a message: printable, one line, at most `limit` octets.
std::string printable(std::string_view text, std::size_t limit = 200);

// Where a MASA is served (RFC 8995 2.3.2): the value without "/" is an authority, to which https and the well-known
// path are added; else a whole URI whose path ends in /.well-known/brski or is taken as that folder. Whatever its
// scheme, https.
struct MasaAddress {
  net::Endpoint endpoint;
  std::string request_voucher_path;
  std::string audit_log_path;
  std::string text() const;  // "https://masa.example:9443/.well-known/brski"
};
Result<MasaAddress> parse_masa_address(std::string_view masa_url);

// voucher_status and enrollstatus have one form (RFC 8995 5.7, 5.9.4).
struct StatusReport {
  std::uint64_t version = 1;
  bool status = false;
  std::string reason;
  std::string reason_context;  // a JSON object as text; empty: none
};
std::string to_json(const StatusReport&);
// At most 16 KiB and depth 16. Reads keys in either case and numbers as strings, as they occur in the field (decision
// 15); a report without version and status is bad_report, never success.
Result<StatusReport> status_report_from_json(std::string_view);

struct AuditEvent {
  Time date;
  Bytes domain_id;                   // RFC 8995 5.8.2
  std::optional<std::string> nonce;  // none for a nonceless voucher
  voucher::Assertion assertion = voucher::Assertion::logged;
  std::uint64_t truncated = 0;
};
struct AuditLog {
  std::uint64_t version = 1;
  std::vector<AuditEvent> events;
  std::uint64_t nonced_duplicates = 0, nonceless_duplicates = 0, arbitrary = 0;  // how many were left out
};
std::string to_json(const AuditLog&);
// At most 4 MiB, 100,000 events, depth 16. Numbers may be strings (RFC 8995 figure 18).
Result<AuditLog> audit_log_from_json(std::string_view);

// What the factory tells the MASA of a device it made.
struct Birth {
  std::string serial_number;
  crypto::Certificate idevid;
  std::string model;
};
std::string to_json(const Birth&);
// At most 128 KiB. The serial number must be the certificate's own.
Result<Birth> birth_from_json(std::string_view);

// A step of the road, for whoever tells its story: the operator's console, the demonstration, a log.
struct Progress {
  std::string_view stage;     // "C.3", as L785-841 count them
  std::string serial_number;  // of the device; empty while unknown
  std::string what;           // one sentence
  std::string signer;         // subject of who signed what this step is about; may be empty
  bool done = true;           // false: refused or failed
  std::chrono::microseconds took{};
};

}  // namespace cahn::brski
