// Passes TCP connections on, octet by octet, without looking at any: the circuit of a join proxy (RFC 8995 4).
//
//   client ──► accepted ──► [at most `buffer` octets] ──► connected ──► target
//          ◄──          ◄── [at most `buffer` octets] ◄──           ◄──
//
// Each way goes at the pace of its slower side: nothing more is read before what was read is sent on. An end (FIN) ends
// that way only; a reset, a failure or silence on both ways resets both sides. While a connection is idle it holds no
// buffer at all.

#pragma once

#include "net/http.h"

namespace cahn::net {

struct RelayOptions {
  std::string name;            // for logs and metrics: "proxy"
  std::string address = "::";  // to listen on; "::" is IPv4 too
  std::uint16_t port = 0;      // 0: any free one
  std::size_t max_connections = 5'000;
  std::size_t max_connections_per_address = 16;
  std::chrono::milliseconds connect = std::chrono::seconds(5);  // to one target; then the next is tried
  std::chrono::milliseconds idle = std::chrono::minutes(5);     // nothing either way
  std::size_t buffer = std::size_t{16} << 10;                   // of each way
};

// Where connections go. Threads: called from many.
class RelayTargets {
 public:
  virtual ~RelayTargets() = default;
  // In the order in which they are to be tried for one new connection.
  virtual std::vector<Endpoint> targets() = 0;
  // How it went: connected, or not, and why not (empty when connected).
  virtual void tried(const Endpoint&, bool connected, const std::string& why_not) = 0;
};

class Relay {
 public:
  // Binds and starts accepting. Errors: address_in_use, unreachable (bad address).
  static Result<std::unique_ptr<Relay>> start(Executor, RelayOptions, std::shared_ptr<RelayTargets>);
  virtual ~Relay() = default;
  virtual std::uint16_t port() const = 0;
  // Takes no more connections and lets those there are come to their end for `grace`; then resets them.
  virtual awaitable<void> stop(std::chrono::milliseconds grace = std::chrono::milliseconds(2000)) = 0;
};

}  // namespace cahn::net
