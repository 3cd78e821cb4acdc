// The door for what mDNS answers say. Anyone on the link can say anything; a Service has only bounded, printable parts.

#pragma once

#include <cstddef>
#include <optional>

#include "discovery/dns_sd.h"

namespace cahn::discovery {

inline constexpr std::size_t max_txt_entries = 32;
inline constexpr std::size_t max_txt_entry = 255;  // RFC 6763 6.1
inline constexpr std::size_t max_instance = 63;    // RFC 6763 4.1.1
inline constexpr std::size_t max_services = 64;    // of one look; the rest is noise or an attack

// nullopt: not usable (bad host or address, port 0, an instance with control characters). TXT entries that are too
// long, too many or not printable are left out; RFC 6763 6.4 has clients ignore what they do not understand.
std::optional<Service> admit_service(Service);

// Whether "_name._tcp" or "_name._udp" is what RFC 6335 5.1 allows.
bool is_service_type(std::string_view);

}  // namespace cahn::discovery
