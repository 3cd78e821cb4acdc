// In which form a voucher is made: chosen by the Accept of the request and by what the device can read (RFC 8995 5.6).
//
// Threads: pure functions.

#pragma once

#include <optional>
#include <span>
#include <string>

#include "brski/wire.h"

namespace cahn::brski {

// The format that Accept (RFC 9110 12.5.1) likes best of those the device reads; without Accept the first of them.
// Errors: unsupported_media_type (415: nothing in Accept is understood here), unreadable_request (406: it is, but the
// device cannot read what it asks for).
Result<voucher::Format> choose_format(const std::optional<std::string>& accept,
                                      std::span<const voucher::Format> of_device);

}  // namespace cahn::brski
