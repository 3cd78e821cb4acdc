#include "discovery/grasp.h"

#include <limits>

#include "discovery/cbor.h"
#include "discovery/dns_sd.h"

namespace cahn::discovery::grasp {
namespace {

using Kind = CborItem::Kind;

// RFC 8990 4: message and option types.
constexpr std::uint64_t message_flood = 9;
constexpr std::uint64_t option_ipv6 = 103;
constexpr std::uint64_t option_ipv4 = 104;
constexpr std::uint64_t option_fqdn = 105;
constexpr std::uint64_t option_uri = 106;

constexpr std::size_t max_name = 255;

std::unexpected<Error> bad(std::string what) {
  return fail(DiscoveryError::malformed, "GRASP flood: " + std::move(what));
}

template <typename Number>
Result<Number> number_of(const CborItem& item, std::string_view what) {
  if (!item.is(Kind::unsigned_integer) || item.number > std::numeric_limits<Number>::max())
    return bad(std::string(what) + " is not a number in its range");
  return static_cast<Number>(item.number);
}

bool is_address(const CborItem& item) {
  return item.is(Kind::bytes) && (item.content.size() == 16 || item.content.size() == 4);
}

// [type, where, transport-proto, port]; more elements are passed over.
Result<Locator> read_addressed(const CborItem& option, Locator::Kind kind, bool may_be_null) {
  if (option.children.size() < 4) return bad("a locator without address, protocol and port");
  const CborItem &where = option.children[1], &protocol = option.children[2], &port = option.children[3];
  const std::size_t size = kind == Locator::Kind::ipv6 ? 16 : 4;
  const bool address = kind == Locator::Kind::ipv6 || kind == Locator::Kind::ipv4;
  if (address && (!where.is(Kind::bytes) || where.content.size() != size))
    return bad("a locator's address does not have " + std::to_string(size) + " octets");
  if (!address && !where.is(Kind::text)) return bad("a locator's name is not text");
  Locator locator{.kind = kind, .where = where.content, .protocol = {}, .port = {}};
  // RFC 8995 4.3 shows an IPv6 locator of protocol 41 without a port (locator3), RFC 8990 only URIs without.
  if (!protocol.is(Kind::null) || !may_be_null) {
    CAHN_TRY(locator.protocol, number_of<std::uint32_t>(protocol, "a locator's protocol"));
  }
  if (!port.is(Kind::null)) {
    CAHN_TRY(locator.port, number_of<std::uint16_t>(port, "a locator's port"));
  }
  return locator;
}

Result<Locator> read_locator(const CborItem& option) {
  if (!option.is(Kind::array)) return bad("a locator that is not an array");
  if (option.children.empty()) return Locator{};
  const CborItem& type = option.children.front();
  if (!type.is(Kind::unsigned_integer)) return bad("an option whose type is not a number");
  switch (type.number) {
    case option_ipv6:
      return read_addressed(option, Locator::Kind::ipv6, false);
    case option_ipv4:
      return read_addressed(option, Locator::Kind::ipv4, false);
    case option_fqdn:
      return read_addressed(option, Locator::Kind::fqdn, false);
    case option_uri:
      return read_addressed(option, Locator::Kind::uri, true);
    default:
      return Locator{.kind = Locator::Kind::unknown, .where = {}, .protocol = {}, .port = {}};
  }
}

// RFC 8990 2.9.1: what starts with a number is an option, and one that does not belong here is passed over (2.8.2).
bool is_option(const CborItem& entry) {
  return entry.is(Kind::array) && !entry.children.empty() && entry.children.front().is(Kind::unsigned_integer);
}

Result<Objective> read_objective(const CborItem& entry) {
  if (!entry.is(Kind::array) || entry.children.size() < 2) return bad("an entry that is not [objective, locator]");
  const CborItem& item = entry.children[0];
  if (!item.is(Kind::array) || item.children.size() < 3)
    return bad("an objective that is not an array of three or more");
  const CborItem& name = item.children[0];
  if (!name.is(Kind::text) || name.content.empty() || name.content.size() > max_name)
    return bad("an objective without a usable name");
  Objective objective;
  objective.name = name.content;
  CAHN_TRY(objective.flags, number_of<std::uint32_t>(item.children[1], "objective-flags"));
  CAHN_TRY(objective.loop_count, number_of<std::uint8_t>(item.children[2], "loop-count"));
  if (item.children.size() > 3 && item.children[3].is(Kind::text)) objective.value = item.children[3].content;
  CAHN_TRY(objective.locator, read_locator(entry.children[1]));
  return objective;
}

void write_locator(CborWriter& out, const Locator& locator) {
  if (locator.kind == Locator::Kind::none) return out.begin_array(0);
  const bool address = locator.kind == Locator::Kind::ipv6 || locator.kind == Locator::Kind::ipv4;
  out.begin_array(4);
  out.number(locator.kind == Locator::Kind::ipv6   ? option_ipv6
             : locator.kind == Locator::Kind::ipv4 ? option_ipv4
             : locator.kind == Locator::Kind::fqdn ? option_fqdn
                                                   : option_uri);
  if (address)
    out.bytes(as_bytes(locator.where));
  else
    out.text(locator.where);
  if (locator.protocol)
    out.number(*locator.protocol);
  else
    out.null();
  if (locator.port)
    out.number(*locator.port);
  else
    out.null();
}

}  // namespace

Locator Locator::tcp(const std::array<std::uint8_t, 16>& ipv6, std::uint16_t port) {
  return {.kind = Kind::ipv6, .where = to_string(ByteView(ipv6)), .protocol = protocol_tcp, .port = port};
}

Result<Flood> read_flood(ByteView datagram) {
  CAHN_TRY(const CborItem message, read_cbor(datagram, {.max_size = max_message}));
  if (!message.is(Kind::array) || message.children.empty()) return bad("not an array");
  CAHN_TRY(const auto type, number_of<std::uint32_t>(message.children[0], "the message type"));
  if (type != message_flood) return fail(DiscoveryError::not_a_flood, "GRASP message of type " + std::to_string(type));
  if (message.children.size() < 5) return bad("session-id, initiator, ttl or objective is missing");
  if (message.children.size() - 4 > max_objectives) return bad("too many objectives");
  Flood flood;
  CAHN_TRY(flood.session_id, number_of<std::uint32_t>(message.children[1], "session-id"));
  if (!is_address(message.children[2])) return bad("the initiator is not an address");
  flood.initiator = message.children[2].content;
  CAHN_TRY(flood.ttl_ms, number_of<std::uint32_t>(message.children[3], "ttl"));
  for (std::size_t i = 4; i < message.children.size(); ++i) {
    if (is_option(message.children[i])) continue;
    CAHN_TRY(Objective objective, read_objective(message.children[i]));
    flood.objectives.push_back(std::move(objective));
  }
  if (flood.objectives.empty()) return bad("no objective");
  return flood;
}

Bytes write_flood(const Flood& flood) {
  CborWriter out;
  out.begin_array(4 + flood.objectives.size());
  out.number(message_flood);
  out.number(flood.session_id);
  out.bytes(as_bytes(flood.initiator));
  out.number(flood.ttl_ms);
  for (const Objective& objective : flood.objectives) {
    out.begin_array(2);
    out.begin_array(objective.value ? 4 : 3);
    out.text(objective.name);
    out.number(objective.flags);
    out.number(objective.loop_count);
    if (objective.value) out.text(*objective.value);
    write_locator(out, objective.locator);
  }
  return out.take();
}

Objective proxy_announcement(const std::array<std::uint8_t, 16>& link_local, std::uint16_t port) {
  return {.name = std::string(proxy_objective),
          .flags = synchronization,
          .loop_count = 1,  // DULL: RFC 8990 2.5.2
          .value = "",
          .locator = Locator::tcp(link_local, port)};
}

Objective registrar_announcement(const std::array<std::uint8_t, 16>& address, std::uint16_t port) {
  return {.name = std::string(registrar_objective),
          .flags = synchronization,
          .loop_count = 255,
          .value = "EST-TLS",
          .locator = Locator::tcp(address, port)};
}

}  // namespace cahn::discovery::grasp
