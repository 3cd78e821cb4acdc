// did:key identifiers (W3C CCG did:key 0.9): multibase base58btc of a multicodec key.
//
// `device+`, `manufacturer+`, `registrar+`, `router+` of the notation are did:key of the X.509 party's key (decision
// 64).

#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/key.h"

namespace cahn::credential {

enum class CredentialError {
  not_json,
  too_large,
  too_deep,
  duplicate_member,
  bad_number,  // JSON and JCS
  bad_did,
  unsupported_did,
  not_a_credential,  // lacks or contradicts what VC 2.0 demands; the message names the member
  bad_relation,      // unknown relation, or arguments that do not fit it
  missing_proof,
  unsupported_proof,
  bad_proof,
  wrong_verification_method,
  not_yet_valid,
  expired,
  bad_notation
};
std::string_view error_name(CredentialError);

// Ed25519, P-256, P-384 and RSA keys.
std::string did_key(const crypto::PublicKey&);
// Errors: bad_did, unsupported_did. Only the canonical encoding of a key is accepted.
Result<crypto::PublicKey> key_of_did(std::string_view did);
// "did:key:z6Mk…#z6Mk…", the verification method of a did:key.
std::string verification_method(std::string_view did);

}  // namespace cahn::credential
