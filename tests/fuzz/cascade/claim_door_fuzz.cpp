// What a claim node does with bytes from anyone: form, proof, who counts, status. No store, no Prolog.

#include <cstdlib>

#include "cascade/trust_engine.h"
#include "cascade/verifier.h"

using namespace cahn;

namespace {

// An engine in which the owner's key is known, so that a well-formed claim gets far.
const std::string owner = "mailto:ann@example.org";

void demand(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto claim = cascade::look_at_claim({data, size}, std::size_t{256} << 10);
  if (!claim) return 0;
  const std::string id = claim->id;
  const bool refused = !claim->refusal.empty();
  cascade::TrustEngine engine({owner}, {claim->issuer});
  engine.advance(parse_rfc3339("2026-03-01T08:00:00Z").value());
  engine.take_changes();
  claim->position = 1;
  engine.add(*claim);
  demand(engine.knows(id));
  const auto status = engine.status(id);
  demand(status && status->id == id && !status->notation.empty());
  if (refused)
    demand(status->state == cascade::ClaimState::refused && !status->counts && engine.take_changes().empty());
  demand(status->counts == status->reason.empty());
  // As if its proof had held: the fold must take any statement that parses.
  claim->refusal.clear();
  claim->id = id + "'";
  claim->position = 2;
  engine.add(*claim);
  engine.observe({claim->statement.arguments[0], claim->issuer, "serial"});
  for (auto edge = engine.next_edge(); edge; edge = engine.next_edge()) engine.advance(*edge);
  demand(engine.status(claim->id).has_value());
  demand(engine.list(0, 10).size() == 2);
  return 0;
}
