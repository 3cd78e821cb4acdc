// GRASP on the wire (RFC 8990): the flood by which proxies and registrars announce themselves (RFC 8995 4.1.1, 4.3).
//
//   [M_FLOOD, session-id, initiator, ttl, +[objective, locator-option / []]]
//   objective       [name, flags, loop-count, ?value]
//   locator-option  [O_IPv6_LOCATOR, 16 octets, transport-proto, port] and its kin
//
// Reading accepts what RFC 8990 allows and we have no use for (other objectives, other values, more elements at the
// end), so that a message that carries AN_ACP beside AN_Proxy is understood. What is made of it: grasp_rules.h.

#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cahn::discovery::grasp {

inline constexpr std::uint16_t listen_port = 7017;             // GRASP_LISTEN_PORT
inline constexpr std::string_view all_neighbors = "ff02::13";  // ALL_GRASP_NEIGHBORS
inline constexpr std::size_t max_message = 2048;               // GRASP_DEF_MAX_SIZE
inline constexpr std::size_t max_objectives = 32;              // in one flood
inline constexpr std::uint8_t protocol_tcp = 6;                // IPPROTO_TCP
inline constexpr std::uint32_t synchronization = 4;            // F_SYNCH, "sync-only" in RFC 8995

inline constexpr std::string_view proxy_objective = "AN_Proxy";
inline constexpr std::string_view registrar_objective = "AN_join_registrar";

struct Locator {
  enum class Kind { none, ipv6, ipv4, fqdn, uri, unknown };

  Kind kind = Kind::none;
  std::string where;                      // 16 or 4 octets of an address, or the text of a name or URI
  std::optional<std::uint32_t> protocol;  // of the IANA registry
  std::optional<std::uint16_t> port;

  static Locator tcp(const std::array<std::uint8_t, 16>& ipv6, std::uint16_t port);
  friend bool operator==(const Locator&, const Locator&) = default;
};

struct Objective {
  std::string name;
  std::uint32_t flags = synchronization;
  std::uint8_t loop_count = 1;
  std::optional<std::string> value;  // when it is text
  Locator locator;
  friend bool operator==(const Objective&, const Objective&) = default;
};

struct Flood {
  std::uint32_t session_id = 0;
  std::string initiator;     // 16 or 4 octets: tells equal session ids apart, nothing else
  std::uint32_t ttl_ms = 0;  // 0: no end is set
  std::vector<Objective> objectives;
  friend bool operator==(const Flood&, const Flood&) = default;
};

// Errors: malformed (with what was wrong), not_a_flood (another message of GRASP: passed over silently, RFC
// 8990 2.8.2).
Result<Flood> read_flood(ByteView);
// REQUIRES: no locator of kind unknown.
Bytes write_flood(const Flood&);

// What RFC 8995 has proxies and registrars say.
Objective proxy_announcement(const std::array<std::uint8_t, 16>& link_local, std::uint16_t port);
Objective registrar_announcement(const std::array<std::uint8_t, 16>& address, std::uint16_t port);

}  // namespace cahn::discovery::grasp
