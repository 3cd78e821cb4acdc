// Whatever expression is read means the same when it is written and read again, with marks and without.

#include <cstdlib>

#include "credential/notation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const auto expression = credential::parse_notation(as_text({data, size}));
  if (!expression) return 0;
  for (const bool marks : {false, true}) {
    const auto text = credential::to_notation(*expression, marks);
    // Quotes and escapes may push what just fitted over the limit.
    if (text.size() > 8192) continue;
    const auto again = credential::parse_notation(text);
    if (!again || again->statement != expression->statement || again->signer != expression->signer) std::abort();
  }
  return 0;
}
