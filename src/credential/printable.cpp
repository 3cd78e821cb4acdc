#include "credential/printable.h"

#include <algorithm>

namespace cahn::credential {

std::string printable(std::string_view text, std::size_t size) {
  std::string out(text.substr(0, size));
  std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > size) out += "...";
  return out;
}

}  // namespace cahn::credential
