// The C library's voucher: attributes as C sees them, and what they mean to the house.

#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "voucher/artifact.h"
#include "voucher/voucher.h"

namespace cahn::voucher::c_api {

// Octets, and the BinaryArray by which a C program sees them.
class Octets {
 public:
  void set(Bytes octets) {
    octets_ = std::move(octets);
    array_ = {octets_.data(), octets_.size()};
  }
  void clear() { set({}); }
  bool empty() const { return octets_.empty(); }
  const Bytes& octets() const { return octets_; }
  const BinaryArray* array() const { return empty() ? nullptr : &array_; }

 private:
  Bytes octets_;
  BinaryArray array_{nullptr, 0};
};

// What a struct tm in UTC stands for, from the year 1 to 9999; bad_argument when a field is out of its range.
Result<Time> to_time(const std::tm&);
std::tm to_tm(Time);

// Text that can be a serial-number and stays the same in JSON.
Result<std::string> serial_number_from(const char*);
// The nonce in a voucher that stands for these octets (decision 3).
Result<std::string> nonce_from(ByteView octets);

// B-384: one type with two JSON roots.
Root root_of(const Voucher&);
// Reads JSON of either root; of both at once, none.
Result<Voucher> read_either(std::string_view json, Reading);

struct VoucherDeleter {
  void operator()(::Voucher* voucher) const { free_voucher(voucher); }
};
using ApiVoucherPtr = std::unique_ptr<::Voucher, VoucherDeleter>;

ApiVoucherPtr to_api(const Voucher&);
// Errors: bad_certificate when a certificate attribute holds something else.
Result<Voucher> from_api(const ::Voucher&);

}  // namespace cahn::voucher::c_api

struct Voucher {
  std::optional<std::tm> created_on, expires_on, last_renewal_date;
  int assertion = VOUCHER_ASSERTION_NONE;
  std::optional<std::string> serial_number;
  const char* serial_number_text = nullptr;  // of the one above: a getter gives its address
  std::optional<bool> domain_cert_revocation_checks;
  std::optional<std::string> nonce_text;  // as it stands in the JSON
  cahn::voucher::c_api::Octets nonce;     // what it stands for; empty if that is not to be told
  cahn::voucher::c_api::Octets idevid_issuer, pinned_domain_cert, prior_signed_voucher_request,
      proximity_registrar_cert;

  void set_serial_number(std::string text) {
    serial_number = std::move(text);
    serial_number_text = serial_number->c_str();
  }
  void set_nonce_text(std::string text);
};
