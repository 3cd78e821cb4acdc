#include "base/utf8.h"

namespace cahn {

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = octet(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
  }
  if ((first == 0xe0 && octet(1) < 0xa0) || (first == 0xed && octet(1) > 0x9f)) return 0;
  if ((first == 0xf0 && octet(1) < 0x90) || (first == 0xf4 && octet(1) > 0x8f)) return 0;
  return length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace cahn
