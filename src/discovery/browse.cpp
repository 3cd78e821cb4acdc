#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/simple-watch.h>

#include <algorithm>

#include "discovery/avahi_handles.h"
#include "discovery/avahi_service.h"
#include "discovery/dns_sd.h"
#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

using SteadyClock = std::chrono::steady_clock;

// One look, on the caller's thread.
class Look {
 public:
  Look(std::string type, std::size_t enough) : type_(std::move(type)), enough_(std::min(enough, max_services)) {}

  Result<std::vector<Service>> run(std::chrono::milliseconds patience) {
    poll_.reset(avahi_simple_poll_new());
    if (!poll_) return fail(DiscoveryError::daemon_unavailable, "no event loop for avahi");
    int error = 0;
    client_.reset(avahi_client_new(
        avahi_simple_poll_get(poll_.get()), {},
        [](AvahiClient*, AvahiClientState state, void* self) {
          if (state == AVAHI_CLIENT_FAILURE) static_cast<Look*>(self)->lost_ = true;
        },
        this, &error));
    if (!client_) return unavailable(error);
    // Owned by the client, as are the resolvers.
    if (avahi_service_browser_new(client_.get(), AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, type_.c_str(), nullptr, {},
                                  on_browsed, this) == nullptr)
      return unavailable(avahi_client_errno(client_.get()));
    const auto until = SteadyClock::now() + patience;
    while (found_.size() < enough_ && !lost_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now());
      if (left.count() <= 0) break;
      if (avahi_simple_poll_iterate(poll_.get(), static_cast<int>(left.count())) != 0) break;
    }
    if (!found_.empty()) return std::move(found_);
    if (lost_) return fail(DiscoveryError::daemon_unavailable, "the connection to avahi was lost");
    return fail(DiscoveryError::nothing_found, "nobody announces " + type_);
  }

 private:
  static std::unexpected<Error> unavailable(int error) {
    return fail(DiscoveryError::daemon_unavailable, std::string("avahi: ") + avahi_strerror(error));
  }

  static void on_browsed(AvahiServiceBrowser*, AvahiIfIndex interface, AvahiProtocol protocol, AvahiBrowserEvent event,
                         const char* name, const char* type, const char* domain, AvahiLookupResultFlags, void* raw) {
    auto* const self = static_cast<Look*>(raw);
    if (event == AVAHI_BROWSER_FAILURE) self->lost_ = true;
    // Each announcement costs a query: a flood of them must not.
    if (event != AVAHI_BROWSER_NEW || self->resolving_ >= max_services) return;
    if (avahi_service_resolver_new(self->client_.get(), interface, protocol, name, type, domain, AVAHI_PROTO_UNSPEC, {},
                                   on_resolved, self) != nullptr)
      ++self->resolving_;
  }

  static void on_resolved(AvahiServiceResolver* resolver, AvahiIfIndex interface, AvahiProtocol,
                          AvahiResolverEvent event, const char* name, const char*, const char*, const char* host,
                          const AvahiAddress* address, std::uint16_t port, AvahiStringList* txt, AvahiLookupResultFlags,
                          void* raw) {
    auto* const self = static_cast<Look*>(raw);
    if (event == AVAHI_RESOLVER_FOUND) self->take(service_from_avahi(interface, name, host, *address, port, txt));
    avahi_service_resolver_free(resolver);
    --self->resolving_;
  }

  void take(std::optional<Service> service) {
    if (service && found_.size() < max_services && std::ranges::find(found_, *service) == found_.end())
      found_.push_back(*std::move(service));
  }

  const std::string type_;
  const std::size_t enough_;
  SimplePoll poll_;  // outlives the client
  Client client_;
  std::vector<Service> found_;
  std::size_t resolving_ = 0;
  bool lost_ = false;
};

}  // namespace

Result<std::vector<Service>> browse(std::string_view service_type, std::chrono::milliseconds patience,
                                    std::size_t enough) {
  if (!is_service_type(service_type) || enough == 0)
    return fail(DiscoveryError::bad_argument, "not a type of service: " + std::string(service_type));
  return Look(std::string(service_type), enough).run(patience);
}

}  // namespace cahn::discovery
