// The connection to avahi-daemon, on a thread of its own, made again from a timer whenever it is lost. Inside
// `discovery` only.
//
// Threads: begin() and the destructor from the owner's thread; both callbacks come on avahi's thread, the first ones
// already during begin(). The destructor stops that thread first, so that a link must be its owner's last member: what
// the callbacks touch then outlives them.

#pragma once

#include <avahi-common/watch.h>

#include <functional>

#include "base/result.h"
#include "discovery/avahi_handles.h"

namespace cahn::discovery {

class AvahiLink {
 public:
  struct Callbacks {
    // The client goes, and with it its browsers, resolvers and entry groups: forget them.
    std::function<void()> before_client;
    // A state of the client. After FAILURE another client is made, a second later.
    std::function<void(AvahiClient*, AvahiClientState)> on_state;
  };

  explicit AvahiLink(Callbacks);
  AvahiLink(const AvahiLink&) = delete;
  AvahiLink& operator=(const AvahiLink&) = delete;
  ~AvahiLink();

  // A daemon that is not there yet is waited for, as long as D-Bus is. Errors: daemon_unavailable.
  Result<void> begin();

 private:
  int connect();
  void connect_later();

  const Callbacks callbacks_;
  ThreadedPoll poll_;  // outlives the client
  Client client_;
  AvahiTimeout* timer_ = nullptr;  // owned by the poll
};

}  // namespace cahn::discovery
