#include "credential/credential.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cahn::credential {
namespace {

using nlohmann::json;
using std::chrono::seconds;

const std::string camera = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";

class ACredential : public testing::Test {
 protected:
  NewCredential trust() const {
    return {.statement = {"Trust", {"mailto:ann@example.org", camera}},
            .valid_from = start_,
            .valid_until = start_ + seconds(3600),
            .id = "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
            .more = nullptr};
  }
  json unsigned_document() const { return build(trust(), ann_did_).value(); }
  // What a change of the unsigned document makes of it once it is signed again: only the form can be at fault.
  std::string refusal(const std::function<void(json&)>& change) const {
    auto document = unsigned_document();
    change(document);
    const auto parsed = Credential::parse(document.dump());
    return parsed ? "" : std::string(parsed.error().code.name());
  }

  crypto::PrivateKeyPtr ann_ = crypto::ed25519_from_seed(Bytes(32, 1)).value();
  crypto::PrivateKeyPtr mallory_ = crypto::ed25519_from_seed(Bytes(32, 9)).value();
  std::string ann_did_ = did_key(ann_->public_key());
  Time start_ = parse_rfc3339("2026-03-01T12:00:00Z").value();
};

TEST_F(ACredential, SaysWhatWasStatedAndByWhom) {
  const auto text = issue(trust(), *ann_);
  ASSERT_TRUE(text) << text.error().message;
  const auto credential = Credential::parse(*text);
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_EQ(credential->statement(), trust().statement);
  EXPECT_EQ(credential->issuer(), ann_did_);
  EXPECT_EQ(credential->id(), "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33");
  EXPECT_EQ(credential->valid_from(), start_);
  EXPECT_EQ(credential->valid_until(), start_ + seconds(3600));
  EXPECT_TRUE(verify_proof(*credential));
}

TEST_F(ACredential, LooksAsTheDataModelWants) {
  EXPECT_EQ(unsigned_document(), json::parse(R"({"@context":["https://www.w3.org/ns/credentials/v2",
                "https://www.w3.org/ns/credentials/undefined-terms/v2"],
              "id":"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33","type":["VerifiableCredential","Trust"],
              "issuer":")" + ann_did_ + R"(","validFrom":"2026-03-01T12:00:00Z","validUntil":"2026-03-01T13:00:00Z",
              "credentialSubject":{"id":"mailto:ann@example.org","trusts":")" +
                                             camera + R"("}})"));
}

TEST_F(ACredential, GetsAnIdOfItsOwnIfNoneIsGiven) {
  auto wanted = trust();
  wanted.id.clear();
  const auto first = build(wanted, ann_did_).value(), second = build(wanted, ann_did_).value();
  EXPECT_TRUE(first["id"].get<std::string>().starts_with("urn:uuid:"));
  EXPECT_NE(first["id"], second["id"]);
}

TEST_F(ACredential, KeepsFractionsOfASecondInItsValidity) {
  auto wanted = trust();
  wanted.valid_from += std::chrono::microseconds(5);
  const auto credential = Credential::parse(issue(wanted, *ann_).value());
  ASSERT_TRUE(credential);
  EXPECT_EQ(credential->valid_from(), wanted.valid_from);
}

TEST_F(ACredential, CarriesFurtherMembersButNoneInPlaceOfAnArgument) {
  auto wanted = trust();
  wanted.statement = {"DeviceRevokeCommand", {camera, ann_did_}};
  wanted.more = std::make_shared<const json>(json{{"segment", "quarantine"}, {"sequence", 7}});
  const auto credential = Credential::parse(issue(wanted, *ann_).value());
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_TRUE(verify_proof(*credential));
  EXPECT_EQ(credential->statement(), wanted.statement);
  EXPECT_EQ(credential->document()["credentialSubject"]["sequence"], 7);

  wanted.more = std::make_shared<const json>(json{{"registrar", camera}});
  EXPECT_FALSE(build(wanted, ann_did_));
  wanted.more = std::make_shared<const json>(json::array({1}));
  EXPECT_FALSE(build(wanted, ann_did_));
}

TEST_F(ACredential, OfAnUnknownRelationOrUnfitArgumentsIsNotMade) {
  auto wanted = trust();
  wanted.statement.relation = "Revoke";
  EXPECT_EQ(build(wanted, ann_did_).error().code, CredentialError::bad_relation);
  wanted = trust();
  wanted.statement.arguments.pop_back();
  EXPECT_EQ(build(wanted, ann_did_).error().code, CredentialError::bad_relation);
}

TEST_F(ACredential, ThatNoReaderWouldTakeIsNotMade) {
  auto wanted = trust();
  wanted.statement = {"OwnerDeclaration", {camera, "camera \xff"}};
  EXPECT_EQ(issue(wanted, *ann_).error().code, CredentialError::bad_relation);
  wanted = trust();
  wanted.id = "urn:a b";
  EXPECT_EQ(issue(wanted, *ann_).error().code, CredentialError::not_a_credential);
  wanted = trust();
  wanted.more = std::make_shared<const json>(json{{"note", "\xff"}});
  EXPECT_EQ(issue(wanted, *ann_).error().code, CredentialError::not_json);
  wanted.more = std::make_shared<const json>(json{{"count", (std::uint64_t{1} << 53) + 1}});
  EXPECT_EQ(issue(wanted, *ann_).error().code, CredentialError::bad_number);  // it would be signed as 2^53
}

TEST_F(ACredential, StatesEveryRelationWithAndWithoutItsOptionalArgument) {
  const std::vector<Statement> statements = {{"Purchase", {camera, "mailto:ann@example.org"}},
                                             {"Purchase", {camera, "mailto:ann@example.org", "Camera 3"}},
                                             {"OwnerDeclaration", {camera, "urn:example:camera"}},
                                             {"ManufacturerKey", {camera, ann_did_, "sbom"}},
                                             {"KeyBinding", {"mailto:ann@example.org", ann_did_}},
                                             {"UserRight", {"mailto:ann@example.org", "grant-rights"}},
                                             {"Retraction", {std::string(64, '0')}},
                                             {"DeviceTrustCommand", {camera, ann_did_}}};
  for (const auto& statement : statements) {
    auto wanted = trust();
    wanted.statement = statement;
    const auto credential = Credential::parse(issue(wanted, *ann_).value());
    ASSERT_TRUE(credential) << credential.error().message;
    EXPECT_EQ(credential->statement(), statement);
  }
}

TEST_F(ACredential, IsKnownByTheHashOfItsCanonicalFormHoweverItIsWritten) {
  const auto text = issue(trust(), *ann_).value();
  const auto credential = Credential::parse(text).value();
  EXPECT_EQ(credential.content_hash().size(), 64U);
  const auto indented = Credential::parse(json::parse(text).dump(4)).value();
  EXPECT_EQ(indented.content_hash(), credential.content_hash());
  EXPECT_EQ(indented.statement_hash(), credential.statement_hash());
}

TEST_F(ACredential, SignedTwiceIsOneStatementInTwoDocuments) {
  const auto document = unsigned_document();
  const auto first = Credential::parse(sign(document, *ann_, start_).value()).value();
  const auto second = Credential::parse(sign(document, *ann_, start_ + seconds(1)).value()).value();
  EXPECT_NE(first.content_hash(), second.content_hash());
  EXPECT_EQ(first.statement_hash(), second.statement_hash());
  EXPECT_EQ(first.statement_hash(), Credential::parse(document.dump()).value().content_hash());
}

TEST_F(ACredential, SignedBySomeoneElseThanItsIssuerIsRefused) {
  EXPECT_EQ(sign(unsigned_document(), *mallory_, start_).error().code, CredentialError::wrong_verification_method);

  // Mallory signs well, under her own name, what says it is Ann's.
  auto forged = json::parse(sign(build(trust(), did_key(mallory_->public_key())).value(), *mallory_, start_).value());
  forged["issuer"] = ann_did_;
  const auto credential = Credential::parse(forged.dump()).value();
  EXPECT_EQ(verify_proof(credential).error().code, CredentialError::wrong_verification_method);

  // And under Ann's name.
  forged["proof"]["verificationMethod"] = verification_method(ann_did_);
  EXPECT_EQ(verify_proof(Credential::parse(forged.dump()).value()).error().code, CredentialError::bad_proof);
}

TEST_F(ACredential, MayNameItsIssuerInAnObject) {
  auto document = unsigned_document();
  document["issuer"] = {{"id", ann_did_}, {"name", "Ann"}};
  const auto credential = Credential::parse(sign(document, *ann_, start_).value());
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_EQ(credential->issuer(), ann_did_);
  EXPECT_TRUE(verify_proof(*credential));
}

TEST_F(ACredential, OfAKeyThatSignsNoCredentialsIsRefused) {
  auto document = json::parse(issue(trust(), *ann_).value());
  document["issuer"] = camera;
  document["proof"]["verificationMethod"] = verification_method(camera);
  EXPECT_EQ(verify_proof(Credential::parse(document.dump()).value()).error().code, CredentialError::unsupported_proof);
}

TEST_F(ACredential, WithoutProofHasAFormButNoProof) {
  const auto credential = Credential::parse(unsigned_document().dump()).value();
  EXPECT_EQ(verify_proof(credential).error().code, CredentialError::missing_proof);
}

TEST_F(ACredential, WithoutTheContextsUnderWhichItsTermsMeanWhatTheySayIsRefused) {
  EXPECT_EQ(refusal([](json& d) { d.erase("@context"); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"] = d["@context"][0]; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"] = json::array(); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"].erase(0); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"][0] = "https://www.w3.org/2018/credentials/v1"; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"].push_back("https://mallory.example/trusts-means-distrusts"); }),
            "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"][1] = {{"trusts", "https://mallory.example/distrusts"}}; }),
            "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["@context"].erase(1); }), "");
}

TEST_F(ACredential, ThatIsNotOfExactlyOneKnownRelationIsRefused) {
  EXPECT_EQ(refusal([](json& d) { d.erase("type"); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["type"] = "Trust"; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["type"] = {"VerifiableCredential"}; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["type"] = {"Trust", "Distrust"}; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["type"] = {"VerifiableCredential", 7}; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["type"].push_back("Distrust"); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["type"][1] = "AlumniCredential"; }), "bad_relation");
  EXPECT_EQ(refusal([](json& d) { d["type"][1] = "InferredClaim"; }), "bad_relation");
  EXPECT_EQ(refusal([](json& d) { d["type"] = {"VerifiableCredential", "VerifiableCredential"}; }), "bad_relation");
  EXPECT_EQ(refusal([](json& d) { d["type"] = {"Trust", "VerifiableCredential"}; }), "");
}

TEST_F(ACredential, WhoseSubjectDoesNotFitItsRelationIsRefused) {
  EXPECT_EQ(refusal([](json& d) { d.erase("credentialSubject"); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["credentialSubject"] = json::array({d["credentialSubject"]}); }),
            "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["credentialSubject"].erase("trusts"); }), "bad_relation");
  EXPECT_EQ(refusal([](json& d) { d["credentialSubject"]["trusts"] = {camera}; }), "bad_relation");
  EXPECT_EQ(refusal([](json& d) { d["credentialSubject"]["trusts"] = "mailto:ann@example.org"; }), "bad_relation");
  EXPECT_EQ(refusal([](json& d) { d["credentialSubject"]["id"] = "mailto:ann@example.org?subject=x"; }),
            "bad_relation");
}

TEST_F(ACredential, WithoutAnIssuerThatIsAKeyIsRefused) {
  EXPECT_EQ(refusal([](json& d) { d.erase("issuer"); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["issuer"] = 7; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["issuer"] = {{"name", "Ann"}}; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["issuer"] = {{"id", {{"id", "x"}}}}; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["issuer"] = "mailto:ann@example.org"; }), "bad_did");
  EXPECT_EQ(refusal([](json& d) { d["issuer"] = "did:web:example.org"; }), "unsupported_did");
}

TEST_F(ACredential, WithDatesThatAreNoneOrContradictIsRefused) {
  for (const auto& date : {json("2026-03-01"), json("2026-03-01T12:00:00"), json("2026-02-30T12:00:00Z"), json(1),
                           json(""), json(nullptr)}) {
    EXPECT_EQ(refusal([&](json& d) { d["validFrom"] = date; }), "not_a_credential") << date;
    EXPECT_EQ(refusal([&](json& d) { d["validUntil"] = date; }), "not_a_credential") << date;
  }
  EXPECT_EQ(refusal([](json& d) { d["validUntil"] = "2026-03-01T11:59:59Z"; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["validFrom"] = "2026-03-01T13:30:00+01:00"; }), "");
}

TEST_F(ACredential, WithMembersThatMustNotBePassedOverIsRefused) {
  EXPECT_EQ(refusal([](json& d) { d["expirationDate"] = "2020-01-01T00:00:00Z"; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["issuanceDate"] = "2020-01-01T00:00:00Z"; }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["credentialStatus"] = json::object(); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["termsOfUse"] = json::object(); }), "not_a_credential");
  EXPECT_EQ(refusal([](json& d) { d["description"] = "for people"; }), "");
}

TEST_F(ACredential, WithAnIdThatIsNoUrlIsRefused) {
  for (const auto& id :
       {json(7), json(""), json("x"), json("urn:a b"), json("urn:\n"), json("urn:" + std::string(600, 'a'))}) {
    EXPECT_EQ(refusal([&](json& d) { d["id"] = id; }), "not_a_credential") << id;
  }
  EXPECT_EQ(refusal([](json& d) { d.erase("id"); }), "");
}

TEST_F(ACredential, IsReadFromNothingButStrictJson) {
  const auto text = issue(trust(), *ann_).value();
  EXPECT_EQ(Credential::parse("[" + text + "]").error().code, CredentialError::not_a_credential);
  EXPECT_EQ(Credential::parse("\xef\xbb\xbf" + text).error().code, CredentialError::not_json);
  EXPECT_EQ(Credential::parse(text + text).error().code, CredentialError::not_json);
  // The second issuer would win in a parser that takes the last, the first in one that takes the first.
  auto doubled = text;
  doubled.insert(1, R"("issuer":"did:key:z6Mkmallory",)");
  EXPECT_EQ(Credential::parse(doubled).error().code, CredentialError::duplicate_member);
  EXPECT_EQ(Credential::parse(text, {.max_size = 100}).error().code, CredentialError::too_large);
}

TEST_F(ACredential, IsValidFromItsStartUntilItsEnd) {
  const auto credential = Credential::parse(issue(trust(), *ann_).value()).value();
  EXPECT_TRUE(check_validity(credential, start_));
  EXPECT_TRUE(check_validity(credential, start_ + seconds(3599)));
  EXPECT_EQ(check_validity(credential, start_ + seconds(3600)).error().code, CredentialError::expired);
  EXPECT_TRUE(check_validity(credential, start_ - seconds(60)));
  EXPECT_EQ(check_validity(credential, start_ - seconds(61)).error().code, CredentialError::not_yet_valid);
  EXPECT_EQ(check_validity(credential, start_ - seconds(1), seconds(0)).error().code, CredentialError::not_yet_valid);
}

}  // namespace
}  // namespace cahn::credential
