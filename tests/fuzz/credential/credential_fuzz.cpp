// Whatever has the form of a credential keeps its identity when it is written canonically, and its statement in the
// notation.

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "credential/credential.h"
#include "credential/notation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const auto credential = credential::Credential::parse(as_text({data, size}));
  if (!credential) return 0;
  const auto again = credential::Credential::parse(credential::canonical(credential->document()));
  if (!again || again->content_hash() != credential->content_hash()) std::abort();
  if (verify_proof(*credential).has_value() != verify_proof(*again).has_value()) std::abort();
  const auto notation = credential::to_notation({credential->statement(), credential->issuer()}, true);
  const auto expression = credential::parse_notation(notation);
  if (!expression || expression->statement != credential->statement() || expression->signer != credential->issuer()) {
    std::abort();
  }
  return 0;
}
