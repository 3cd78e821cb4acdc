// The JSON of RFC 8366 5.3 and RFC 8995 3.3, one object in one root:
//
//   {"ietf-voucher:voucher": {"created-on": "2026-03-01T12:00:00Z", "assertion": "proximity", "serial-number": "42",
//   …}}

#include <algorithm>
#include <nlohmann/json.hpp>

#include "voucher/bounded_json.h"
#include "voucher/voucher.h"

namespace cahn::voucher {
namespace {

using nlohmann::json;

constexpr std::size_t max_json = 256 << 10;
constexpr std::size_t max_text = 256;  // of a serial number or a nonce

constexpr std::string_view root_name(Root root) {
  return root == Root::voucher ? "ietf-voucher:voucher" : "ietf-voucher-request:voucher";
}

// Reads one member after the other; the first failure stays, and everything after it reads as absent.
class MemberReader {
 public:
  MemberReader(std::string_view root, const json& members, Reading reading)
      : root_(root), members_(members), tolerant_(reading == Reading::tolerant) {}

  // A text of a line, as a serial number or a nonce is one.
  std::optional<std::string> short_text(const char* name) {
    auto value = text(name);
    if (!value) return std::nullopt;
    if (value->empty() || value->size() > max_text) {
      return refuse(name, "expected 1 to 256 octets, found " + std::to_string(value->size()));
    }
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(value->begin(), value->end(), is_control)) {
      return refuse(name, "expected text, found control characters: " + in_quotes(*value));
    }
    return value;
  }

  // The field writes serial numbers of digits as JSON numbers too.
  std::optional<std::string> serial_number(const char* name) {
    const json* value = find(name);
    if (tolerant_ && value != nullptr && value->is_number_unsigned()) return value->dump();
    return short_text(name);
  }

  // RFC 7951 6.3: a JSON boolean. The field writes "true" too.
  std::optional<bool> boolean(const char* name) {
    const json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    if (tolerant_ && (*value == "true" || *value == "false")) return *value == "true";
    return refuse_kind(name, "true or false", *value);
  }

  std::optional<Time> date(const char* name) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    const auto time = parse_rfc3339(*value);
    // Decision 6: fractions and offsets are for the tolerant.
    if (!time || (!tolerant_ && rfc3339(*time) != *value)) {
      return refuse(name, "expected a date such as 2026-03-01T12:00:00Z, found " + in_quotes(*value));
    }
    return *time;
  }

  // RFC 7951 6.6: padded base64 of RFC 4648 4. The field leaves out padding, breaks lines, and takes base64url.
  std::optional<Bytes> binary(const char* name) {
    auto value = text(name);
    if (!value) return std::nullopt;
    auto octets = base64_decode(*value);
    if (!octets && tolerant_) {
      std::replace(value->begin(), value->end(), '-', '+');
      std::replace(value->begin(), value->end(), '_', '/');
      octets = base64_decode_lenient(*value);
    }
    if (!octets) return refuse(name, "expected base64, found " + in_quotes(*value));
    return *std::move(octets);
  }

  std::optional<crypto::Certificate> certificate(const char* name) {
    const auto der = binary(name);
    if (!der) return std::nullopt;
    auto certificate = crypto::Certificate::from_der(*der);
    if (certificate) return *std::move(certificate);
    return refuse(name, "expected a certificate, found " + certificate.error().message, VoucherError::bad_certificate);
  }

  std::optional<Assertion> assertion(const char* name) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    for (const auto known : {Assertion::verified, Assertion::logged, Assertion::proximity}) {
      if (*value == to_text(known)) return known;
    }
    return refuse(name, "expected verified, logged or proximity, found " + in_quotes(*value));
  }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  std::optional<std::string> text(const char* name) {
    const json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return refuse_kind(name, "a string", *value);
    return value->get<std::string>();
  }

  const json* find(const char* name) const {
    if (failure_) return nullptr;
    const auto found = members_.find(name);
    if (found == members_.end()) return nullptr;
    // Some write what they do not have as null, which no leaf of YANG is (RFC 7951 6).
    return tolerant_ && found->is_null() ? nullptr : &*found;
  }

  std::nullopt_t refuse(const char* name, const std::string& why, VoucherError code = VoucherError::bad_member) {
    if (!failure_) failure_ = Error{code, std::string(root_) + "/" + name + ": " + why};
    return std::nullopt;
  }
  std::nullopt_t refuse_kind(const char* name, std::string_view expected, const json& found) {
    return refuse(
        name, "expected " + std::string(expected) + ", found " +
                  (found.is_string() ? in_quotes(found.get_ref<const std::string&>()) : std::string(kind_of(found))));
  }

  std::string_view root_;
  const json& members_;
  bool tolerant_;
  std::optional<Error> failure_;
};

std::string names_of(const json& document) {
  std::string names;
  for (const auto& [name, value] : document.items()) {
    names += (names.empty() ? "" : ", ") + in_quotes(name);
    if (names.size() > 100) return names + ", …";
  }
  return names.empty() ? "an empty object" : names;
}

// The root that is there: the expected one, or (for a tolerant reader of requests) the voucher's.
Result<Root> find_root(const json& document, Root expected, Reading reading) {
  const std::string name(root_name(expected));
  if (const auto found = document.find(name); found != document.end()) {
    if (found->is_object()) return expected;
    return fail(VoucherError::wrong_root, name + ": expected an object, found " + std::string(kind_of(*found)));
  }
  if (expected == Root::voucher_request && reading == Reading::tolerant) {
    const auto other = document.find(root_name(Root::voucher));
    if (other != document.end() && other->is_object()) return Root::voucher;
  }
  return fail(VoucherError::wrong_root, "expected " + name + ", found " + names_of(document));
}

Result<void> check_presence(const Voucher& voucher, Root root, std::string_view found_root) {
  const auto missing = [&](const char* name) {
    return fail(VoucherError::missing_member, std::string(found_root) + "/" + name + ": missing");
  };
  if (voucher.serial_number.empty()) return missing("serial-number");
  if (root == Root::voucher_request) return {};
  // RFC 8366 5.3: both are mandatory in a voucher.
  if (!voucher.created_on) return missing("created-on");
  if (!voucher.assertion) return missing("assertion");
  if (voucher.nonce && voucher.expires_on) {
    return fail(VoucherError::contradiction, std::string(found_root) + ": nonce and expires-on are both there");
  }
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
  CAHN_TRY(const json document, parse_object(text, max_json));
  CAHN_TRY(const Root root, find_root(document, expected, reading));
  MemberReader reader(root_name(root), document[root_name(root)], reading);
  Voucher voucher;
  voucher.created_on = reader.date("created-on");
  voucher.expires_on = reader.date("expires-on");
  voucher.assertion = reader.assertion("assertion");
  voucher.serial_number = reader.serial_number("serial-number").value_or("");
  voucher.idevid_issuer = reader.binary("idevid-issuer");
  voucher.pinned_domain_cert = reader.certificate("pinned-domain-cert");
  voucher.domain_cert_revocation_checks = reader.boolean("domain-cert-revocation-checks");
  voucher.nonce = reader.short_text("nonce");
  voucher.last_renewal_date = reader.date("last-renewal-date");
  voucher.prior_signed_voucher_request = reader.binary("prior-signed-voucher-request");
  voucher.proximity_registrar_cert = reader.certificate("proximity-registrar-cert");
  if (reader.failure()) return fail(*reader.failure());
  CAHN_CHECK(check_presence(voucher, expected, root_name(root)));
  return voucher;
}

}  // namespace cahn::voucher
