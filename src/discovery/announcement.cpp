#include <avahi-client/client.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/strlst.h>
#include <avahi-common/thread-watch.h>
#include <avahi-common/timeval.h>

#include "base/log.h"
#include "discovery/avahi_handles.h"
#include "discovery/dns_sd.h"
#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

constexpr unsigned reconnect_pause_ms = 1000;

// Everything below the constructor runs on avahi's thread, except the destructor, which stops that thread first.
class AvahiAnnouncement final : public Announcement {
 public:
  AvahiAnnouncement(std::string instance, std::string type, std::uint16_t port, std::vector<std::string> txt)
      : instance_(std::move(instance)), type_(std::move(type)), port_(port), txt_(std::move(txt)) {}

  ~AvahiAnnouncement() override {
    if (poll_) avahi_threaded_poll_stop(poll_.get());
  }

  Result<void> begin() {
    poll_.reset(avahi_threaded_poll_new());
    if (!poll_) return fail(DiscoveryError::daemon_unavailable, "no thread for avahi");
    if (const int error = connect(); error != 0)
      return fail(DiscoveryError::daemon_unavailable, std::string("avahi: ") + avahi_strerror(error));
    if (avahi_threaded_poll_start(poll_.get()) < 0)
      return fail(DiscoveryError::daemon_unavailable, "no thread for avahi");
    return {};
  }

 private:
  // 0, or avahi's error. With NO_FAIL a daemon that is not there yet is waited for, as long as D-Bus is.
  int connect() {
    int error = 0;
    group_ = nullptr;  // goes with the client
    client_.reset();
    AvahiClient* const client = avahi_client_new(
        avahi_threaded_poll_get(poll_.get()), AVAHI_CLIENT_NO_FAIL,
        [](AvahiClient* c, AvahiClientState state, void* self) {
          static_cast<AvahiAnnouncement*>(self)->on_client(c, state);
        },
        this, &error);
    client_.reset(client);
    return client == nullptr ? error : 0;
  }

  void on_client(AvahiClient* client, AvahiClientState state) {
    switch (state) {
      case AVAHI_CLIENT_S_RUNNING:
        publish(client);
        break;
      case AVAHI_CLIENT_S_COLLISION:
      case AVAHI_CLIENT_S_REGISTERING:
        // The host's own name changes: our records go with it and come back at RUNNING.
        if (group_ != nullptr) avahi_entry_group_reset(group_);
        break;
      case AVAHI_CLIENT_FAILURE:
        // A client must not be freed from its own callback, and D-Bus may be away for a while: try from a timer.
        log::warning("DISCOVERY_LOST",
                     "the connection to avahi was lost; the service is announced again when it is back",
                     {{"reason", avahi_strerror(avahi_client_errno(client))}});
        schedule_reconnect();
        break;
      case AVAHI_CLIENT_CONNECTING:
        group_ = nullptr;
        break;
    }
  }

  void schedule_reconnect() {
    const AvahiPoll* const api = avahi_threaded_poll_get(poll_.get());
    timeval when;
    avahi_elapse_time(&when, reconnect_pause_ms, 0);
    if (timer_ != nullptr) return api->timeout_update(timer_, &when);
    timer_ = api->timeout_new(
        api, &when,
        [](AvahiTimeout* timer, void* raw) {
          auto* const self = static_cast<AvahiAnnouncement*>(raw);
          avahi_threaded_poll_get(self->poll_.get())->timeout_update(timer, nullptr);
          if (self->connect() != 0) self->schedule_reconnect();
        },
        this);
  }

  void publish(AvahiClient* client) {
    if (group_ == nullptr)
      group_ = avahi_entry_group_new(
          client,
          [](AvahiEntryGroup* group, AvahiEntryGroupState state, void* self) {
            static_cast<AvahiAnnouncement*>(self)->on_group(group, state);
          },
          this);
    if (group_ == nullptr || avahi_entry_group_is_empty(group_) == 0) return;
    const StringList txt = to_list(txt_);
    int error = 0;
    // As often as it takes: the daemon knows a local collision at once, of the network's it tells on_group().
    while ((error = avahi_entry_group_add_service_strlst(group_, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, {},
                                                         instance_.c_str(), type_.c_str(), nullptr, nullptr, port_,
                                                         txt.get())) == AVAHI_ERR_COLLISION)
      rename();
    if (error == 0) error = avahi_entry_group_commit(group_);
    if (error != 0)
      log::error("DISCOVERY_NOT_ANNOUNCED", "avahi does not take the service", {{"reason", avahi_strerror(error)}});
  }

  void on_group(AvahiEntryGroup* group, AvahiEntryGroupState state) {
    group_ = group;
    if (state == AVAHI_ENTRY_GROUP_ESTABLISHED) {
      log::info("DISCOVERY_ANNOUNCED", "the service is announced", {{"instance", instance_}, {"type", type_}});
    } else if (state == AVAHI_ENTRY_GROUP_COLLISION) {
      rename();
      avahi_entry_group_reset(group);
      publish(avahi_entry_group_get_client(group));
    } else if (state == AVAHI_ENTRY_GROUP_FAILURE) {
      log::error("DISCOVERY_NOT_ANNOUNCED", "avahi gave up the service",
                 {{"reason", avahi_strerror(avahi_client_errno(avahi_entry_group_get_client(group)))}});
    }
  }

  void rename() {
    const AvahiText other(avahi_alternative_service_name(instance_.c_str()));
    if (other) instance_ = other.get();
  }

  std::string instance_;
  const std::string type_;
  const std::uint16_t port_;
  const std::vector<std::string> txt_;
  ThreadedPoll poll_;  // outlives the client
  Client client_;
  AvahiEntryGroup* group_ = nullptr;  // owned by the client
  AvahiTimeout* timer_ = nullptr;     // owned by the poll
};

}  // namespace

Result<std::unique_ptr<Announcement>> Announcement::start(std::string instance, std::string_view service_type,
                                                          std::uint16_t port, std::vector<std::string> txt) {
  // The same bounds hold for what we say as for what we hear.
  const Service said{instance, "host.local", "192.0.2.1", port, "", txt};
  const auto sound = admit_service(said);
  if (!is_service_type(service_type) || !sound || *sound != said)
    return fail(DiscoveryError::bad_argument, "not a service that can be announced: " + instance);
  auto announcement =
      std::make_unique<AvahiAnnouncement>(std::move(instance), std::string(service_type), port, std::move(txt));
  if (auto begun = announcement->begin(); !begun) return fail(begun.error());
  return announcement;
}

}  // namespace cahn::discovery
