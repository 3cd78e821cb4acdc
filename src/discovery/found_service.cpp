#include "discovery/found_service.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace cahn::discovery {
namespace {

bool printable(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.front() != '-' && name.front() != '.' &&
         std::ranges::all_of(name,
                             [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; });
}

bool is_interface(std::string_view name) {
  return !name.empty() && name.size() <= 15 && printable(name) && name.find_first_of("%/ ") == std::string_view::npos;
}

// An address that a connection can be made to: unicast, a link-local one with its zone.
bool is_usable_address(const std::string& text) {
  const auto zone = text.find('%');
  const std::string bare = text.substr(0, zone);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const std::uint32_t host = ntohl(v4.s_addr);
    return host != 0 && host >> 28 != 0xe && host != 0xffffffff;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, bare.c_str(), &v6) != 1 || IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_MULTICAST(&v6))
    return false;
  if (zone == std::string::npos) return !IN6_IS_ADDR_LINKLOCAL(&v6);
  return IN6_IS_ADDR_LINKLOCAL(&v6) && is_interface(std::string_view(text).substr(zone + 1));
}

}  // namespace

std::optional<Service> admit_service(Service service) {
  if (service.port == 0 || !is_usable_address(service.address) || !is_host_name(service.host)) return std::nullopt;
  if (service.instance.empty() || service.instance.size() > max_instance || !printable(service.instance))
    return std::nullopt;
  if (!service.interface.empty() && !is_interface(service.interface)) return std::nullopt;
  std::erase_if(service.txt, [](const std::string& entry) {
    return entry.empty() || entry.size() > max_txt_entry || !printable(entry);
  });
  if (service.txt.size() > max_txt_entries) service.txt.resize(max_txt_entries);
  return service;
}

bool is_service_type(std::string_view type) {
  const auto dot = type.find('.');
  if (dot == std::string_view::npos || (type.substr(dot) != "._tcp" && type.substr(dot) != "._udp")) return false;
  const std::string_view name = type.substr(0, dot);
  return name.size() >= 2 && name.size() <= 16 && name.front() == '_' && name[1] != '-' && name.back() != '-' &&
         std::ranges::all_of(name.substr(1), [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
}

}  // namespace cahn::discovery
