// From what avahi resolved to a Service that may be used.

#pragma once

#include <avahi-client/lookup.h>

#include <optional>

#include "discovery/dns_sd.h"

namespace cahn::discovery {

// nullopt: not usable (found_service.h).
std::optional<Service> service_from_avahi(AvahiIfIndex interface, const char* name, const char* host,
                                          const AvahiAddress& address, std::uint16_t port, AvahiStringList* txt);

}  // namespace cahn::discovery
