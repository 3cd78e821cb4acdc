// The JSON of RFC 8366 5.3 and RFC 8995 3.3, one object in one root:
//
//   {"ietf-voucher:voucher": {"created-on": "2026-03-01T12:00:00Z", "assertion": "proximity", "serial-number": "42",
//   …}}

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "voucher/voucher.h"

namespace cahn::voucher {
namespace {

using nlohmann::json;

constexpr std::size_t max_json = 256 << 10;
constexpr int max_depth = 16;
constexpr std::size_t max_text = 256;  // of a serial number or a nonce

constexpr std::string_view root_name(Root root) {
  return root == Root::voucher ? "ietf-voucher:voucher" : "ietf-voucher-request:voucher";
}

// Parses, and refuses what two readers could understand in two ways: members of the same name.
Result<json> parse_bounded(std::string_view text) {
  if (text.size() > max_json) return fail(VoucherError::not_json, "JSON of more than 256 KiB");
  std::vector<std::set<std::string>> open_objects;
  const char* refusal = nullptr;
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= max_depth) refusal = "JSON of more than 16 levels";
    if (refusal != nullptr) return false;
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    if (event == json::parse_event_t::key && !open_objects.back().insert(parsed.get<std::string>()).second) {
      refusal = "JSON with two members of the same name";
    }
    return refusal == nullptr;
  };
  json document = json::parse(text, watch, /*allow_exceptions=*/false);
  if (refusal != nullptr) return fail(VoucherError::not_json, refusal);
  if (document.is_discarded() || !document.is_object()) return fail(VoucherError::not_json, "not a JSON object");
  return document;
}

// Reads one member after the other; the first failure stays, and everything after it reads as absent.
class MemberReader {
 public:
  MemberReader(const json& members, Reading reading) : members_(members), reading_(reading) {}

  std::optional<std::string> text(const char* name) {
    const json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return refuse(name, "is not a string");
    return value->get<std::string>();
  }

  std::optional<std::string> short_text(const char* name) {
    auto value = text(name);
    if (value && (value->empty() || value->size() > max_text))
      return refuse(name, "is empty or longer than 256 octets");
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (value && std::any_of(value->begin(), value->end(), is_control)) return refuse(name, "has control characters");
    return value;
  }

  std::optional<bool> boolean(const char* name) {
    const json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) return refuse(name, "is not a boolean");
    return value->get<bool>();
  }

  std::optional<Time> date(const char* name) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    const auto time = parse_rfc3339(*value);
    if (!time) return refuse(name, "is not an RFC 3339 date");
    // Decision 6: fractions and offsets are for the tolerant.
    if (reading_ == Reading::strict && rfc3339(*time) != *value)
      return refuse(name, "is not a date in whole seconds of UTC");
    return *time;
  }

  std::optional<Bytes> binary(const char* name) {
    auto value = text(name);
    if (!value) return std::nullopt;
    auto octets = base64_decode(*value);
    if (!octets && reading_ == Reading::tolerant) {
      std::replace(value->begin(), value->end(), '-', '+');
      std::replace(value->begin(), value->end(), '_', '/');
      octets = base64_decode_lenient(*value);
    }
    if (!octets) return refuse(name, "is not base64");
    return *std::move(octets);
  }

  std::optional<crypto::Certificate> certificate(const char* name) {
    const auto der = binary(name);
    if (!der) return std::nullopt;
    auto certificate = crypto::Certificate::from_der(*der);
    if (!certificate) return refuse(name, certificate.error().message, VoucherError::bad_certificate);
    return *std::move(certificate);
  }

  std::optional<Assertion> assertion(const char* name) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    for (const auto known : {Assertion::verified, Assertion::logged, Assertion::proximity}) {
      if (*value == to_text(known)) return known;
    }
    return refuse(name, "is none of verified, logged, proximity");
  }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  const json* find(const char* name) const {
    if (failure_) return nullptr;
    const auto found = members_.find(name);
    return found == members_.end() ? nullptr : &*found;
  }

  std::nullopt_t refuse(const char* name, std::string_view why, VoucherError code = VoucherError::bad_member) {
    if (!failure_) failure_ = Error{code, std::string(name) + " " + std::string(why)};
    return std::nullopt;
  }

  const json& members_;
  Reading reading_;
  std::optional<Error> failure_;
};

// The object under the expected root; a tolerant reader of requests also takes the voucher's.
Result<const json*> find_members(const json& document, Root expected, Reading reading) {
  auto found = document.find(root_name(expected));
  if (found == document.end() && expected == Root::voucher_request && reading == Reading::tolerant) {
    found = document.find(root_name(Root::voucher));
  }
  if (found == document.end() || !found->is_object()) {
    return fail(VoucherError::wrong_root, "there is no object " + std::string(root_name(expected)));
  }
  return &*found;
}

Result<void> check_presence(const Voucher& voucher, Root root) {
  if (voucher.serial_number.empty()) return fail(VoucherError::missing_member, "serial-number is missing");
  if (root == Root::voucher_request) return {};
  // RFC 8366 5.3: both are mandatory in a voucher.
  if (!voucher.created_on) return fail(VoucherError::missing_member, "created-on is missing");
  if (!voucher.assertion) return fail(VoucherError::missing_member, "assertion is missing");
  if (voucher.nonce && voucher.expires_on)
    return fail(VoucherError::contradiction, "nonce and expires-on are both there");
  return {};
}

}  // namespace

std::string to_json(const Voucher& voucher, Root root) {
  nlohmann::ordered_json members = nlohmann::ordered_json::object();
  const auto put_text = [&](const char* name, const auto& value) {
    if (value) members[name] = *value;
  };
  const auto put_date = [&](const char* name, const std::optional<Time>& value) {
    if (value) members[name] = rfc3339(*value);
  };
  const auto put_binary = [&](const char* name, const std::optional<Bytes>& value) {
    if (value) members[name] = base64(*value);
  };
  const auto put_certificate = [&](const char* name, const std::optional<crypto::Certificate>& value) {
    if (value) members[name] = base64(value->der());
  };
  put_date("created-on", voucher.created_on);
  put_date("expires-on", voucher.expires_on);
  if (voucher.assertion) members["assertion"] = to_text(*voucher.assertion);
  members["serial-number"] = voucher.serial_number;
  put_binary("idevid-issuer", voucher.idevid_issuer);
  put_certificate("pinned-domain-cert", voucher.pinned_domain_cert);
  put_text("domain-cert-revocation-checks", voucher.domain_cert_revocation_checks);
  put_text("nonce", voucher.nonce);
  put_date("last-renewal-date", voucher.last_renewal_date);
  put_binary("prior-signed-voucher-request", voucher.prior_signed_voucher_request);
  put_certificate("proximity-registrar-cert", voucher.proximity_registrar_cert);
  const nlohmann::ordered_json document{{std::string(root_name(root)), std::move(members)}};
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Voucher> from_json(std::string_view text, Root expected, Reading reading) {
  CAHN_TRY(const json document, parse_bounded(text));
  CAHN_TRY(const json* members, find_members(document, expected, reading));
  MemberReader reader(*members, reading);
  Voucher voucher;
  voucher.created_on = reader.date("created-on");
  voucher.expires_on = reader.date("expires-on");
  voucher.assertion = reader.assertion("assertion");
  voucher.serial_number = reader.short_text("serial-number").value_or("");
  voucher.idevid_issuer = reader.binary("idevid-issuer");
  voucher.pinned_domain_cert = reader.certificate("pinned-domain-cert");
  voucher.domain_cert_revocation_checks = reader.boolean("domain-cert-revocation-checks");
  voucher.nonce = reader.short_text("nonce");
  voucher.last_renewal_date = reader.date("last-renewal-date");
  voucher.prior_signed_voucher_request = reader.binary("prior-signed-voucher-request");
  voucher.proximity_registrar_cert = reader.certificate("proximity-registrar-cert");
  if (reader.failure()) return fail(*reader.failure());
  CAHN_CHECK(check_presence(voucher, expected));
  return voucher;
}

}  // namespace cahn::voucher
