#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/simple-watch.h>
#include <net/if.h>

#include <algorithm>

#include "discovery/dns_sd.h"

namespace cahn::discovery {
namespace {

constexpr std::size_t max_services = 64, max_txt_entries = 32;

struct FreePoll {
  void operator()(AvahiSimplePoll* poll) const { avahi_simple_poll_free(poll); }
};
struct FreeClient {
  void operator()(AvahiClient* client) const { avahi_client_free(client); }
};

// One search; everything happens on the caller's thread, in the poll's iterations.
class Search {
 public:
  Result<std::vector<Service>> run(std::string_view type, std::chrono::milliseconds patience, std::size_t enough) {
    poll_.reset(avahi_simple_poll_new());
    int error = 0;
    if (poll_)
      client_.reset(avahi_client_new(avahi_simple_poll_get(poll_.get()), AvahiClientFlags(0), on_client, this, &error));
    if (!client_)
      return fail(DiscoveryError::daemon_unavailable,
                  std::string("the avahi daemon cannot be reached: ") + avahi_strerror(error));
    const std::string type_text(type);
    if (!avahi_service_browser_new(client_.get(), AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, type_text.c_str(), nullptr,
                                   AvahiLookupFlags(0), on_browse, this))
      return fail(DiscoveryError::bad_argument, std::string("cannot browse for ") + type_text + ": " +
                                                    avahi_strerror(avahi_client_errno(client_.get())));
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!failed_ && found_.size() < enough) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
      if (left <= 0 || avahi_simple_poll_iterate(poll_.get(), static_cast<int>(std::min<long>(left, 100))) != 0) break;
    }
    if (found_.empty() && failed_) return fail(DiscoveryError::daemon_unavailable, "the avahi daemon went away");
    if (found_.empty()) return fail(DiscoveryError::nothing_found, "nobody on this link announces " + type_text);
    return found_;
  }

 private:
  static void on_client(AvahiClient*, AvahiClientState state, void* self) {
    if (state == AVAHI_CLIENT_FAILURE) static_cast<Search*>(self)->failed_ = true;
  }

  static void on_browse(AvahiServiceBrowser* browser, AvahiIfIndex interface, AvahiProtocol protocol,
                        AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                        AvahiLookupResultFlags, void* self) {
    auto* search = static_cast<Search*>(self);
    if (event == AVAHI_BROWSER_FAILURE) search->failed_ = true;
    if (event != AVAHI_BROWSER_NEW || search->resolving_ >= max_services) return;
    ++search->resolving_;
    // Ask for the address of the protocol the announcement came by; the resolver frees itself in its callback.
    avahi_service_resolver_new(avahi_service_browser_get_client(browser), interface, protocol, name, type, domain,
                               protocol, AvahiLookupFlags(0), on_resolve, self);
  }

  static void on_resolve(AvahiServiceResolver* resolver, AvahiIfIndex interface, AvahiProtocol,
                         AvahiResolverEvent event, const char* name, const char*, const char*, const char* host,
                         const AvahiAddress* address, std::uint16_t port, AvahiStringList* txt, AvahiLookupResultFlags,
                         void* self) {
    if (event == AVAHI_RESOLVER_FOUND && address && port != 0)
      static_cast<Search*>(self)->add(interface, name, host, *address, port, txt);
    avahi_service_resolver_free(resolver);
  }

  void add(AvahiIfIndex interface, const char* name, const char* host, const AvahiAddress& address, std::uint16_t port,
           AvahiStringList* txt) {
    char text[AVAHI_ADDRESS_STR_MAX] = {}, interface_name[IF_NAMESIZE] = {};
    avahi_address_snprint(text, sizeof text, &address);
    if (interface >= 0) if_indextoname(static_cast<unsigned>(interface), interface_name);
    Service service;
    service.instance = name ? name : "";
    service.host = host ? host : "";
    service.address = text;
    // A link-local address means nothing without its link (RFC 4007 11).
    if (service.address.starts_with("fe80:") && interface_name[0]) service.address += std::string("%") + interface_name;
    service.port = port;
    service.interface = interface_name;
    for (; txt && service.txt.size() < max_txt_entries; txt = avahi_string_list_get_next(txt))
      service.txt.emplace_back(reinterpret_cast<const char*>(avahi_string_list_get_text(txt)),
                               avahi_string_list_get_size(txt));
    if (found_.size() < max_services && std::find(found_.begin(), found_.end(), service) == found_.end())
      found_.push_back(std::move(service));
  }

  std::unique_ptr<AvahiSimplePoll, FreePoll> poll_;
  std::unique_ptr<AvahiClient, FreeClient> client_;  // browsers and resolvers are the client's
  std::vector<Service> found_;
  std::size_t resolving_ = 0;
  bool failed_ = false;
};

}  // namespace

Result<std::vector<Service>> browse(std::string_view service_type, std::chrono::milliseconds patience,
                                    std::size_t enough) {
  Search search;
  return search.run(service_type, patience, enough);
}

}  // namespace cahn::discovery
