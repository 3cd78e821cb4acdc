#include "assurance/error.h"

namespace cahn::assurance {

std::string_view error_name(AssuranceError e) {
  switch (e) {
    case AssuranceError::malformed:
      return "malformed";
    case AssuranceError::unexpected:
      return "unexpected";
    case AssuranceError::no_certificate:
      return "no_certificate";
    case AssuranceError::wrong_owner:
      return "wrong_owner";
    case AssuranceError::wrong_key:
      return "wrong_key";
    case AssuranceError::bad_credential:
      return "bad_credential";
    case AssuranceError::not_an_owner:
      return "not_an_owner";
    case AssuranceError::not_a_command:
      return "not_a_command";
    case AssuranceError::wrong_commander:
      return "wrong_commander";
    case AssuranceError::stale:
      return "stale";
    case AssuranceError::refused_by_peer:
      return "refused_by_peer";
    case AssuranceError::unavailable:
      return "unavailable";
  }
  return "unknown";
}

}  // namespace cahn::assurance
