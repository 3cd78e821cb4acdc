// Services of mDNS as they come, for as long as the watch lives, through the avahi daemon of this host.
//
// avahi asks as RFC 6762 has it (a second apart at first, then doubling up to an hour, with what is known already) and
// hears every unasked announcement; a new link makes it ask at once. That is what RFC 8995 4.1 and appendix B want of a
// pledge, so nothing here asks by itself.
//
// Threads: one of its own; the callback comes on it and must not block.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "discovery/dns_sd.h"

namespace cahn::discovery {

class ServiceWatch {
 public:
  // `on_news`: a service that was not known; may be empty. A daemon that is not there yet is waited for, if there is a
  // D-Bus. Errors: daemon_unavailable, bad_argument.
  static Result<std::unique_ptr<ServiceWatch>> start(std::string type, std::function<void()> on_news);
  virtual ~ServiceWatch() = default;
  // What was found. A goodbye is believed by nobody who could be cheated by it: what was there once stays a place to
  // try (RFC 8995 appendix B), until many new ones make it the oldest.
  virtual std::vector<Service> current() const = 0;
};

}  // namespace cahn::discovery
