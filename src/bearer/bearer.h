// The Bearer seam: what one network technology must offer to the router agent. A new technology is a folder here.
//
// Threads: called from the runtime's threads; implementations may suspend, must not block.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cahn::bearer {

enum class BearerError { not_started, unavailable, refused, unknown_station, bad_configuration };
std::string_view error_name(BearerError);

// Someone shows a network credential and wants in. Everything here was proven to the bearer's authenticator, except
// `claimed_identity`.
struct JoinRequest {
  std::string certificate_serial_hex;      // of the credential shown, lower case
  std::string certificate_issuer;          // issuer's name as the authenticator prints it
  std::string certificate_subject_serial;  // subject serialNumber, may be empty
  std::string claimed_identity;            // EAP identity: must be the serialNumber or "@realm" (decision 65)
  std::string station;                     // link address of the station, lower case with colons
  std::string port;                        // NAS port or interface name
};

struct JoinAnswer {
  bool permit = false;
  std::string reason;   // for logs; a refused station learns only that it was refused
  std::string device;   // did:key of the device; also with a refusal, if known, so that invite() finds its station
  std::string segment;  // "trusted", "quarantine"; empty: the bearer's default
  std::chrono::seconds session{3600};  // re-authentication after this time
};

// Asked at every authentication; what does not answer within 2 s is a refusal.
using Authoriser = std::function<boost::asio::awaitable<JoinAnswer>(JoinRequest)>;

enum class StationState { joined, left, refused };
struct StationEvent {
  std::string station;
  std::string device;  // empty when unknown
  StationState state;
};

class Bearer {
 public:
  virtual ~Bearer() = default;
  virtual std::string_view technology() const = 0;  // "dot1x"
  // Starts to admit stations. Until then, and after stop(), nothing passes the gate.
  virtual boost::asio::awaitable<Result<void>> start(Authoriser, std::function<void(StationEvent)> on_event) = 0;
  virtual boost::asio::awaitable<void> stop() = 0;
  // Ends every session of `device` now: gate first, then the authenticator. Completes when the gate is shut. A device
  // that has no session is fine.
  virtual boost::asio::awaitable<Result<void>> cut(std::string device) = 0;
  // Invites the stations that `device` last used to authenticate again (decision 68). Returns at once.
  virtual boost::asio::awaitable<void> invite(std::string device) = 0;
};

}  // namespace cahn::bearer
