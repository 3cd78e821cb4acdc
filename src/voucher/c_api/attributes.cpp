// Setters and getters. An attribute has one type; the functions of the others do not know it.

#include "voucher/c_api/arrays.h"
#include "voucher/c_api/artifact.h"

namespace cahn::voucher::c_api {
namespace {

constexpr std::size_t max_octets = 180 << 10;  // 240 KiB of base64, in JSON of at most 256

template <typename V>
auto time_of(V& voucher, VoucherAttributes attribute) -> decltype(&voucher.created_on) {
  switch (attribute) {
    case ATTR_CREATED_ON:
      return &voucher.created_on;
    case ATTR_EXPIRES_ON:
      return &voucher.expires_on;
    case ATTR_LAST_RENEWAL_DATE:
      return &voucher.last_renewal_date;
    default:
      return nullptr;
  }
}

template <typename V>
auto octets_of(V& voucher, VoucherAttributes attribute) -> decltype(&voucher.nonce) {
  switch (attribute) {
    case ATTR_IDEVID_ISSUER:
      return &voucher.idevid_issuer;
    case ATTR_PINNED_DOMAIN_CERT:
      return &voucher.pinned_domain_cert;
    case ATTR_NONCE:
      return &voucher.nonce;
    case ATTR_PRIOR_SIGNED_VOUCHER_REQUEST:
      return &voucher.prior_signed_voucher_request;
    case ATTR_PROXIMITY_REGISTRAR_CERT:
      return &voucher.proximity_registrar_cert;
    default:
      return nullptr;
  }
}

std::unexpected<Error> wrong_type(const char* type) {
  return fail(ApiError::wrong_attribute, std::string("the attribute is no ") + type);
}

Result<void> check(const ::Voucher* voucher) {
  if (voucher == nullptr) return fail(ApiError::missing_argument, "voucher is missing");
  return {};
}

Result<void> set_octets(::Voucher& voucher, VoucherAttributes attribute, const BinaryArray* value) {
  Octets* const target = octets_of(voucher, attribute);
  if (target == nullptr) return wrong_type("array");
  CAHN_TRY(const ByteView octets, needed(value, "value"));
  if (octets.size() > max_octets) return fail(ApiError::bad_argument, "an attribute of more than 180 KiB");
  if (attribute == ATTR_NONCE) {
    CAHN_TRY(std::string text, nonce_from(octets));
    voucher.set_nonce_text(std::move(text));
  } else {
    target->set(to_bytes(octets));
  }
  return {};
}

Result<void> set_enum(::Voucher& voucher, VoucherAttributes attribute, int value) {
  if (attribute != ATTR_ASSERTION) return wrong_type("enum");
  if (value < VOUCHER_ASSERTION_NONE || value > VOUCHER_ASSERTION_PROXIMITY) {
    return fail(ApiError::bad_argument, "the value is no assertion");
  }
  voucher.assertion = value;
  return {};
}

Result<void> clear(::Voucher& voucher, VoucherAttributes attribute) {
  if (auto* const time = time_of(voucher, attribute)) {
    time->reset();
  } else if (Octets* const octets = octets_of(voucher, attribute)) {
    octets->clear();
    if (attribute == ATTR_NONCE) voucher.nonce_text.reset();
  } else if (attribute == ATTR_ASSERTION) {
    voucher.assertion = VOUCHER_ASSERTION_NONE;
  } else if (attribute == ATTR_SERIAL_NUMBER) {
    voucher.serial_number.reset();
    voucher.serial_number_text = nullptr;
  } else if (attribute == ATTR_DOMAIN_CERT_REVOCATION_CHECKS) {
    voucher.domain_cert_revocation_checks.reset();
  } else {
    return wrong_type("attribute of a voucher");
  }
  return {};
}

bool is_set(const ::Voucher& voucher, VoucherAttributes attribute) {
  if (const auto* const time = time_of(voucher, attribute)) return time->has_value();
  if (attribute == ATTR_NONCE) return voucher.nonce_text.has_value();
  if (const Octets* const octets = octets_of(voucher, attribute)) return !octets->empty();
  if (attribute == ATTR_ASSERTION) return voucher.assertion != VOUCHER_ASSERTION_NONE;
  if (attribute == ATTR_SERIAL_NUMBER) return voucher.serial_number.has_value();
  return attribute == ATTR_DOMAIN_CERT_REVOCATION_CHECKS && voucher.domain_cert_revocation_checks.has_value();
}

// The pointer that a getter gives; `find` is not asked without a voucher.
template <typename T, typename Find>
const T* got(const ::Voucher* voucher, const Find& find) {
  return guarded<const T*>(nullptr, [&]() -> Result<const T*> {
    CAHN_CHECK(check(voucher));
    const T* const found = find();
    if (found == nullptr) return fail(ApiError::wrong_attribute, "the attribute is not set, or of another type");
    return found;
  });
}

}  // namespace
}  // namespace cahn::voucher::c_api

using namespace cahn::voucher::c_api;
using cahn::fail;
using cahn::Result;

int set_attr_bool_voucher(Voucher* voucher, const VoucherAttributes attr, const bool value) {
  return guarded_status([&]() -> Result<void> {
    CAHN_CHECK(check(voucher));
    if (attr != ATTR_DOMAIN_CERT_REVOCATION_CHECKS) return wrong_type("bool");
    voucher->domain_cert_revocation_checks = value;
    return {};
  });
}

int set_attr_time_voucher(Voucher* voucher, const VoucherAttributes attr, const struct tm* value) {
  return guarded_status([&]() -> Result<void> {
    CAHN_CHECK(check(voucher));
    auto* const target = time_of(*voucher, attr);
    if (target == nullptr) return wrong_type("time");
    if (value == nullptr) return fail(ApiError::missing_argument, "value is missing");
    CAHN_CHECK(to_time(*value));
    *target = *value;
    return {};
  });
}

int set_attr_enum_voucher(Voucher* voucher, const VoucherAttributes attr, const int value) {
  return guarded_status([&]() -> Result<void> {
    CAHN_CHECK(check(voucher));
    return set_enum(*voucher, attr, value);
  });
}

int set_attr_str_voucher(Voucher* voucher, const VoucherAttributes attr, const char* value) {
  return guarded_status([&]() -> Result<void> {
    CAHN_CHECK(check(voucher));
    if (attr != ATTR_SERIAL_NUMBER) return wrong_type("string");
    CAHN_TRY(std::string text, serial_number_from(value));
    voucher->set_serial_number(std::move(text));
    return {};
  });
}

int set_attr_array_voucher(Voucher* voucher, const VoucherAttributes attr, const BinaryArray* value) {
  return guarded_status([&]() -> Result<void> {
    CAHN_CHECK(check(voucher));
    return set_octets(*voucher, attr, value);
  });
}

int clear_attr_voucher(Voucher* voucher, const VoucherAttributes attr) {
  return guarded_status([&]() -> Result<void> {
    CAHN_CHECK(check(voucher));
    return clear(*voucher, attr);
  });
}

bool is_attr_voucher_nonempty(const Voucher* voucher, const VoucherAttributes attr) {
  return voucher != nullptr && is_set(*voucher, attr);
}

const bool* get_attr_bool_voucher(const Voucher* voucher, const VoucherAttributes attr) {
  return got<bool>(voucher, [&]() -> const bool* {
    if (attr != ATTR_DOMAIN_CERT_REVOCATION_CHECKS || !voucher->domain_cert_revocation_checks) return nullptr;
    return &*voucher->domain_cert_revocation_checks;
  });
}

const struct tm* get_attr_time_voucher(Voucher* voucher, const VoucherAttributes attr) {
  return got<std::tm>(voucher, [&]() -> const std::tm* {
    const auto* const time = time_of(*voucher, attr);
    return time != nullptr && *time ? &**time : nullptr;
  });
}

const int* get_attr_enum_voucher(const Voucher* voucher, const VoucherAttributes attr) {
  return got<int>(voucher, [&] { return attr == ATTR_ASSERTION ? &voucher->assertion : nullptr; });
}

const char* const* get_attr_str_voucher(Voucher* voucher, const VoucherAttributes attr) {
  return got<const char*>(voucher, [&]() -> const char* const* {
    return attr == ATTR_SERIAL_NUMBER && voucher->serial_number ? &voucher->serial_number_text : nullptr;
  });
}

const BinaryArray* get_attr_array_voucher(Voucher* voucher, const VoucherAttributes attr) {
  return got<BinaryArray>(voucher, [&]() -> const BinaryArray* {
    const Octets* const octets = octets_of(*voucher, attr);
    return octets != nullptr ? octets->array() : nullptr;
  });
}
