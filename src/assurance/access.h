// What a router must know about one device: the content of a command. The last Access of each device, together, is the
// state that registrar and routers keep equal.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assurance/decision.h"

namespace cahn::assurance {

// Names one certificate: its serial number in lower-case hex and its issuer's name as RFC 4514 text.
struct LdevidName {
  std::string serial_hex;
  std::string issuer;
  friend bool operator==(const LdevidName&, const LdevidName&) = default;
};

struct Access {
  std::string device;        // did:key of the IDevID key
  std::uint64_t number = 0;  // of the Decision it carries out; a later one for the same device replaces it
  Answer answer = Answer::deny;
  std::string serial_number;        // X.520 serialNumber of the device: also its EAP identity (decision 65)
  std::vector<LdevidName> ldevids;  // newest last, at most max_ldevids
  std::string segment;              // with permit: where to put it; empty: the bearer's default
  std::string reason;               // for the router's log, never for the device
  friend bool operator==(const Access&, const Access&) = default;
};

inline constexpr std::size_t max_ldevids = 16;

// The id of the command that carries decision `number` out, the same however often and to whomever it is sent: a UUID
// (RFC 9562 5.8, version 8) made from a SHA-256 of both. `epoch` names one life of the registrar's store.
std::string command_id(std::string_view epoch, std::uint64_t number);

// Who is told of changed access: the command server, or a fake. Called from any thread; must not block for long.
class AccessSink {
 public:
  virtual ~AccessSink() = default;
  virtual void publish(std::vector<Access> changes) = 0;
};

}  // namespace cahn::assurance
