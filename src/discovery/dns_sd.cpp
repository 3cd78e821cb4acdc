#include "discovery/dns_sd.h"

namespace cahn::discovery {

std::string_view error_name(DiscoveryError error) {
  switch (error) {
    case DiscoveryError::daemon_unavailable:
      return "daemon_unavailable";
    case DiscoveryError::name_collision:
      return "name_collision";
    case DiscoveryError::nothing_found:
      return "nothing_found";
    case DiscoveryError::bad_argument:
      return "bad_argument";
    case DiscoveryError::malformed:
      return "malformed";
    case DiscoveryError::not_a_flood:
      return "not_a_flood";
    case DiscoveryError::no_socket:
      return "no_socket";
  }
  return "unknown";
}

}  // namespace cahn::discovery
