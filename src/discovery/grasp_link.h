// GRASP floods on real links: UDP to ff02::13 port 7017, on each interface by itself (RFC 8990 2.5.3, 2.6).
//
// Threads: each object has one of its own. Callbacks come on it and must not block.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "discovery/grasp_rules.h"

namespace cahn::discovery::grasp {

struct ListenOptions {
  Instance instance = Instance::dull;
  std::string objective{proxy_objective};
  std::vector<std::string> interfaces;                 // empty: every one that takes multicast
  std::function<void()> on_news;                       // a place that was not known; may be empty
  std::function<void(const std::string&)> on_link_up;  // an interface got its carrier; may be empty
  std::uint16_t port = listen_port;
};

class FloodListener {
 public:
  // Interfaces that come later are listened to as well. Errors: no_socket.
  static Result<std::unique_ptr<FloodListener>> start(ListenOptions);
  virtual ~FloodListener() = default;
  // What was heard and is still valid, with how long it stays so.
  virtual std::vector<Heard> current() const = 0;
};

struct AnnounceOptions {
  std::string objective{proxy_objective};                       // or registrar_objective
  std::uint16_t tcp_port = 0;                                   // where we are reached
  std::vector<std::string> interfaces;                          // empty: every one that takes multicast
  std::chrono::milliseconds period = std::chrono::seconds(60);  // RFC 8995 4.3: not less
  std::uint16_t port = listen_port;
};

// Floods until destroyed, at once on an interface or address that is new, then every `period`. A proxy announces each
// link-local address (DULL); a registrar each address of wider scope, or on a link that has none its link-local one
// with loop-count 1, because a flood from there may not travel (RFC 8990 2.5.6.2).
class FloodAnnouncement {
 public:
  // Errors: no_socket, bad_argument.
  static Result<std::unique_ptr<FloodAnnouncement>> start(AnnounceOptions);
  virtual ~FloodAnnouncement() = default;
};

// How long an announcement is valid: RFC 8995 4.1.1, 4.3.
inline constexpr std::uint32_t announced_ttl_ms = 180'000;

}  // namespace cahn::discovery::grasp
