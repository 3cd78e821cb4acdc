#include "factory/error.h"

namespace cahn::factory {

std::string_view error_name(FactoryError error) {
  switch (error) {
    case FactoryError::bad_option:
      return "bad_option";
    case FactoryError::no_factory:
      return "no_factory";
    case FactoryError::exists:
      return "exists";
    case FactoryError::already_born:
      return "already_born";
    case FactoryError::bad_request:
      return "bad_request";
    case FactoryError::serial_taken:
      return "serial_taken";
    case FactoryError::key_taken:
      return "key_taken";
    case FactoryError::wrong_key:
      return "wrong_key";
    case FactoryError::not_writable:
      return "not_writable";
    case FactoryError::unavailable:
      return "unavailable";
  }
  return "unknown";
}

}  // namespace cahn::factory
