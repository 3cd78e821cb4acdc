#include "discovery/unicast_dns_sd.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

#include <algorithm>

#include "discovery/dns_answers.h"
#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

// The host's resolver, for one look.
class Resolver {
 public:
  explicit Resolver(const DnsOptions& options) : options_(options) {
    ready_ = res_ninit(&state_) == 0;
    if (!ready_) return;
    state_.retrans = static_cast<int>(options.seconds);
    state_.retry = static_cast<int>(options.attempts);
    if (options.server.empty()) return;
    state_.nscount = 1;
    sockaddr_in& server = state_.nsaddr_list[0];
    server = {};
    server.sin_family = AF_INET;
    server.sin_port = htons(options.server_port);
    ready_ = ::inet_pton(AF_INET, options.server.c_str(), &server.sin_addr) == 1;
  }
  ~Resolver() { res_nclose(&state_); }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  std::string search_domain() const {
    return ready_ && state_.dnsrch[0] != nullptr ? std::string(state_.dnsrch[0]) : std::string();
  }

  Result<DnsAnswer> ask(const std::string& name, int type) {
    if (!ready_) return fail(DiscoveryError::daemon_unavailable, "the host's resolver does not work");
    if (options_.give_up && options_.give_up()) return fail(DiscoveryError::nothing_found, "asked to give up");
    Bytes octets(NS_MAXMSG);
    const int size = res_nquery(&state_, name.c_str(), ns_c_in, type, octets.data(), static_cast<int>(octets.size()));
    if (size >= 0) return read_dns_answer(ByteView(octets).first(std::min<std::size_t>(octets.size(), size)));
    if (state_.res_h_errno == HOST_NOT_FOUND || state_.res_h_errno == NO_DATA)
      return fail(DiscoveryError::nothing_found, "DNS has nothing at " + name);
    return fail(DiscoveryError::daemon_unavailable, "no DNS server answers for " + name);
  }

 private:
  const DnsOptions& options_;
  struct __res_state state_{};
  bool ready_ = false;
};

// Everywhere one instance may be reached.
void add_instance(Resolver& resolver, const std::string& instance, std::vector<Service>& found) {
  const auto servers = resolver.ask(instance, ns_t_srv);
  if (!servers) return;
  const auto texts = resolver.ask(instance, ns_t_txt);
  for (const ServerRecord& server : servers->servers) {
    for (const int type : {int{ns_t_a}, int{ns_t_aaaa}}) {
      if (server.target.empty() || found.size() >= max_services) return;
      const auto addresses = resolver.ask(server.target, type);
      if (!addresses) continue;
      for (const std::string& address : addresses->addresses) {
        Service service{first_label(instance), server.target, address, server.port, {}, {}};
        if (texts) service.txt = texts->texts;
        auto sound = admit_service(std::move(service));
        if (sound && found.size() < max_services && std::ranges::find(found, *sound) == found.end())
          found.push_back(*std::move(sound));
      }
    }
  }
}

}  // namespace

Result<std::vector<Service>> browse_domain(std::string_view service_type, const DnsOptions& options) {
  Resolver resolver(options);
  const std::string domain = options.domain.empty() ? resolver.search_domain() : options.domain;
  if (!is_service_type(service_type) || domain.empty() || domain.size() > 253)
    return fail(DiscoveryError::bad_argument, "no domain to look in for " + std::string(service_type));
  CAHN_TRY(const DnsAnswer instances, resolver.ask(std::string(service_type) + "." + domain, ns_t_ptr));
  std::vector<Service> found;
  for (const std::string& instance : instances.pointers) add_instance(resolver, instance, found);
  if (found.empty())
    return fail(DiscoveryError::nothing_found, "no usable " + std::string(service_type) + " in " + domain);
  return found;
}

}  // namespace cahn::discovery
