// Whatever strict JSON is read has a canonical form that reads back as itself.

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "credential/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const auto read = credential::parse_json(as_text({data, size}));
  if (!read) return 0;
  const auto canonical = credential::canonical(*read);
  const auto again = credential::parse_json(canonical, {.max_size = canonical.size(), .max_depth = 32});
  if (!again || credential::canonical(*again) != canonical) std::abort();
  return 0;
}
