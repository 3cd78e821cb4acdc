#include "credential/credential.h"

#include <nlohmann/json.hpp>

#include "credential/printable.h"
#include "credential/proof.h"
#include "credential/relations.h"
#include "crypto/digest.h"

namespace cahn::credential {

namespace {

using nlohmann::json;

constexpr std::string_view context_v2 = "https://www.w3.org/ns/credentials/v2";
constexpr std::string_view context_undefined_terms = "https://www.w3.org/ns/credentials/undefined-terms/v2";
constexpr std::string_view base_type = "VerifiableCredential";
constexpr std::size_t max_id = 512;

std::unexpected<Error> refuse(std::string message) {
  return fail(CredentialError::not_a_credential, std::move(message));
}

std::string hash_of(const json& document) { return hex(crypto::sha256(as_bytes(canonical(document)))); }

// VC 2.0, "Type-Specific Credential Processing": the contexts are just those under which our relations mean what they
// say.
Result<void> check_context(const json& document) {
  const auto context = document.find("@context");
  if (context == document.end() || !context->is_array() || context->empty() || context->front() != context_v2) {
    return refuse("@context does not begin with " + std::string(context_v2));
  }
  if (context->size() > 2 || (context->size() == 2 && context->back() != context_undefined_terms)) {
    return refuse("@context has more than the VC 2.0 contexts, which may give its terms another meaning");
  }
  return {};
}

// Members that would change what the credential says, and that we would otherwise pass over.
Result<void> check_no_unheeded_member(const json& document) {
  for (const char* member : {"issuanceDate", "expirationDate"}) {
    if (document.contains(member))
      return refuse(std::string(member) + " is of VC 1.1; VC 2.0 has validFrom, validUntil");
  }
  for (const char* member : {"credentialStatus", "termsOfUse"}) {
    if (document.contains(member)) return refuse(std::string(member) + " is not supported, so it cannot be ignored");
  }
  return {};
}

// "type": ["VerifiableCredential", <relation>], in either order.
Result<std::string> relation_of(const json& document) {
  const auto type = document.find("type");
  if (type == document.end() || !type->is_array() || type->size() != 2) {
    return refuse("type is not VerifiableCredential and one relation");
  }
  const auto& other = type->front() == base_type ? type->back() : type->front();
  if ((type->front() != base_type && type->back() != base_type) || !other.is_string()) {
    return refuse("type is not VerifiableCredential and one relation");
  }
  const auto& name = other.get_ref<const std::string&>();
  if (find_relation(name) == nullptr) {
    return fail(CredentialError::bad_relation, "there is no relation " + printable(name));
  }
  return name;
}

Result<std::string> issuer_of(const json& document) {
  const auto issuer = document.find("issuer");
  if (issuer == document.end()) return refuse("there is no issuer");
  const json& id = issuer->is_object() && issuer->contains("id") ? (*issuer)["id"] : *issuer;
  if (!id.is_string()) return refuse("issuer is neither a string nor an object with an id");
  const auto& did = id.get_ref<const std::string&>();
  if (const auto key = key_of_did(did); !key) return fail(key.error(), "issuer");
  return did;
}

Result<std::string> id_of(const json& document) {
  const auto id = document.find("id");
  if (id == document.end()) return std::string{};
  if (!id->is_string()) return refuse("id is not a string");
  const auto& text = id->get_ref<const std::string&>();
  if (text.size() > max_id || text.find(':') == std::string::npos) return refuse("id is not a URL");
  for (const char c : text) {
    if (c <= ' ' || c == '\x7f') return refuse("id is not a URL");  // char is signed: octets over 7F are refused too
  }
  return text;
}

Result<std::optional<Time>> time_of(const json& document, const char* member) {
  const auto found = document.find(member);
  if (found == document.end()) return std::nullopt;
  if (found->is_string()) {
    if (const auto time = parse_rfc3339(found->get_ref<const std::string&>())) return *time;
  }
  return refuse(std::string(member) + " is not a date and time with its offset");
}

Result<Statement> statement_of(const json& document) {
  Statement statement;
  CAHN_TRY(statement.relation, relation_of(document));
  const auto subject = document.find("credentialSubject");
  if (subject == document.end() || !subject->is_object()) return refuse("credentialSubject is not one object");
  for (const auto& argument : find_relation(statement.relation)->arguments) {
    const auto found = subject->find(argument.member);
    if (found == subject->end() && argument.optional) break;
    if (found == subject->end() || !found->is_string()) {
      return fail(CredentialError::bad_relation,
                  "credentialSubject of " + statement.relation + " has no text " + std::string(argument.member));
    }
    statement.arguments.push_back(found->get<std::string>());
  }
  CAHN_CHECK(check_statement(statement));
  return statement;
}

bool is_whole_second(Time time) { return time == std::chrono::floor<std::chrono::seconds>(time); }
std::string written(Time time) { return rfc3339(time, !is_whole_second(time)); }

}  // namespace

Result<Credential> Credential::parse(std::string_view text, JsonLimits limits) {
  CAHN_TRY(json document, parse_json(text, limits));
  if (!document.is_object()) return refuse("not a JSON object");
  CAHN_CHECK(check_context(document));
  CAHN_CHECK(check_no_unheeded_member(document));
  Credential credential;
  CAHN_TRY(credential.id_, id_of(document));
  CAHN_TRY(credential.issuer_, issuer_of(document));
  CAHN_TRY(credential.statement_, statement_of(document));
  CAHN_TRY(credential.valid_from_, time_of(document, "validFrom"));
  CAHN_TRY(credential.valid_until_, time_of(document, "validUntil"));
  if (credential.valid_from_ && credential.valid_until_ && *credential.valid_until_ < *credential.valid_from_) {
    return refuse("validUntil is before validFrom");
  }
  credential.content_hash_ = hash_of(document);
  json unsecured = document;
  unsecured.erase("proof");
  credential.statement_hash_ = hash_of(unsecured);
  credential.document_ = std::make_shared<const json>(std::move(document));
  return credential;
}

Result<nlohmann::json> build(const NewCredential& wanted, std::string_view issuer_did) {
  CAHN_CHECK(check_statement(wanted.statement));
  json subject = wanted.more ? *wanted.more : json::object();
  if (!subject.is_object()) return fail(CredentialError::bad_relation, "further members are not an object");
  const auto specs = find_relation(wanted.statement.relation)->arguments;
  for (const auto& spec : specs) {
    if (subject.contains(spec.member)) {
      return fail(CredentialError::bad_relation,
                  "a further member has an argument's name: " + std::string(spec.member));
    }
  }
  for (std::size_t i = 0; i < wanted.statement.arguments.size(); ++i) {
    subject[std::string(specs[i].member)] = wanted.statement.arguments[i];
  }
  json document = {{"@context", {context_v2, context_undefined_terms}},
                   {"id", wanted.id.empty() ? "urn:uuid:" + random_uuid() : wanted.id},
                   {"type", {base_type, wanted.statement.relation}},
                   {"issuer", issuer_did},
                   {"validFrom", written(wanted.valid_from)},
                   {"credentialSubject", std::move(subject)}};
  if (wanted.valid_until) document["validUntil"] = written(*wanted.valid_until);
  CAHN_CHECK(id_of(document));
  return document;
}

Result<std::string> sign(const nlohmann::json& document, const crypto::PrivateKey& key, Time created) {
  if (!document.is_object()) return refuse("not a JSON object");
  CAHN_TRY(const auto issuer, issuer_of(document));
  if (issuer != did_key(key.public_key())) {
    return fail(CredentialError::wrong_verification_method, "the issuer is not the did:key of the signing key");
  }
  CAHN_TRY(const auto signed_document, add_proof(document, key, verification_method(issuer), created));
  std::string text = canonical(signed_document);
  // What a caller put in that a reader would not take, or would take for something else, is found here and not there.
  CAHN_TRY(const auto read, parse_json(text));
  if (read != signed_document) {
    return fail(CredentialError::bad_number, "the document holds a number that a double does not");
  }
  return text;
}

Result<std::string> issue(const NewCredential& wanted, const crypto::PrivateKey& key) {
  CAHN_TRY(const auto document, build(wanted, did_key(key.public_key())));
  return sign(document, key, wanted.valid_from);
}

Result<void> verify_proof(const Credential& credential) {
  CAHN_TRY(const auto key, key_of_did(credential.issuer()));
  return check_proof(credential.document(), key, verification_method(credential.issuer()));
}

Result<void> check_validity(const Credential& credential, Time now, std::chrono::seconds skew) {
  const auto& from = credential.valid_from();
  const auto& until = credential.valid_until();
  if (from && now < *from - skew) return fail(CredentialError::not_yet_valid, "not valid before " + written(*from));
  if (until && now >= *until) return fail(CredentialError::expired, "expired at " + written(*until));
  return {};
}

}  // namespace cahn::credential
