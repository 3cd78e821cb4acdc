// Octets, and the text encodings of octets. Decoders are strict unless their name says otherwise.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cahn {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

enum class EncodingError { bad_base64, bad_hex, bad_base58 };
std::string_view error_name(EncodingError);

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes to_bytes(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
inline Bytes to_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }
inline std::string to_string(ByteView bytes) { return std::string(as_text(bytes)); }

// RFC 4648 4, one line, padded.
std::string base64(ByteView);
// RFC 4648 4: padded, no other characters at all; non-zero trailing bits are refused.
Result<Bytes> base64_decode(std::string_view);
// As peers in the field send it: line breaks and blanks passed over, padding optional (RFC 8951 3.1, RFC 2045 6.8).
Result<Bytes> base64_decode_lenient(std::string_view);
// RFC 4648 5, without padding.
std::string base64url(ByteView);
Result<Bytes> base64url_decode(std::string_view);
// Lower case.
std::string hex(ByteView);
// Either case, even length, nothing else.
Result<Bytes> hex_decode(std::string_view);
// The Bitcoin alphabet, as multibase `z` and did:key use it. Input is bounded by `max_size` octets of result.
std::string base58btc(ByteView);
Result<Bytes> base58btc_decode(std::string_view, std::size_t max_size = 1024);

// `count` octets from the kernel's generator (getrandom); aborts the process if it cannot give any.
Bytes random_bytes(std::size_t count);
// Compares without leaking where the difference is; different lengths compare unequal at once.
bool equal_constant_time(ByteView, ByteView);
// A random (version 4) UUID in its usual text form.
std::string random_uuid();

}  // namespace cahn
