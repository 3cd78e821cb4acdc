// In which form a voucher is made: chosen by the Accept of the request and by what the device can read (RFC 8995 5.6).
// A further format is one more line in the table of masa_format.cpp, and one more case of sign_as.
//
// Threads: pure functions.

#pragma once

#include <optional>
#include <span>

#include "brski/masa.h"

namespace cahn::brski {

std::string_view media_type(VoucherFormat);

// The format that Accept likes best of those the device reads; without Accept the first of them. Errors:
// unsupported_media_type (415: nothing in Accept is understood here), unreadable_request (406: it is, but the device
// cannot read what it asks for).
Result<VoucherFormat> choose_format(const std::optional<std::string>& accept, std::span<const VoucherFormat> of_device);

// Signs with the tenant's key. Errors: those of voucher::sign.
Result<Bytes> sign_as(VoucherFormat, const voucher::Voucher&, const MasaTenant&);

}  // namespace cahn::brski
