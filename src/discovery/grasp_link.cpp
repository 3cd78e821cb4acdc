#include "discovery/grasp_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "discovery/link_watch.h"

namespace cahn::discovery::grasp {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto retry_pause = 1s;       // of a flood that could not be sent
constexpr auto longest_sleep = 30s;    // then everything is looked at again
constexpr int datagrams_at_once = 32;  // of one interface, before the others have their turn

std::unexpected<Error> no_socket(std::string_view what) {
  return fail(DiscoveryError::no_socket, std::string(what) + ": " + std::strerror(errno));
}

sockaddr_in6 socket_address(const Ipv6& address, std::uint16_t port, unsigned interface) {
  sockaddr_in6 made{};
  made.sin6_family = AF_INET6;
  made.sin6_port = htons(port);
  made.sin6_scope_id = interface;
  std::memcpy(&made.sin6_addr, address.data(), address.size());
  return made;
}

Ipv6 group() {
  Ipv6 address;
  ::inet_pton(AF_INET6, std::string(all_neighbors).c_str(), address.data());
  return address;
}

bool bind_to(int socket, const sockaddr_in6& address) {
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

template <typename T>
bool set(int socket, int option, const T& value) {
  return ::setsockopt(socket, IPPROTO_IPV6, option, &value, sizeof value) == 0;
}

// Bound to the group on one interface, so that nothing sent to another address or arriving elsewhere is seen.
Result<Descriptor> open_group_socket(unsigned interface, std::uint16_t port) {
  Descriptor socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return no_socket("UDP");
  // Another process of this host may listen too: a pledge beside a proxy.
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  ipv6_mreq membership{};
  const Ipv6 address = group();
  std::memcpy(&membership.ipv6mr_multiaddr, address.data(), address.size());
  membership.ipv6mr_interface = interface;
  if (!bind_to(socket.get(), socket_address(address, port, interface)) ||
      !set(socket.get(), IPV6_JOIN_GROUP, membership))
    return no_socket("listening to ff02::13");
  return socket;
}

// A thread that sleeps until a descriptor is ready, something changed on a link, a time has come, or it is to end.
class Worker {
 public:
  Result<void> open() {
    wake_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return no_socket("eventfd");
    CAHN_TRY(auto links, LinkWatch::open());
    links_.emplace(std::move(links));
    return {};
  }
  template <typename Body>
  void run(Body body) {
    thread_ = std::jthread([body](const std::stop_token& stop) {
      while (!stop.stop_requested()) body();
    });
  }
  void end() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
    thread_.join();
  }
  LinkWatch::News sleep(std::vector<pollfd>& others, SteadyClock::duration at_most) {
    std::vector<pollfd> all = {{wake_.get(), POLLIN, 0}, {links_->descriptor(), POLLIN, 0}};
    all.insert(all.end(), others.begin(), others.end());
    const auto ms =
        std::chrono::ceil<std::chrono::milliseconds>(std::clamp<SteadyClock::duration>(at_most, 0s, longest_sleep));
    ::poll(all.data(), all.size(), static_cast<int>(ms.count()));
    std::copy(all.begin() + 2, all.end(), others.begin());
    return links_->take();
  }

 private:
  Descriptor wake_;
  std::optional<LinkWatch> links_;
  std::jthread thread_;
};

class Listener final : public FloodListener {
 public:
  explicit Listener(ListenOptions options) : options_(std::move(options)) {}
  ~Listener() override { worker_.end(); }

  Result<void> begin() {
    CAHN_CHECK(worker_.open());
    follow_interfaces();
    worker_.run([this] { turn(); });
    return {};
  }

  std::vector<Heard> current() const override {
    const std::lock_guard lock(mutex_);
    return cache_.current(SteadyClock::now());
  }

 private:
  struct Socket {
    std::string name;
    Descriptor descriptor;
  };

  void turn() {
    std::vector<pollfd> sockets;
    std::vector<unsigned> indices;
    for (const auto& [index, socket] : sockets_) {
      sockets.push_back({socket.descriptor.get(), POLLIN, 0});
      indices.push_back(index);
    }
    const auto news = worker_.sleep(sockets, longest_sleep);
    for (std::size_t i = 0; i < sockets.size(); ++i)
      if (sockets[i].revents != 0) receive(indices[i], sockets_.at(indices[i]));
    if (news.anything) follow_interfaces();
    for (const std::string& name : news.up)
      if (options_.on_link_up) options_.on_link_up(name);
  }

  void follow_interfaces() {
    const auto interfaces = usable_interfaces(options_.interfaces);
    std::erase_if(sockets_, [&](const auto& entry) {
      return std::ranges::find(interfaces, entry.first, &LinkInterface::index) == interfaces.end();
    });
    for (const LinkInterface& interface : interfaces) {
      if (sockets_.contains(interface.index)) continue;
      auto socket = open_group_socket(interface.index, options_.port);
      if (socket)
        sockets_.emplace(interface.index, Socket{interface.name, *std::move(socket)});
      else
        log::debug("GRASP_NOT_LISTENING", "an interface cannot be listened to yet",
                   {{"interface", interface.name}, {"why", socket.error().message}});
    }
  }

  void receive(unsigned index, const Socket& socket) {
    for (int i = 0; i < datagrams_at_once; ++i) {
      std::uint8_t buffer[max_message + 1];  // one more, so that too long is seen
      sockaddr_in6 from{};
      socklen_t size = sizeof from;
      const auto count = ::recvfrom(socket.descriptor.get(), buffer, sizeof buffer, MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 0) return;
      if (size != sizeof from || from.sin6_family != AF_INET6) continue;
      if (from.sin6_scope_id != 0 && from.sin6_scope_id != index) continue;
      Arrival arrival;
      arrival.interface = socket.name;
      std::memcpy(arrival.source.data(), &from.sin6_addr, arrival.source.size());
      hear(ByteView(buffer, static_cast<std::size_t>(count)), arrival);
    }
  }

  void hear(ByteView datagram, const Arrival& arrival) {
    const auto flood = read_flood(datagram);
    if (!flood) {
      log::debug("GRASP_DISCARDED", "a GRASP message was discarded",
                 {{"from", address_text(arrival.source)}, {"why", flood.error().message}});
      return;
    }
    const auto places = places_in(*flood, arrival, options_.instance, options_.objective);
    bool news = false;
    {
      const std::lock_guard lock(mutex_);
      news = cache_.take(places, SteadyClock::now());
    }
    if (news && options_.on_news) options_.on_news();
  }

  const ListenOptions options_;
  std::map<unsigned, Socket> sockets_;  // by interface
  mutable std::mutex mutex_;            // guards cache_
  FloodCache cache_;
  Worker worker_;
};

class Announcer final : public FloodAnnouncement {
 public:
  explicit Announcer(AnnounceOptions options) : options_(std::move(options)) {}
  ~Announcer() override { worker_.end(); }

  Result<void> begin() {
    CAHN_CHECK(worker_.open());
    worker_.run([this] { turn(); });
    return {};
  }

 private:
  using Sender = std::pair<unsigned, Ipv6>;  // interface and address

  std::vector<Sender> senders() const {
    std::vector<Sender> all;
    for (const LinkInterface& interface : usable_interfaces(options_.interfaces)) {
      const bool widely = options_.objective == registrar_objective && !interface.wide.empty();
      for (const Ipv6& address : widely ? interface.wide : interface.link_local)
        all.emplace_back(interface.index, address);
    }
    return all;
  }

  void turn() {
    const auto now = SteadyClock::now();
    const auto there = senders();
    std::erase_if(next_, [&](const auto& entry) { return std::ranges::find(there, entry.first) == there.end(); });
    auto soonest = now + longest_sleep;
    for (const Sender& sender : there) {
      auto& next = next_[sender];
      if (next <= now) next = now + (flood(sender) ? options_.period : std::chrono::milliseconds(retry_pause));
      soonest = std::min(soonest, next);
    }
    std::vector<pollfd> none;
    worker_.sleep(none, soonest - SteadyClock::now());
  }

  // RFC 8990 2.8.11, with a session-id of its own.
  Bytes message(const Ipv6& address) const {
    Objective objective = options_.objective == registrar_objective ? registrar_announcement(address, options_.tcp_port)
                                                                    : proxy_announcement(address, options_.tcp_port);
    if (is_link_local(address)) objective.loop_count = 1;
    Flood flood{.initiator = to_string(ByteView(address)), .ttl_ms = announced_ttl_ms, .objectives = {objective}};
    const Bytes session = random_bytes(sizeof flood.session_id);
    std::memcpy(&flood.session_id, session.data(), session.size());
    return write_flood(flood);
  }

  bool flood(const Sender& sender) const {
    const auto& [interface, address] = sender;
    const Descriptor socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int hops = 255, index = static_cast<int>(interface);
    const unsigned scope = is_link_local(address) ? interface : 0;
    // An address that is not yet known to be unique cannot be bound: the next turn tries again.
    const bool ready = socket && set(socket.get(), IPV6_MULTICAST_HOPS, hops) &&
                       set(socket.get(), IPV6_MULTICAST_IF, index) &&
                       bind_to(socket.get(), socket_address(address, 0, scope));
    const Bytes octets = message(address);
    const auto to = socket_address(group(), options_.port, interface);
    const bool sent =
        ready && ::sendto(socket.get(), octets.data(), octets.size(), MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&to), sizeof to) == static_cast<ssize_t>(octets.size());
    const log::Field objective{"objective", options_.objective}, from{"address", address_text(address)};
    if (sent)
      log::debug("GRASP_FLOODED", "announced by GRASP", {objective, from});
    else
      log::debug("GRASP_NOT_FLOODED", "not announced by GRASP yet", {objective, from});
    return sent;
  }

  const AnnounceOptions options_;
  std::map<Sender, SteadyClock::time_point> next_;
  Worker worker_;
};

}  // namespace

Result<std::unique_ptr<FloodListener>> FloodListener::start(ListenOptions options) {
  auto listener = std::make_unique<Listener>(std::move(options));
  CAHN_CHECK(listener->begin());
  return listener;
}

Result<std::unique_ptr<FloodAnnouncement>> FloodAnnouncement::start(AnnounceOptions options) {
  if (options.tcp_port == 0 || options.period <= 0ms ||
      (options.objective != proxy_objective && options.objective != registrar_objective))
    return fail(DiscoveryError::bad_argument, "not an announcement that can be made: " + options.objective);
  auto announcer = std::make_unique<Announcer>(std::move(options));
  CAHN_CHECK(announcer->begin());
  return announcer;
}

}  // namespace cahn::discovery::grasp
