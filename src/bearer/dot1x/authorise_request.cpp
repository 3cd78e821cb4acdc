#include "bearer/dot1x/authorise_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/ascii.h"

namespace cahn::bearer::dot1x {
namespace {

using Json = nlohmann::json;

// RFC 2865 5: an attribute holds at most 253 octets; FreeRADIUS cuts its own TLS attributes there as well.
constexpr std::size_t max_attribute = 253;
constexpr int max_depth = 8;

bool printable(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// nullopt: not JSON, too deep, or an object that names a key twice (parsers differ on which one counts).
std::optional<Json> parse_strictly(ByteView body) {
  std::vector<std::set<std::string>> keys;
  bool sound = true;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > max_depth) sound = false;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty() && !keys.back().insert(parsed.get<std::string>()).second)
      sound = false;
    return sound;  // what is not sound is not kept either
  };
  Json document = Json::parse(body.begin(), body.end(), watch, /*allow_exceptions=*/false);
  if (!sound || !document.is_object()) return std::nullopt;
  return document;
}

// An attribute that is there exactly once, as text.
Result<std::string> attribute(const Json& document, const char* name) {
  const auto found = document.find(name);
  if (found == document.end()) return fail(BearerError::refused, std::string(name) + " is missing");
  if (!found->is_object()) return fail(BearerError::refused, std::string(name) + " is not an attribute");
  const auto value = found->find("value");
  if (value == found->end() || !value->is_array() || value->size() != 1 || !value->front().is_string())
    return fail(BearerError::refused, std::string(name) + " is not one text value");
  std::string text = value->front().get<std::string>();
  if (text.size() > max_attribute || !printable(text))
    return fail(BearerError::refused, std::string(name) + " is too long or holds control characters");
  return text;
}

Result<std::string> certificate_serial(const Json& document) {
  CAHN_TRY(std::string serial, attribute(document, "TLS-Client-Cert-Serial"));
  serial = ascii::lowered(serial);
  const bool is_hex = std::ranges::all_of(serial, [](unsigned char c) { return std::isxdigit(c) != 0; });
  // RFC 5280 4.1.2.2: at most 20 octets.
  if (serial.empty() || serial.size() > 40 || !is_hex)
    return fail(BearerError::refused, "TLS-Client-Cert-Serial is not a serial number in hex");
  return serial;
}

// The serialNumber out of "/serialNumber=SN-1/CN=net". The text form does not escape '/', so a name with two
// candidates, or with a value that looks like one, is taken as having none.
std::string subject_serial(const std::string& subject) {
  constexpr std::string_view mark = "/serialNumber=";
  const auto first = subject.find(mark);
  if (first == std::string::npos || subject.find(mark, first + 1) != std::string::npos) return {};
  const auto begin = first + mark.size();
  return subject.substr(begin, subject.find('/', begin) - begin);
}

// RFC 9190 2.1.4: an anonymous identity has an empty user part.
bool is_anonymous(const std::string& identity) {
  return identity.size() > 1 && identity.front() == '@' && identity.find('@', 1) == std::string::npos;
}

}  // namespace

Result<std::string> normal_link_address(std::string_view text) {
  std::string address;
  if (text.size() != 17) return fail(BearerError::refused, "not a link address");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (i % 3 == 2) {
      if (c != '-' && c != ':') return fail(BearerError::refused, "not a link address");
      address += ':';
    } else if (std::isxdigit(c) != 0) {
      address += ascii::lowered(text[i]);
    } else {
      return fail(BearerError::refused, "not a link address");
    }
  }
  return address;
}

Result<JoinRequest> parse_authorise_request(ByteView body) {
  if (body.size() > max_authorise_body) return fail(BearerError::refused, "the request is too large");
  const auto document = parse_strictly(body);
  if (!document) return fail(BearerError::refused, "the request is not a JSON object with distinct keys");
  JoinRequest request;
  CAHN_TRY(request.certificate_serial_hex, certificate_serial(*document));
  CAHN_TRY(request.certificate_issuer, attribute(*document, "TLS-Client-Cert-Issuer"));
  CAHN_TRY(const std::string subject, attribute(*document, "TLS-Client-Cert-Subject"));
  request.certificate_subject_serial = subject_serial(subject);
  CAHN_TRY(request.claimed_identity, attribute(*document, "User-Name"));
  CAHN_TRY(const std::string station, attribute(*document, "Calling-Station-Id"));
  CAHN_TRY(request.station, normal_link_address(station));
  CAHN_TRY(request.port, attribute(*document, "NAS-Identifier"));
  const bool same =
      !request.certificate_subject_serial.empty() && request.claimed_identity == request.certificate_subject_serial;
  if (!same && !is_anonymous(request.claimed_identity))
    return fail(BearerError::refused, "the EAP identity is not the serialNumber of the certificate");
  return request;
}

std::string permit_body(const JoinAnswer& answer) {
  const Json body = {{"reply:Session-Timeout", answer.session.count()}, {"reply:Termination-Action", "RADIUS-Request"}};
  return body.dump();
}

}  // namespace cahn::bearer::dot1x
