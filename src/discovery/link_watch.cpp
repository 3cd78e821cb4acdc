#include "discovery/link_watch.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace cahn::discovery {
namespace {

struct FreeAddresses {
  void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

bool is_usable(const ifaddrs& entry, const std::vector<std::string>& named) {
  constexpr unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
  if ((entry.ifa_flags & wanted) != wanted || (entry.ifa_flags & IFF_LOOPBACK) != 0) return false;
  return named.empty() || std::ranges::find(named, entry.ifa_name) != named.end();
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::vector<LinkInterface> usable_interfaces(const std::vector<std::string>& named) {
  std::vector<LinkInterface> interfaces;
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return interfaces;
  const std::unique_ptr<ifaddrs, FreeAddresses> list(raw);
  for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
    if (!is_usable(*entry, named)) continue;
    auto known = std::ranges::find(interfaces, entry->ifa_name, &LinkInterface::name);
    if (known == interfaces.end()) {
      interfaces.push_back({.index = ::if_nametoindex(entry->ifa_name), .name = entry->ifa_name});
      known = std::prev(interfaces.end());
    }
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_in6 address;
    std::memcpy(&address, entry->ifa_addr, sizeof address);
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &address.sin6_addr, octets.size());
    (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr) ? known->link_local : known->wide).push_back(octets);
  }
  std::erase_if(interfaces, [](const LinkInterface& interface) { return interface.index == 0; });
  return interfaces;
}

Result<LinkWatch> LinkWatch::open() {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_IFADDR;
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(DiscoveryError::no_socket, std::string("rtnetlink: ") + std::strerror(errno));
  return LinkWatch(std::move(socket));
}

LinkWatch::News LinkWatch::take() {
  News news;
  alignas(nlmsghdr) char buffer[16384];
  for (;;) {
    const auto size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0) {
      if (errno == ENOBUFS) news.anything = true;  // some were lost: look at everything
      if (errno == EINTR || errno == ENOBUFS) continue;
      return news;
    }
    auto left = static_cast<unsigned>(size);
    for (auto* header = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left))
      take_message(header, news);
  }
}

void LinkWatch::take_message(const void* raw, News& news) {
  const auto* const header = static_cast<const nlmsghdr*>(raw);
  news.anything = true;
  if (header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) return;
  if (header->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return;
  ifinfomsg link;
  std::memcpy(&link, NLMSG_DATA(header), sizeof link);
  const bool running = header->nlmsg_type == RTM_NEWLINK && (link.ifi_flags & IFF_RUNNING) != 0;
  const auto known = std::ranges::find(running_, link.ifi_index, &std::pair<int, bool>::first);
  const bool was_running = known != running_.end() && known->second;
  if (known != running_.end())
    known->second = running;
  else
    running_.emplace_back(link.ifi_index, running);
  char name[IF_NAMESIZE] = {};
  if (running && !was_running && ::if_indextoname(static_cast<unsigned>(link.ifi_index), name) != nullptr)
    news.up.emplace_back(name);
}

}  // namespace cahn::discovery
