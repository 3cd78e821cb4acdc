#include "voucher/c_api/artifact.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "voucher/c_api/arrays.h"
#include "voucher/diagnostics.h"

namespace cahn::voucher::c_api {
namespace {

constexpr std::size_t max_serial_number = 256;  // as the reader of JSON takes them
constexpr std::size_t max_nonce = 192;          // 256 characters of base64

std::optional<crypto::Certificate> certificate_of(const Octets& octets) {
  auto certificate = crypto::Certificate::from_der(octets.octets());
  if (octets.empty() || !certificate) return std::nullopt;
  return *std::move(certificate);
}

std::optional<Assertion> assertion_of(int assertion) {
  switch (assertion) {
    case VOUCHER_ASSERTION_VERIFIED:
      return Assertion::verified;
    case VOUCHER_ASSERTION_LOGGED:
      return Assertion::logged;
    case VOUCHER_ASSERTION_PROXIMITY:
      return Assertion::proximity;
    default:
      return std::nullopt;
  }
}

int number_of(std::optional<Assertion> assertion) {
  if (!assertion) return VOUCHER_ASSERTION_NONE;
  switch (*assertion) {
    case Assertion::verified:
      return VOUCHER_ASSERTION_VERIFIED;
    case Assertion::logged:
      return VOUCHER_ASSERTION_LOGGED;
    case Assertion::proximity:
      return VOUCHER_ASSERTION_PROXIMITY;
  }
  return VOUCHER_ASSERTION_NONE;
}

// Everything but the certificates, which may not be any.
Result<Voucher> without_certificates(const ::Voucher& from) {
  Voucher voucher;
  const auto time = [](const std::optional<std::tm>& value, std::optional<Time>& target) -> Result<void> {
    if (!value) return {};
    CAHN_TRY(target, to_time(*value));
    return {};
  };
  CAHN_CHECK(time(from.created_on, voucher.created_on));
  CAHN_CHECK(time(from.expires_on, voucher.expires_on));
  CAHN_CHECK(time(from.last_renewal_date, voucher.last_renewal_date));
  voucher.assertion = assertion_of(from.assertion);
  voucher.serial_number = from.serial_number.value_or("");
  if (!from.idevid_issuer.empty()) voucher.idevid_issuer = from.idevid_issuer.octets();
  voucher.domain_cert_revocation_checks = from.domain_cert_revocation_checks;
  voucher.nonce = from.nonce_text;
  if (!from.prior_signed_voucher_request.empty()) {
    voucher.prior_signed_voucher_request = from.prior_signed_voucher_request.octets();
  }
  return voucher;
}

Root root_by(bool has_prior, bool has_proximity, bool has_pin) {
  return has_prior || has_proximity || !has_pin ? Root::voucher_request : Root::voucher;
}

// The JSON of whatever is set: also octets that are no certificate, and no serial-number where there is none.
Result<std::string> json_of(const ::Voucher& from) {
  CAHN_TRY(const Voucher voucher, without_certificates(from));
  const Root root = root_by(!from.prior_signed_voucher_request.empty(), !from.proximity_registrar_cert.empty(),
                            !from.pinned_domain_cert.empty());
  auto document = nlohmann::ordered_json::parse(to_json(voucher, root));
  auto& members = document.begin().value();
  if (!from.serial_number) members.erase("serial-number");
  if (!from.pinned_domain_cert.empty()) members["pinned-domain-cert"] = base64(from.pinned_domain_cert.octets());
  if (!from.proximity_registrar_cert.empty()) {
    members["proximity-registrar-cert"] = base64(from.proximity_registrar_cert.octets());
  }
  return document.dump();
}

Result<::Voucher*> deserialize(const std::uint8_t* json, std::size_t length, VoucherReading reading) {
  if (json == nullptr || length == 0) return fail(ApiError::missing_argument, "there is no JSON");
  if (reading != VOUCHER_READING_STRICT && reading != VOUCHER_READING_TOLERANT) {
    return fail(ApiError::bad_argument, "there is no such reading");
  }
  const Reading how = reading == VOUCHER_READING_TOLERANT ? Reading::tolerant : Reading::strict;
  CAHN_TRY(const Voucher voucher, read_either(as_text({json, length}), how));
  return to_api(voucher).release();
}

}  // namespace

Result<Time> to_time(const std::tm& tm) {
  using namespace std::chrono;
  const year_month_day date{year(0), month(0), day(0)};
  const bool in_range = tm.tm_year >= 1 - 1900 && tm.tm_year <= 9999 - 1900 && tm.tm_mon >= 0 && tm.tm_mon <= 11 &&
                        tm.tm_mday >= 1 && tm.tm_mday <= 31 && tm.tm_hour >= 0 && tm.tm_hour <= 23 && tm.tm_min >= 0 &&
                        tm.tm_min <= 59 && tm.tm_sec >= 0 && tm.tm_sec <= 60;
  const year_month_day day_of = in_range ? year(tm.tm_year + 1900) / (tm.tm_mon + 1) / tm.tm_mday : date;
  if (!in_range || !day_of.ok()) return fail(ApiError::bad_argument, "the struct tm is no time of the years 1 to 9999");
  return Time(sys_days(day_of) + hours(tm.tm_hour) + minutes(tm.tm_min) + seconds(tm.tm_sec));
}

std::tm to_tm(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  const std::time_t value = seconds;
  std::tm tm{};
  gmtime_r(&value, &tm);
  return tm;
}

Result<std::string> serial_number_from(const char* text) {
  CAHN_TRY(const std::string_view serial, needed(text, "serial_number"));
  if (serial.size() > max_serial_number) {
    return fail(ApiError::bad_argument, "a serial number of more than 256 octets");
  }
  for (std::string_view rest = serial; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    const auto first = static_cast<unsigned char>(rest[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) {
      return fail(ApiError::bad_argument, "a serial number with control characters, or not in UTF-8");
    }
    rest.remove_prefix(length);
  }
  return std::string(serial);
}

Result<std::string> nonce_from(ByteView octets) {
  if (octets.empty()) return fail(ApiError::missing_argument, "an empty nonce");
  if (octets.size() > max_nonce) return fail(ApiError::bad_argument, "a nonce of more than 192 octets");
  return base64(octets);
}

Root root_of(const Voucher& voucher) {
  return root_by(voucher.prior_signed_voucher_request.has_value(), voucher.proximity_registrar_cert.has_value(),
                 voucher.pinned_domain_cert.has_value());
}

Result<Voucher> read_either(std::string_view json, Reading reading) {
  auto voucher = from_json(json, Root::voucher, reading);
  if (!voucher && voucher.error().code == VoucherError::wrong_root) {
    return from_json(json, Root::voucher_request, reading);
  }
  const auto request = from_json(json, Root::voucher_request, Reading::strict);
  if (request || request.error().code != VoucherError::wrong_root) {
    return voucher ? fail(VoucherError::wrong_root, "there are both a voucher and a voucher-request") : voucher;
  }
  // Decision 6: requests in the field stand under the voucher's name, and lack what a voucher must have.
  if (!voucher && reading == Reading::tolerant) return from_json(json, Root::voucher_request, reading);
  return voucher;
}

ApiVoucherPtr to_api(const Voucher& from) {
  ApiVoucherPtr voucher(new ::Voucher);
  if (from.created_on) voucher->created_on = to_tm(*from.created_on);
  if (from.expires_on) voucher->expires_on = to_tm(*from.expires_on);
  if (from.last_renewal_date) voucher->last_renewal_date = to_tm(*from.last_renewal_date);
  voucher->assertion = number_of(from.assertion);
  if (!from.serial_number.empty()) voucher->set_serial_number(from.serial_number);
  if (from.idevid_issuer) voucher->idevid_issuer.set(*from.idevid_issuer);
  if (from.pinned_domain_cert) voucher->pinned_domain_cert.set(from.pinned_domain_cert->der());
  voucher->domain_cert_revocation_checks = from.domain_cert_revocation_checks;
  if (from.nonce) voucher->set_nonce_text(*from.nonce);
  if (from.prior_signed_voucher_request) voucher->prior_signed_voucher_request.set(*from.prior_signed_voucher_request);
  if (from.proximity_registrar_cert) voucher->proximity_registrar_cert.set(from.proximity_registrar_cert->der());
  return voucher;
}

Result<Voucher> from_api(const ::Voucher& from) {
  CAHN_TRY(Voucher voucher, without_certificates(from));
  voucher.pinned_domain_cert = certificate_of(from.pinned_domain_cert);
  if (!voucher.pinned_domain_cert && !from.pinned_domain_cert.empty()) {
    return fail(VoucherError::bad_certificate, "pinned-domain-cert is not a certificate");
  }
  voucher.proximity_registrar_cert = certificate_of(from.proximity_registrar_cert);
  if (!voucher.proximity_registrar_cert && !from.proximity_registrar_cert.empty()) {
    return fail(VoucherError::bad_certificate, "proximity-registrar-cert is not a certificate");
  }
  return voucher;
}

}  // namespace cahn::voucher::c_api

using namespace cahn::voucher::c_api;
using cahn::fail;
using cahn::Result;

// Decision 3: only here is a nonce decoded, as base64 if it is that, else as the base64url of Appendix C.
void Voucher::set_nonce_text(std::string text) {
  auto octets = cahn::base64_decode(text);
  if (!octets) octets = cahn::base64url_decode(text);
  nonce.set(octets ? *std::move(octets) : cahn::Bytes{});
  nonce_text = std::move(text);
}

Voucher* init_voucher(void) {
  return guarded<Voucher*>(nullptr, []() -> Result<Voucher*> { return new Voucher; });
}

void free_voucher(Voucher* voucher) { delete voucher; }

char* serialize_voucher(const Voucher* voucher) {
  return guarded<char*>(nullptr, [&]() -> Result<char*> {
    if (voucher == nullptr) return fail(ApiError::missing_argument, "voucher is missing");
    CAHN_TRY(const std::string json, json_of(*voucher));
    char* const text = static_cast<char*>(std::malloc(json.size() + 1));
    if (text == nullptr) throw std::bad_alloc();
    std::memcpy(text, json.c_str(), json.size() + 1);
    return text;
  });
}

Voucher* deserialize_voucher(const uint8_t* json, const size_t length) {
  return guarded<Voucher*>(nullptr, [&] { return deserialize(json, length, VOUCHER_READING_STRICT); });
}

Voucher* deserialize_voucher_as(const uint8_t* json, const size_t length, const VoucherReading reading) {
  return guarded<Voucher*>(nullptr, [&] { return deserialize(json, length, reading); });
}
