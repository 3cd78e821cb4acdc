// Data Integrity proofs of the cryptosuite eddsa-jcs-2022 (W3C Data Integrity EdDSA Cryptosuites v1.0, 3.3) over any
// JSON object, whoever its issuer is. `credential.h` says whose proof a credential needs.
//
//   hash data = SHA-256(JCS(proof without proofValue)) || SHA-256(JCS(document without proof))
//   proofValue = 'z' base58btc(Ed25519(hash data))
//
// Threads: functions of their arguments.

#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/time.h"
#include "credential/json.h"

namespace cahn::credential {

// `document` must have no proof, `options` no proofValue.
Bytes hash_data(const nlohmann::json& document, const nlohmann::json& options);

// The document with a proof by `key` (Ed25519) that takes over the document's @context. Errors: unsupported_proof
// (another key type), bad_proof (there is a proof already), and those of the key.
Result<nlohmann::json> add_proof(const nlohmann::json& document, const crypto::PrivateKey& key,
                                 std::string_view verification_method, Time created);

// Checks the one proof of `document`, made by `key` under the name `verification_method` for assertionMethod.
// Errors: missing_proof, unsupported_proof, wrong_verification_method, bad_proof.
Result<void> check_proof(const nlohmann::json& document, const crypto::PublicKey& key,
                         std::string_view verification_method);

}  // namespace cahn::credential
