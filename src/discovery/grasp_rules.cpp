#include "discovery/grasp_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace cahn::discovery::grasp {
namespace {

std::optional<Ipv6> ipv6_of(const Locator& locator) {
  if (locator.kind != Locator::Kind::ipv6 || locator.where.size() != 16) return std::nullopt;
  Ipv6 address;
  std::memcpy(address.data(), locator.where.data(), address.size());
  return address;
}

// An address of wider scope that a connection can be made to.
bool is_wide_unicast(const Ipv6& address) {
  in6_addr v6;
  std::memcpy(&v6, address.data(), sizeof v6);
  return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_MULTICAST(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) &&
         !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_V4MAPPED(&v6);
}

std::optional<std::string> ipv4_text(const Locator& locator) {
  if (locator.kind != Locator::Kind::ipv4 || locator.where.size() != 4) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(locator.where[0]);
  if (first == 0 || first == 127 || first >= 224) return std::nullopt;  // this host, loopback, multicast, reserved
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, locator.where.data(), text, sizeof text);
  return text;
}

// RFC 8995 4.3: "the (list of) supported protocols".
bool offers_est_tls(const Objective& objective) {
  constexpr std::string_view wanted = "EST-TLS";
  const std::string_view value = objective.value ? std::string_view(*objective.value) : std::string_view();
  const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  for (auto begin = value.begin(); begin != value.end();) {
    begin = std::find_if(begin, value.end(), is_part);
    const auto end = std::find_if_not(begin, value.end(), is_part);
    if (std::string_view(begin, end) == wanted) return true;
    begin = end;
  }
  return false;
}

// The address to connect to; nullopt when the locator may not be used.
std::optional<std::string> place_of(const Locator& locator, const Arrival& from, Instance instance) {
  if (locator.protocol != protocol_tcp || !locator.port || *locator.port == 0) return std::nullopt;
  if (const auto address = ipv6_of(locator)) {
    // A neighbour speaks for itself only: else one voice could send every device of a link to some third host.
    if (is_link_local(*address))
      return *address == from.source ? std::optional(address_text(*address) + "%" + from.interface) : std::nullopt;
    if (instance == Instance::dull || !is_wide_unicast(*address)) return std::nullopt;
    return address_text(*address);
  }
  return instance == Instance::trusted ? ipv4_text(locator) : std::nullopt;
}

bool may_be_used(const Objective& objective, const Arrival& from, Instance instance) {
  if ((objective.flags & synchronization) == 0) return false;
  // RFC 8990 2.5.2, and 2.5.6.2: a flood from a link-local source does not leave its link.
  if ((instance == Instance::dull || is_link_local(from.source)) && objective.loop_count != 1) return false;
  return objective.name != registrar_objective || offers_est_tls(objective);
}

}  // namespace

bool is_link_local(const Ipv6& address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

std::string address_text(const Ipv6& address) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
  return text;
}

std::vector<Heard> places_in(const Flood& flood, const Arrival& arrival, Instance instance,
                             std::string_view objective) {
  std::vector<Heard> places;
  if (instance == Instance::dull && !is_link_local(arrival.source)) return places;
  const std::chrono::milliseconds ttl(flood.ttl_ms);
  const auto lifetime = ttl.count() == 0 ? longest_lifetime : std::min(ttl, longest_lifetime);
  for (const Objective& said : flood.objectives) {
    if (said.name != objective || !may_be_used(said, arrival, instance)) continue;
    const auto address = place_of(said.locator, arrival, instance);
    if (!address) continue;
    Service service;
    service.instance = std::string(objective) + " at " + *address;
    service.address = *address;
    service.port = *said.locator.port;
    service.interface = arrival.interface;
    places.push_back({std::move(service), lifetime});
  }
  return places;
}

bool FloodCache::take(const std::vector<Heard>& places, Instant now) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.expires <= now; });
  bool news = false;
  for (const Heard& place : places) {
    const auto known = std::ranges::find(entries_, place.service, &Entry::service);
    const Entry entry{place.service, now, now + place.lifetime};
    if (known != entries_.end()) {
      *known = entry;
      continue;
    }
    if (entries_.size() >= max_places) entries_.erase(std::ranges::min_element(entries_, {}, &Entry::heard));
    entries_.push_back(entry);
    news = true;
  }
  return news;
}

std::vector<Heard> FloodCache::current(Instant now) const {
  std::vector<Heard> places;
  for (const Entry& entry : entries_)
    if (entry.expires > now)
      places.push_back({entry.service, std::chrono::ceil<std::chrono::milliseconds>(entry.expires - now)});
  return places;
}

}  // namespace cahn::discovery::grasp
