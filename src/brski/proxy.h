// The join proxy of RFC 8995 4: a circuit proxy. It takes TCP connections of pledges, which can reach nothing else yet,
// and passes them on to a registrar without ending or reading their TLS.
//
// Which registrar: the strongest known one that has not failed lately, always the same while it answers, because a
// pledge that was told to come back expects the registrar it met. When it does not answer, the next; at most a few for
// one connection. Announcing and finding are the wiring's: offer() takes what was found.
//
// Threads: all members from any thread.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "discovery/candidates.h"
#include "net/relay.h"

namespace cahn::brski {

struct ProxyOptions {
  net::RelayOptions relay{.name = "proxy"};
  std::vector<net::Endpoint> registrars;  // known beforehand, tried in this order before any that is found
  const Clock* clock = &system_clock();
};

class Proxy {
 public:
  // Errors: bad_option, or the relay's.
  static Result<std::unique_ptr<Proxy>> start(net::Executor, ProxyOptions);
  virtual ~Proxy() = default;
  virtual std::uint16_t port() const = 0;
  // Registrars that were found, or found again.
  virtual void offer(const std::vector<discovery::Candidate>&) = 0;
  // "address:port" of those there are, the one that is tried first in front; empty: no pledge can be helped.
  virtual std::vector<std::string> registrars() const = 0;
  virtual net::awaitable<void> stop() = 0;

  static constexpr std::size_t max_tries = 4;  // registrars for one connection
};

}  // namespace cahn::brski
