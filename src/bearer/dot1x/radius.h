// The little of RADIUS that a router agent speaks itself, as a client on loopback: Disconnect-Request to hostapd (RFC
// 5176) and Status-Server to FreeRADIUS (RFC 5997). Every request carries a Message-Authenticator, every answer must.
//
//    0        1        2                 4                 20
//    | code   | id     | length (BE)     | authenticator   | attributes: type, length, value …
//
// Threads: `radius_exchange` blocks, for at most tries × patience; not for I/O threads.

#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "bearer/bearer.h"

namespace cahn::bearer::dot1x {

enum class RadiusCode : std::uint8_t {
  access_request = 1,
  access_accept = 2,
  status_server = 12,
  disconnect_request = 40,
  disconnect_ack = 41,
  disconnect_nak = 42
};

enum class RadiusAttribute : std::uint8_t {
  calling_station_id = 31,
  event_timestamp = 55,
  message_authenticator = 80,
  error_cause = 101
};

struct RadiusPacket {
  RadiusCode code;
  std::uint8_t identifier = 0;
  std::vector<std::pair<RadiusAttribute, Bytes>> attributes;  // without Message-Authenticator
};

using RadiusAuthenticator = std::array<std::uint8_t, 16>;

// The octets of a request with its Message-Authenticator. A Disconnect-Request is signed as RFC 5176 2.3 says, all else
// gets a random Request Authenticator (RFC 2865 3). REQUIRES: attributes of at most 253 octets, a packet of at most
// 4096.
Bytes encode_radius_request(const RadiusPacket&, std::string_view secret);
// Reads the answer to the request whose octets are `request`: identifier, Response Authenticator and
// Message-Authenticator (if there is one; a Disconnect answer may come without) must be right. Errors: refused.
Result<RadiusPacket> decode_radius_answer(ByteView answer, ByteView request, std::string_view secret);

struct RadiusPatience {
  std::chrono::milliseconds each{300};
  int tries = 3;
};

// Sends to 127.0.0.1:`port` and waits for an answer that verifies; others are passed over. Errors: unavailable.
Result<RadiusPacket> radius_exchange(std::uint16_t port, const RadiusPacket&, std::string_view secret,
                                     RadiusPatience = {});

// Asks hostapd to end the session of `station` (link address). Acknowledged, or it knew no such session: fine.
// Errors: unavailable (no answer), refused (any other NAK).
Result<void> radius_disconnect(std::uint16_t das_port, std::string_view station, std::string_view secret,
                               const Clock& clock, RadiusPatience = {});

// Whether the server answers: RFC 5997. Errors: unavailable.
Result<void> radius_status(std::uint16_t port, std::string_view secret, RadiusPatience = {});

}  // namespace cahn::bearer::dot1x
