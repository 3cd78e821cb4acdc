// What can be wrong with a message, a credential or a peer of the command protocol.

#pragma once

#include <string_view>

namespace cahn::assurance {

enum class AssuranceError {
  malformed,        // not a message of the protocol, or over a limit of it
  unexpected,       // a message out of its turn
  no_certificate,   // the peer showed no key in TLS
  wrong_owner,      // the two ownership credentials are not of one person and one key
  wrong_key,        // a credential names another key than the one shown in TLS
  bad_credential,   // proof, validity or kind of an ownership credential
  not_an_owner,     // the person does not own this network
  not_a_command,    // a fact, or something else, where a command must be
  wrong_commander,  // signed by a key that may not command here, or in the name of another registrar
  stale,            // for another connection or another life of the registrar
  refused_by_peer,  // the other side said no; the message has its reason
  unavailable       // the store, the claim node or the peer is gone
};
std::string_view error_name(AssuranceError);

}  // namespace cahn::assurance
