// The relations that credentials state: their names, their arguments, and where these stand in the credential.
//
//   Purchase(device+, person@, deviceType)
//     "type": ["VerifiableCredential", "Purchase"]
//     "credentialSubject": {"id": <device>, "person": <person>, "deviceType": <deviceType>}
//
// The first argument is what the credential is about and stands in `id` when it is a URI; the others stand under their
// names. Commands (decision 35) are relations too, so that they are made and signed alike; `command` tells them apart:
// a claim node refuses one as a fact, a router refuses all else.
//
// Threads: constants.

#pragma once

#include <span>
#include <string_view>

#include "credential/credential.h"

namespace cahn::credential {

enum class ArgumentKind {
  entity_key,   // entity+: a did:key
  entity_uri,   // entity@: a mailto: of one ASCII address, or another absolute URI that is no DID
  device_type,  // a URN or text of 1 to 256 octets, without control characters or blanks around it
  right,        // one of rights()
  role,         // one of manufacturer_roles()
  claim_id      // a content hash: 64 lower-case hex digits
};

struct ArgumentSpec {
  std::string_view member;  // its name in credentialSubject
  ArgumentKind kind;
  bool optional = false;  // only the last may be
};

struct RelationSpec {
  std::string_view type;  // the name in the notation and the credential's type
  std::span<const ArgumentSpec> arguments;
  bool command = false;
};

std::span<const RelationSpec> relations();
// Null when there is no such relation.
const RelationSpec* find_relation(std::string_view type);

// What a person may be entitled to by UserRight (decision 21):
//   trust-manufacturers   say which makers are welcome
//   connect-devices       trust single devices, or take ownership of them
//   grant-rights          give and take these rights
std::span<const std::string_view> rights();
// What a key may do in a manufacturer's name by ManufacturerKey (decision 33): "purchase", "sbom", "voucher", "mud".
std::span<const std::string_view> manufacturer_roles();

// Whether the relation is known and the arguments fit it. Errors: bad_relation; the message names the argument.
Result<void> check_statement(const Statement&);

}  // namespace cahn::credential
