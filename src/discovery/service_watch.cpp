#include "discovery/service_watch.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/thread-watch.h>
#include <avahi-common/timeval.h>

#include <algorithm>
#include <mutex>

#include "base/log.h"
#include "discovery/avahi_handles.h"
#include "discovery/avahi_service.h"
#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

constexpr unsigned reconnect_pause_ms = 1000;

// Everything below the constructor runs on avahi's thread, except the destructor, which stops that thread first, and
// current().
class AvahiWatch final : public ServiceWatch {
 public:
  AvahiWatch(std::string type, std::function<void()> on_news) : type_(std::move(type)), on_news_(std::move(on_news)) {}

  ~AvahiWatch() override {
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

  std::vector<Service> current() const override {
    const std::lock_guard lock(mutex_);
    return found_;
  }

 private:
  int connect() {
    int error = 0;
    resolving_ = 0;
    browser_ = nullptr;  // goes with the client, as resolvers do
    client_.reset();
    AvahiClient* const client = avahi_client_new(
        avahi_threaded_poll_get(poll_.get()), AVAHI_CLIENT_NO_FAIL,
        [](AvahiClient* c, AvahiClientState state, void* self) { static_cast<AvahiWatch*>(self)->on_client(c, state); },
        this, &error);
    client_.reset(client);
    return client == nullptr ? error : 0;
  }

  void on_client(AvahiClient* client, AvahiClientState state) {
    if (state == AVAHI_CLIENT_S_RUNNING && browser_ == nullptr)
      browser_ = avahi_service_browser_new(client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, type_.c_str(), nullptr, {},
                                           on_browsed, this);
    if (state == AVAHI_CLIENT_CONNECTING) browser_ = nullptr;
    if (state != AVAHI_CLIENT_FAILURE) return;
    // A client must not be freed from its own callback: try again from a timer.
    log::warning("DISCOVERY_LOOK_LOST", "the connection to avahi was lost; it is looked again when it is back",
                 {{"reason", avahi_strerror(avahi_client_errno(client))}});
    schedule_reconnect();
  }

  void schedule_reconnect() {
    const AvahiPoll* const api = avahi_threaded_poll_get(poll_.get());
    timeval when;
    avahi_elapse_time(&when, reconnect_pause_ms, 0);
    if (timer_ != nullptr) return api->timeout_update(timer_, &when);
    timer_ = api->timeout_new(
        api, &when,
        [](AvahiTimeout* timer, void* raw) {
          auto* const self = static_cast<AvahiWatch*>(raw);
          avahi_threaded_poll_get(self->poll_.get())->timeout_update(timer, nullptr);
          if (self->connect() != 0) self->schedule_reconnect();
        },
        this);
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
  ThreadedPoll poll_;  // outlives the client
  Client client_;
  AvahiServiceBrowser* browser_ = nullptr;  // owned by the client
  AvahiTimeout* timer_ = nullptr;           // owned by the poll
  std::size_t resolving_ = 0;
  mutable std::mutex mutex_;  // guards found_
  std::vector<Service> found_;
};

}  // namespace

Result<std::unique_ptr<ServiceWatch>> ServiceWatch::start(std::string type, std::function<void()> on_news) {
  if (!is_service_type(type)) return fail(DiscoveryError::bad_argument, "not a type of service: " + type);
  auto watch = std::make_unique<AvahiWatch>(std::move(type), std::move(on_news));
  CAHN_CHECK(watch->begin());
  return watch;
}

}  // namespace cahn::discovery
