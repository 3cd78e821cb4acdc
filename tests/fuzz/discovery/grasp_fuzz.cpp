// A GRASP datagram of a stranger on the link: read, judged as a pledge and as a proxy would, and written again.

#include <cstdint>
#include <cstdlib>

#include "discovery/grasp_rules.h"

namespace {

using namespace cahn::discovery::grasp;

bool is_writable(const Flood& flood) {
  for (const Objective& objective : flood.objectives)
    if (objective.locator.kind == Locator::Kind::unknown) return false;
  return true;
}

// Where a pledge may go is the neighbour that spoke, and nowhere else.
void check_dull(const Flood& flood, const Arrival& arrival) {
  const auto places = places_in(flood, arrival, Instance::dull, proxy_objective);
  for (const Heard& place : places)
    if (place.service.address != address_text(arrival.source) + "%eth0" || place.service.port == 0 ||
        place.lifetime > longest_lifetime)
      std::abort();
  FloodCache cache;
  cache.take(places, {});
  if (cache.current({}).size() > FloodCache::max_places) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto flood = read_flood(cahn::ByteView(data, size));
  if (!flood) return 0;
  // What is written is read as the same, unless it has grown by naming what it left out.
  if (is_writable(*flood)) {
    const auto octets = write_flood(*flood);
    if (octets.size() <= max_message) {
      const auto again = read_flood(octets);
      if (!again || *again != *flood) std::abort();
    }
  }
  Arrival arrival{.source = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, .interface = "eth0"};
  check_dull(*flood, arrival);
  (void)places_in(*flood, arrival, Instance::trusted, registrar_objective);
  arrival.source[0] = 0xfd;
  if (!places_in(*flood, arrival, Instance::dull, proxy_objective).empty()) std::abort();
  (void)places_in(*flood, arrival, Instance::trusted, registrar_objective);
  return 0;
}
