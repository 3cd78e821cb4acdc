#include "base/bytes.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace cahn {
namespace {

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view base58_alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view hex_digits = "0123456789abcdef";

using DecodeTable = std::array<std::int8_t, 256>;

constexpr DecodeTable decode_table(std::string_view alphabet) {
  DecodeTable table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}

constexpr DecodeTable base64_values = decode_table(base64_alphabet);
constexpr DecodeTable base64url_values = decode_table(base64url_alphabet);
constexpr DecodeTable base58_values = decode_table(base58_alphabet);

std::string encode_base64(ByteView bytes, std::string_view alphabet, bool padded) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const unsigned group = unsigned{bytes[i]} << 16 | unsigned{bytes[i + 1]} << 8 | bytes[i + 2];
    text += alphabet[group >> 18];
    text += alphabet[group >> 12 & 63];
    text += alphabet[group >> 6 & 63];
    text += alphabet[group & 63];
  }
  if (const std::size_t rest = bytes.size() - i; rest > 0) {
    const unsigned group = unsigned{bytes[i]} << 16 | (rest == 2 ? unsigned{bytes[i + 1]} << 8 : 0U);
    text += alphabet[group >> 18];
    text += alphabet[group >> 12 & 63];
    if (rest == 2) text += alphabet[group >> 6 & 63];
    if (padded) text.append(3 - rest, '=');
  }
  return text;
}

// `text` is the digits alone, without padding.
Result<Bytes> decode_digits(std::string_view text, const DecodeTable& values) {
  if (text.size() % 4 == 1) return fail(EncodingError::bad_base64, "base64 of impossible length");
  Bytes bytes;
  bytes.reserve(text.size() * 3 / 4);
  unsigned group = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return fail(EncodingError::bad_base64, "base64 with a character outside its alphabet");
    group = group << 6 | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(group >> bits));
      group &= (1U << bits) - 1;
    }
  }
  if (group != 0) return fail(EncodingError::bad_base64, "base64 whose unused trailing bits are not zero");
  return bytes;
}

}  // namespace

std::string_view error_name(EncodingError e) {
  switch (e) {
    case EncodingError::bad_base64:
      return "bad_base64";
    case EncodingError::bad_hex:
      return "bad_hex";
    case EncodingError::bad_base58:
      return "bad_base58";
  }
  return "unknown";
}

std::string base64(ByteView bytes) { return encode_base64(bytes, base64_alphabet, true); }

Result<Bytes> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return fail(EncodingError::bad_base64, "base64 whose length is no multiple of four");
  if (text.ends_with("==")) {
    text.remove_suffix(2);
    if (text.size() % 4 != 2) return fail(EncodingError::bad_base64, "base64 with wrong padding");
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  return decode_digits(text, base64_values);
}

Result<Bytes> base64_decode_lenient(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (c == '=') {
      ++padding;
    } else if (padding > 0) {
      return fail(EncodingError::bad_base64, "base64 that goes on after its padding");
    } else {
      digits += c;
    }
  }
  if (padding > 2 || (padding > 0 && (digits.size() + padding) % 4 != 0)) {
    return fail(EncodingError::bad_base64, "base64 with wrong padding");
  }
  return decode_digits(digits, base64_values);
}

std::string base64url(ByteView bytes) { return encode_base64(bytes, base64url_alphabet, false); }

Result<Bytes> base64url_decode(std::string_view text) { return decode_digits(text, base64url_values); }

std::string hex(ByteView bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t b : bytes) {
    text += hex_digits[b >> 4];
    text += hex_digits[b & 15];
  }
  return text;
}

Result<Bytes> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return fail(EncodingError::bad_hex, "hexadecimal of odd length");
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return fail(EncodingError::bad_hex, "a character that is no hexadecimal digit");
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

std::string base58btc(ByteView bytes) {
  std::size_t zeros = 0;
  while (zeros < bytes.size() && bytes[zeros] == 0) ++zeros;
  std::vector<std::uint8_t> digits;  // base 58, least significant first
  for (const std::uint8_t b : bytes.subspan(zeros)) {
    unsigned carry = b;
    for (std::uint8_t& digit : digits) {
      carry += unsigned{digit} << 8;
      digit = static_cast<std::uint8_t>(carry % 58);
      carry /= 58;
    }
    for (; carry > 0; carry /= 58) digits.push_back(static_cast<std::uint8_t>(carry % 58));
  }
  std::string text(zeros, base58_alphabet[0]);
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) text += base58_alphabet[*digit];
  return text;
}

Result<Bytes> base58btc_decode(std::string_view text, std::size_t max_size) {
  // Decoding takes quadratic time: the bound on the result bounds the text too (log 256 / log 58 is about 1.366).
  if (text.size() > max_size * 137 / 100 + 1) return fail(EncodingError::bad_base58, "base58 text that is too long");
  std::size_t zeros = 0;
  while (zeros < text.size() && text[zeros] == base58_alphabet[0]) ++zeros;
  Bytes bytes;  // least significant first, until it is turned round
  for (const char c : text.substr(zeros)) {
    const int value = base58_values[static_cast<unsigned char>(c)];
    if (value < 0) return fail(EncodingError::bad_base58, "a character outside the base58 alphabet");
    unsigned carry = static_cast<unsigned>(value);
    for (std::uint8_t& octet : bytes) {
      carry += unsigned{octet} * 58;
      octet = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry > 0) bytes.push_back(static_cast<std::uint8_t>(carry));
  }
  bytes.insert(bytes.end(), zeros, 0);
  if (bytes.size() > max_size) return fail(EncodingError::bad_base58, "base58 text that is too long");
  return Bytes(bytes.rbegin(), bytes.rend());
}

Bytes random_bytes(std::size_t count) {
  Bytes bytes(count);
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // nothing that needs randomness is safe without it
    }
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  volatile std::uint8_t difference = 0;  // volatile: keeps the loop from being left early
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

std::string random_uuid() {
  Bytes octets = random_bytes(16);
  octets[6] = static_cast<std::uint8_t>((octets[6] & 0x0f) | 0x40);  // RFC 9562 5.4: version 4
  octets[8] = static_cast<std::uint8_t>((octets[8] & 0x3f) | 0x80);  // variant 10
  std::string text = hex(octets);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace cahn
