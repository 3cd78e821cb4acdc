#include "discovery/service_watch.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>

#include <algorithm>
#include <mutex>

#include "base/log.h"
#include "discovery/avahi_link.h"
#include "discovery/avahi_service.h"
#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

// All but the constructor, begin() and current() runs on avahi's thread.
class AvahiWatch final : public ServiceWatch {
 public:
  AvahiWatch(std::string type, std::function<void()> on_news) : type_(std::move(type)), on_news_(std::move(on_news)) {}

  Result<void> begin() { return link_.begin(); }

  std::vector<Service> current() const override {
    const std::lock_guard lock(mutex_);
    return found_;
  }

 private:
  void forget_browser() {
    resolving_ = 0;
    browser_ = nullptr;
  }

  void on_client(AvahiClient* client, AvahiClientState state) {
    if (state == AVAHI_CLIENT_S_RUNNING && browser_ == nullptr)
      browser_ = avahi_service_browser_new(client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, type_.c_str(), nullptr, {},
                                           on_browsed, this);
    if (state == AVAHI_CLIENT_CONNECTING) browser_ = nullptr;
    if (state == AVAHI_CLIENT_FAILURE)
      log::warning("DISCOVERY_LOOK_LOST", "the connection to avahi was lost; it is looked again when it is back",
                   {{"reason", avahi_strerror(avahi_client_errno(client))}});
  }

  static void on_browsed(AvahiServiceBrowser* browser, AvahiIfIndex interface, AvahiProtocol protocol,
                         AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                         AvahiLookupResultFlags, void* raw) {
    auto* const self = static_cast<AvahiWatch*>(raw);
    // Each announcement costs a query: a flood of them must not.
    if (event != AVAHI_BROWSER_NEW || self->resolving_ >= max_services) return;
    if (avahi_service_resolver_new(avahi_service_browser_get_client(browser), interface, protocol, name, type, domain,
                                   AVAHI_PROTO_UNSPEC, {}, on_resolved, self) != nullptr)
      ++self->resolving_;
  }

  static void on_resolved(AvahiServiceResolver* resolver, AvahiIfIndex interface, AvahiProtocol,
                          AvahiResolverEvent event, const char* name, const char*, const char*, const char* host,
                          const AvahiAddress* address, std::uint16_t port, AvahiStringList* txt, AvahiLookupResultFlags,
                          void* raw) {
    auto* const self = static_cast<AvahiWatch*>(raw);
    if (event == AVAHI_RESOLVER_FOUND) self->take(service_from_avahi(interface, name, host, *address, port, txt));
    avahi_service_resolver_free(resolver);
    --self->resolving_;
  }

  void take(std::optional<Service> service) {
    if (!service) return;
    {
      const std::lock_guard lock(mutex_);
      if (std::ranges::find(found_, *service) != found_.end()) return;
      if (found_.size() >= max_services) found_.erase(found_.begin());
      found_.push_back(*std::move(service));
    }
    if (on_news_) on_news_();
  }

  const std::string type_;
  const std::function<void()> on_news_;
  AvahiServiceBrowser* browser_ = nullptr;  // owned by the client
  std::size_t resolving_ = 0;
  mutable std::mutex mutex_;  // guards found_
  std::vector<Service> found_;
  AvahiLink link_{{.before_client = [this] { forget_browser(); },
                   .on_state = [this](AvahiClient* c, AvahiClientState state) { on_client(c, state); }}};
};

}  // namespace

Result<std::unique_ptr<ServiceWatch>> ServiceWatch::start(std::string type, std::function<void()> on_news) {
  if (!is_service_type(type)) return fail(DiscoveryError::bad_argument, "not a type of service: " + type);
  auto watch = std::make_unique<AvahiWatch>(std::move(type), std::move(on_news));
  CAHN_CHECK(watch->begin());
  return watch;
}

}  // namespace cahn::discovery
