// Whether octets are UTF-8 as RFC 3629 has it: shortest form, no surrogates, nothing beyond U+10FFFF.
//
// Threads: pure functions.

#pragma once

#include <cstddef>
#include <string_view>

namespace cahn {

// Octets of the well-formed sequence at the front, 1 to 4; 0 if there is none.
std::size_t utf8_length(std::string_view);
// The empty text is.
bool is_utf8(std::string_view);

}  // namespace cahn
