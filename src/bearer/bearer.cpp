#include "bearer/bearer.h"

namespace cahn::bearer {

std::string_view error_name(BearerError error) {
  switch (error) {
    case BearerError::not_started:
      return "not_started";
    case BearerError::unavailable:
      return "unavailable";
    case BearerError::refused:
      return "refused";
    case BearerError::unknown_station:
      return "unknown_station";
    case BearerError::bad_configuration:
      return "bad_configuration";
  }
  return "unknown";
}

}  // namespace cahn::bearer
