// Small words for writing DER by hand. Internal to this room.

#pragma once

#include <initializer_list>
#include <string_view>

#include "crypto/asn1.h"

namespace cahn::crypto::der {

inline constexpr std::uint8_t tag_directory_name = 0xa4;  // of a GeneralName (RFC 5280 4.2.1.6)

inline Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const ByteView part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}
inline Bytes sequence(std::initializer_list<ByteView> parts) { return der_element(tag::sequence, joined(parts)); }
// [n] EXPLICIT
inline Bytes context(int number, ByteView inner) {
  return der_element(static_cast<std::uint8_t>(0xa0 | number), inner);
}
inline Bytes octet_string(ByteView octets) { return der_element(tag::octet_string, octets); }
inline Bytes utf8(std::string_view text) { return der_element(0x0c, as_bytes(text)); }
inline Bytes null() { return {0x05, 0x00}; }

inline Bytes integer(std::int64_t value) {
  Bytes content;
  do {
    content.insert(content.begin(), static_cast<std::uint8_t>(value & 0xff));
    value >>= 8;
  } while (!((value == 0 && (content.front() & 0x80) == 0) || (value == -1 && (content.front() & 0x80) != 0)));
  return der_element(tag::integer, content);
}
// Whole octets.
inline Bytes bit_string(ByteView octets) {
  const std::uint8_t no_unused_bits = 0;
  return der_element(tag::bit_string, joined({ByteView(&no_unused_bits, 1), octets}));
}
// A named bit list with this one bit (X.690 11.2.2: without trailing zeros).
inline Bytes single_bit(int bit) {
  Bytes content(static_cast<std::size_t>(bit / 8) + 2);
  content[0] = static_cast<std::uint8_t>(7 - bit % 8);
  content.back() = static_cast<std::uint8_t>(0x80 >> (bit % 8));
  return der_element(tag::bit_string, content);
}

}  // namespace cahn::crypto::der
