// Everything that looks for a way in, at once: GRASP, mDNS, and, when those have found nothing, unicast DNS-SD.
//
//   a pledge   AN_Proxy (DULL), _brski-proxy._tcp, _brski-registrar._tcp; then _brski-registrar._tcp.<domain>
//   a proxy    AN_join_registrar on the trusted network, _brski-registrar._tcp
//
// A source that does not work on this host (no avahi, no IPv6) is left out and said once: the others go on.
// Threads: found() and wait() from any thread; wait() by one at a time.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "discovery/candidates.h"
#include "discovery/grasp_rules.h"
#include "discovery/unicast_dns_sd.h"

namespace cahn::discovery {

// Ranks of the ways to be found (Candidate::strength). RFC 8995 4.1: GRASP is what a pledge must listen to; appendix B
// has unicast DNS-SD after what is local.
enum Strength : int { strength_dns = 10, strength_mdns_registrar = 30, strength_mdns_proxy = 40, strength_grasp = 50 };

struct FinderOptions {
  bool grasp = true;
  grasp::Instance grasp_instance = grasp::Instance::dull;
  std::string grasp_objective{grasp::proxy_objective};
  std::vector<std::string> interfaces;  // for GRASP; empty: all
  std::uint16_t grasp_port = grasp::listen_port;
  bool mdns = true;
  std::vector<std::string> mdns_types;
  bool dns = false;        // _brski-registrar._tcp in `dns_domain`, once nothing else has helped for a while
  std::string dns_domain;  // empty: the host's search domain
  std::chrono::milliseconds dns_after = std::chrono::seconds(10);  // doubles from look to look, up to an hour
  using AskDns = std::function<Result<std::vector<Service>>(std::string_view service_type, const DnsOptions&)>;
  AskDns ask_dns = browse_domain;  // another for tests
};

class Finder {
 public:
  static std::unique_ptr<Finder> start(FinderOptions);
  virtual ~Finder() = default;
  // All that was found and may be tried.
  virtual std::vector<Candidate> found() const = 0;
  struct News {
    bool places = false;                // found() has something new
    std::vector<std::string> links_up;  // interfaces that got their carrier (Candidates::link_changed)
  };
  // Until there is news, at most so long.
  virtual News wait(std::chrono::milliseconds at_most) = 0;
};

}  // namespace cahn::discovery
