#include "discovery/avahi_link.h"

#include <avahi-common/error.h>
#include <avahi-common/timeval.h>

#include "discovery/dns_sd.h"

namespace cahn::discovery {
namespace {

constexpr unsigned reconnect_pause_ms = 1000;

}  // namespace

AvahiLink::AvahiLink(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

AvahiLink::~AvahiLink() {
  if (poll_) avahi_threaded_poll_stop(poll_.get());
}

Result<void> AvahiLink::begin() {
  poll_.reset(avahi_threaded_poll_new());
  if (!poll_) return fail(DiscoveryError::daemon_unavailable, "no thread for avahi");
  if (const int error = connect(); error != 0)
    return fail(DiscoveryError::daemon_unavailable, std::string("avahi: ") + avahi_strerror(error));
  if (avahi_threaded_poll_start(poll_.get()) < 0)
    return fail(DiscoveryError::daemon_unavailable, "no thread for avahi");
  return {};
}

// 0, or avahi's error.
int AvahiLink::connect() {
  callbacks_.before_client();
  client_.reset();
  int error = 0;
  AvahiClient* const client = avahi_client_new(
      avahi_threaded_poll_get(poll_.get()), AVAHI_CLIENT_NO_FAIL,
      [](AvahiClient* c, AvahiClientState state, void* raw) {
        auto* const self = static_cast<AvahiLink*>(raw);
        self->callbacks_.on_state(c, state);
        // A client must not be freed from its own callback, and D-Bus may be away for a while: try from a timer.
        if (state == AVAHI_CLIENT_FAILURE) self->connect_later();
      },
      this, &error);
  client_.reset(client);
  return client == nullptr ? error : 0;
}

void AvahiLink::connect_later() {
  const AvahiPoll* const api = avahi_threaded_poll_get(poll_.get());
  timeval when;
  avahi_elapse_time(&when, reconnect_pause_ms, 0);
  if (timer_ != nullptr) return api->timeout_update(timer_, &when);
  timer_ = api->timeout_new(
      api, &when,
      [](AvahiTimeout* timer, void* raw) {
        auto* const self = static_cast<AvahiLink*>(raw);
        avahi_threaded_poll_get(self->poll_.get())->timeout_update(timer, nullptr);
        if (self->connect() != 0) self->connect_later();
      },
      this);
}

}  // namespace cahn::discovery
