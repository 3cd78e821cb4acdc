// "Did you mean …?" for names that people misspell.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cahn::apps {

// The known word with the smallest edit distance to `word`; empty when none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

}  // namespace cahn::apps
