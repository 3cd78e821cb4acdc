// W3C Verifiable Credentials 2.0 that state one relation, signed with Data Integrity `eddsa-jcs-2022`.
//
// A Statement is what a credential says in the notation of L624-646: Relation(first, second, …) : signer-.
// `relations.h` says which relations there are and how their arguments stand in credentialSubject.
//
// Threads: values.

#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "credential/did.h"
#include "credential/json.h"

namespace cahn::credential {

struct Statement {
  std::string relation;                // "Trust", "Purchase", "KeyBinding", …: the credential type
  std::vector<std::string> arguments;  // URIs (mailto:, did:key:, urn:…) or plain text, in the notation's order
  friend bool operator==(const Statement&, const Statement&) = default;
};

// A credential whose form is right. Its proof has been checked only if it came from `verify`.
class Credential {
 public:
  // Form only: VC 2.0 members and types, dates, relation and arguments. `text` is kept as it is.
  static Result<Credential> parse(std::string_view text, JsonLimits = {});

  const std::string& id() const { return id_; }          // the credential's own id, may be empty
  const std::string& issuer() const { return issuer_; }  // did:key:…
  const Statement& statement() const { return statement_; }
  const std::optional<Time>& valid_from() const { return valid_from_; }
  const std::optional<Time>& valid_until() const { return valid_until_; }
  // SHA-256 of the JCS form with proof, lower-case hex (decision 42): the id of a claim.
  const std::string& content_hash() const { return content_hash_; }
  // The same without the proof: the identity of what is stated.
  const std::string& statement_hash() const { return statement_hash_; }
  const nlohmann::json& document() const { return *document_; }

 private:
  std::string id_, issuer_, content_hash_, statement_hash_;
  Statement statement_;
  std::optional<Time> valid_from_, valid_until_;
  std::shared_ptr<const nlohmann::json> document_;
};

struct NewCredential {
  Statement statement;
  Time valid_from;
  std::optional<Time> valid_until;
  std::string id;                              // empty: a fresh urn:uuid
  std::shared_ptr<const nlohmann::json> more;  // further members of credentialSubject, or null
};

// Builds the unsigned document. Errors: bad_relation; not_a_credential (an id that is no URL).
Result<nlohmann::json> build(const NewCredential&, std::string_view issuer_did);
// Adds an eddsa-jcs-2022 proof (purpose assertionMethod). `key` must be Ed25519; issuer must be its did:key.
// Returns the canonical form. Errors: unsupported_proof, wrong_verification_method, bad_proof (there is one already),
// and those of parse_json for a document that strict JSON cannot carry.
Result<std::string> sign(const nlohmann::json& document, const crypto::PrivateKey& key, Time created);
// build and sign in one.
Result<std::string> issue(const NewCredential&, const crypto::PrivateKey& key);
// Checks the proof against the issuer's key. Validity times are not looked at (they depend on who asks when).
Result<void> verify_proof(const Credential&);
// Within validFrom and validUntil at `now`, with `skew` of grace before validFrom.
Result<void> check_validity(const Credential&, Time now, std::chrono::seconds skew = std::chrono::seconds(60));

}  // namespace cahn::credential
