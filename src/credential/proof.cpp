#include "credential/proof.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "credential/printable.h"
#include "crypto/digest.h"

namespace cahn::credential {

namespace {

using nlohmann::json;

constexpr std::string_view cryptosuite = "eddsa-jcs-2022";
constexpr std::size_t signature_size = 64;

// A proof's member as text, empty when it is absent or something else.
std::string_view text_of(const json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? std::string_view(found->get_ref<const std::string&>()) : "";
}

// VC Data Integrity 2.1 lets a proof carry conditions. What we do not enforce we do not accept.
Result<void> check_members(const json& proof) {
  constexpr std::array<std::string_view, 9> known{"@context",   "id",           "type",  "cryptosuite",       "created",
                                                  "proofValue", "proofPurpose", "nonce", "verificationMethod"};
  for (const auto& [name, value] : proof.items()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return fail(CredentialError::unsupported_proof, "the proof has a member that is not supported: " + printable(name));
  }
  return {};
}

Result<void> check_suite(const json& proof) {
  if (text_of(proof, "type") != "DataIntegrityProof") {
    return fail(CredentialError::unsupported_proof, "the proof is not a DataIntegrityProof");
  }
  const auto suite = text_of(proof, "cryptosuite");
  if (suite == cryptosuite) return {};
  const auto shown = printable(suite);
  if (suite.find("-rdfc-") != std::string_view::npos) {
    return fail(CredentialError::unsupported_proof, "cryptosuite " + shown + " needs RDF canonicalization");
  }
  return fail(CredentialError::unsupported_proof, "cryptosuite '" + shown + "' is not supported");
}

// 3.3.2 Verify Proof: the document's contexts begin with the proof's.
Result<void> check_contexts(const json& document, const json& proof) {
  const auto signed_context = proof.find("@context");
  if (signed_context == proof.end()) return {};
  const auto listed = [](const json& context) { return context.is_array() ? context : json::array({context}); };
  const json ours = listed(document.value("@context", json::array()));
  const json theirs = listed(*signed_context);
  if (theirs.size() <= ours.size() && std::equal(theirs.begin(), theirs.end(), ours.begin())) return {};
  return fail(CredentialError::bad_proof, "the document's @context does not begin with the proof's");
}

Result<Bytes> signature_of(const json& proof) {
  const auto value = text_of(proof, "proofValue");
  if (!value.starts_with('z')) return fail(CredentialError::bad_proof, "proofValue is not in base58btc (z…)");
  const auto signature = base58btc_decode(value.substr(1), signature_size);
  if (!signature || signature->size() != signature_size) {
    return fail(CredentialError::bad_proof, "proofValue is not 64 octets in base58btc");
  }
  return *signature;
}

Result<json> only_proof(const json& document) {
  const auto proof = document.find("proof");
  if (proof == document.end()) return fail(CredentialError::missing_proof, "there is no proof");
  if (proof->is_object()) return *proof;
  // With several proofs anyone could add one, and make another document of the same statement.
  if (proof->is_array() && proof->size() == 1 && proof->front().is_object()) return proof->front();
  return fail(CredentialError::unsupported_proof, "there is not exactly one proof");
}

}  // namespace

Bytes hash_data(const nlohmann::json& document, const nlohmann::json& options) {
  const auto options_hash = crypto::sha256(as_bytes(canonical(options)));
  const auto document_hash = crypto::sha256(as_bytes(canonical(document)));
  Bytes out(options_hash.begin(), options_hash.end());
  out.insert(out.end(), document_hash.begin(), document_hash.end());
  return out;
}

Result<nlohmann::json> add_proof(const nlohmann::json& document, const crypto::PrivateKey& key,
                                 std::string_view verification_method, Time created) {
  if (key.public_key().algorithm() != "ed25519") {
    return fail(CredentialError::unsupported_proof, "only an Ed25519 key can make an eddsa-jcs-2022 proof");
  }
  if (!document.is_object() || document.contains("proof")) {
    return fail(CredentialError::bad_proof, "the document has a proof already");
  }
  json proof = {{"type", "DataIntegrityProof"},
                {"cryptosuite", cryptosuite},
                {"created", rfc3339(created)},
                {"verificationMethod", verification_method},
                {"proofPurpose", "assertionMethod"}};
  if (document.contains("@context")) proof["@context"] = document["@context"];
  CAHN_TRY(const auto signature, key.sign(hash_data(document, proof)));
  proof["proofValue"] = "z" + base58btc(signature);
  json out = document;
  out["proof"] = std::move(proof);
  return out;
}

Result<void> check_proof(const nlohmann::json& document, const crypto::PublicKey& key,
                         std::string_view verification_method) {
  CAHN_TRY(json options, only_proof(document));
  CAHN_CHECK(check_suite(options));
  CAHN_CHECK(check_members(options));
  if (text_of(options, "verificationMethod") != verification_method) {
    return fail(CredentialError::wrong_verification_method, "the proof's verificationMethod is not the issuer's key");
  }
  if (text_of(options, "proofPurpose") != "assertionMethod") {
    return fail(CredentialError::bad_proof, "the proof's purpose is not assertionMethod");
  }
  if (options.contains("created") && !parse_rfc3339(text_of(options, "created"))) {
    return fail(CredentialError::bad_proof, "the proof's created is not a date and time");
  }
  CAHN_CHECK(check_contexts(document, options));
  CAHN_TRY(const auto signature, signature_of(options));
  if (key.algorithm() != "ed25519") {
    return fail(CredentialError::unsupported_proof, "an eddsa-jcs-2022 proof needs an Ed25519 key");
  }
  options.erase("proofValue");
  json unsecured = document;
  unsecured.erase("proof");
  if (options.contains("@context")) unsecured["@context"] = options["@context"];
  if (!key.verify(hash_data(unsecured, options), signature)) {
    return fail(CredentialError::bad_proof, "the signature does not hold");
  }
  return {};
}

}  // namespace cahn::credential
