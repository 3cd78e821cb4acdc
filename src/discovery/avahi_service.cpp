#include "discovery/avahi_service.h"

#include <avahi-common/address.h>
#include <avahi-common/strlst.h>
#include <net/if.h>

#include "discovery/found_service.h"

namespace cahn::discovery {
namespace {

bool is_link_local(const AvahiAddress& address) {
  const auto* const octets = address.data.ipv6.address;
  return address.proto == AVAHI_PROTO_INET6 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
}

}  // namespace

std::optional<Service> service_from_avahi(AvahiIfIndex interface, const char* name, const char* host,
                                          const AvahiAddress& address, std::uint16_t port, AvahiStringList* txt) {
  Service service;
  service.instance = name;
  service.host = host;
  service.port = port;
  char text[AVAHI_ADDRESS_STR_MAX] = {};
  avahi_address_snprint(text, sizeof text, &address);
  service.address = text;
  char interface_name[IF_NAMESIZE] = {};
  if (interface > 0 && ::if_indextoname(static_cast<unsigned>(interface), interface_name) != nullptr)
    service.interface = interface_name;
  if (is_link_local(address) && !service.interface.empty()) service.address += "%" + service.interface;
  for (const AvahiStringList* entry = txt; entry != nullptr && service.txt.size() <= max_txt_entries;
       entry = entry->next)
    service.txt.emplace_back(reinterpret_cast<const char*>(entry->text), entry->size);
  return admit_service(std::move(service));
}

}  // namespace cahn::discovery
