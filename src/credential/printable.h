// Hostile text in messages.

#pragma once

#include <string>
#include <string_view>

namespace cahn::credential {

// The first `size` octets of `text` with all but printable ASCII as '?': nothing that a terminal or a log would obey.
std::string printable(std::string_view text, std::size_t size = 64);

}  // namespace cahn::credential
