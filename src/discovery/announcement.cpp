#include <avahi-client/client.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/strlst.h>

#include "base/log.h"
#include "discovery/avahi_link.h"
#include "discovery/dns_sd.h"
#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

// All but the constructor and begin() runs on avahi's thread.
class AvahiAnnouncement final : public Announcement {
 public:
  AvahiAnnouncement(std::string instance, std::string type, std::uint16_t port, std::vector<std::string> txt)
      : instance_(std::move(instance)), type_(std::move(type)), port_(port), txt_(std::move(txt)) {}

  Result<void> begin() { return link_.begin(); }

 private:
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
        log::warning("DISCOVERY_LOST",
                     "the connection to avahi was lost; the service is announced again when it is back",
                     {{"reason", avahi_strerror(avahi_client_errno(client))}});
        break;
      case AVAHI_CLIENT_CONNECTING:
        group_ = nullptr;
        break;
    }
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
  AvahiEntryGroup* group_ = nullptr;  // owned by the client
  AvahiLink link_{{.before_client = [this] { group_ = nullptr; },
                   .on_state = [this](AvahiClient* c, AvahiClientState state) { on_client(c, state); }}};
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
