// eddsa-jcs-2022, with the test vectors of W3C Data Integrity EdDSA Cryptosuites v1.0, appendix B.2 (Representation:
// eddsa-jcs-2022).

#include "credential/proof.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cahn::credential {
namespace {

using nlohmann::json;

// secretKeyMultibase z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq, without its codec 8026.
constexpr std::string_view w3c_seed = "c96ef9ea10c5e414c471723aff9de72c35fa5b70fae97e8832ecac7d2e2b8ed6";
constexpr std::string_view w3c_did = "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2";
constexpr std::string_view w3c_hash_data =
    "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db"
    "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19";
constexpr std::string_view w3c_proof_value =
    "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX";

class AProof : public testing::Test {
 protected:
  static json w3c_document() {
    return {{"@context", {"https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"}},
            {"id", "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"},
            {"type", {"VerifiableCredential", "AlumniCredential"}},
            {"name", "Alumni Credential"},
            {"description", "A minimum viable example of an Alumni Credential."},
            {"issuer", "https://vc.example/issuers/5678"},
            {"validFrom", "2023-01-01T00:00:00Z"},
            {"credentialSubject", {{"id", "did:example:abcdefgh"}, {"alumniOf", "The School of Examples"}}}};
  }

  json w3c_signed() const { return add_proof(w3c_document(), *key_, method_, created_).value(); }

  // A proof with another option, and the signature that belongs to it.
  json signed_with(const char* option, const json& value) const {
    auto document = w3c_signed();
    json& proof = document["proof"];
    proof.erase("proofValue");
    proof[option] = value;
    const auto signature = key_->sign(hash_data(w3c_document(), proof)).value();
    proof["proofValue"] = "z" + base58btc(signature);
    return document;
  }

  // The refusal's name, empty when the proof holds.
  std::string refusal(const json& document) const {
    const auto checked = check_proof(document, key_->public_key(), method_);
    return checked ? "" : std::string(checked.error().code.name());
  }

  crypto::PrivateKeyPtr key_ = crypto::ed25519_from_seed(hex_decode(w3c_seed).value()).value();
  std::string method_ = verification_method(w3c_did);
  Time created_ = parse_rfc3339("2023-02-24T23:36:38Z").value();
};

TEST_F(AProof, HashesAsTheSpecificationDoes) {
  EXPECT_EQ(did_key(key_->public_key()), w3c_did);
  json options = w3c_signed()["proof"];
  options.erase("proofValue");
  EXPECT_EQ(hex(hash_data(w3c_document(), options)), w3c_hash_data);
}

TEST_F(AProof, IsTheOneOfTheSpecificationToTheLetter) {
  EXPECT_EQ(w3c_signed()["proof"], json({{"type", "DataIntegrityProof"},
                                         {"cryptosuite", "eddsa-jcs-2022"},
                                         {"created", "2023-02-24T23:36:38Z"},
                                         {"verificationMethod", method_},
                                         {"proofPurpose", "assertionMethod"},
                                         {"@context", w3c_document()["@context"]},
                                         {"proofValue", w3c_proof_value}}));
}

TEST_F(AProof, OfTheSpecificationHolds) { EXPECT_EQ(refusal(w3c_signed()), ""); }

TEST_F(AProof, HoldsAloneInAnArray) {
  auto document = w3c_signed();
  document["proof"] = json::array({document["proof"]});
  EXPECT_EQ(refusal(document), "");
}

TEST_F(AProof, BreaksWithAnyChangeOfTheDocument) {
  const auto original = w3c_signed();
  for (const char* path :
       {"/id", "/name", "/issuer", "/validFrom", "/credentialSubject/id", "/credentialSubject/alumniOf", "/type/1"}) {
    auto document = original;
    document[json::json_pointer(path)] = "changed";
    EXPECT_EQ(refusal(document), "bad_proof") << path;
  }
  auto added = original;
  added["validUntil"] = "2033-01-01T00:00:00Z";
  EXPECT_EQ(refusal(added), "bad_proof");
  auto removed = original;
  removed.erase("description");
  EXPECT_EQ(refusal(removed), "bad_proof");
}

TEST_F(AProof, BreaksWithAnyChangeOfItsOwnOptions) {
  const auto original = w3c_signed();
  auto document = original;
  document["proof"]["created"] = "2023-02-24T23:36:39Z";
  EXPECT_EQ(refusal(document), "bad_proof");
  document = original;
  document["proof"].erase("created");
  EXPECT_EQ(refusal(document), "bad_proof");
  document = original;
  document["proof"]["nonce"] = "x";
  EXPECT_EQ(refusal(document), "bad_proof");
  document = original;
  document["proof"].erase("@context");
  EXPECT_EQ(refusal(document), "bad_proof");
}

TEST_F(AProof, HoldsUnderContextsAppendedToTheDocumentOnly) {  // 3.3.2: the proof's @context is what was signed
  const auto original = w3c_signed();
  auto document = original;
  document["@context"].push_back("https://example.org/more");
  EXPECT_EQ(refusal(document), "");
  document = original;
  document["@context"].insert(document["@context"].begin(), "https://example.org/more");
  EXPECT_EQ(refusal(document), "bad_proof");
  document = original;
  document["@context"].erase(1);
  EXPECT_EQ(refusal(document), "bad_proof");
  document = original;
  document["@context"] = "https://www.w3.org/ns/credentials/v2";
  EXPECT_EQ(refusal(document), "bad_proof");
  document = original;
  document.erase("@context");
  EXPECT_EQ(refusal(document), "bad_proof");
}

TEST_F(AProof, OfAnotherSuiteIsRefusedByName) {
  for (const auto& [suite, says] : {std::pair{"eddsa-rdfc-2022", "eddsa-rdfc-2022 needs RDF"},
                                    {"ecdsa-rdfc-2019", "ecdsa-rdfc-2019 needs RDF"},
                                    {"ecdsa-jcs-2019", "'ecdsa-jcs-2019' is not supported"},
                                    {"", "'' is not supported"}}) {
    auto document = w3c_signed();
    document["proof"]["cryptosuite"] = suite;
    const auto checked = check_proof(document, key_->public_key(), method_);
    ASSERT_FALSE(checked) << suite;
    EXPECT_EQ(checked.error().code, CredentialError::unsupported_proof) << suite;
    EXPECT_NE(checked.error().message.find(says), std::string::npos) << checked.error().message;
  }
  auto document = w3c_signed();
  document["proof"]["cryptosuite"] = "\x1b[2J\u202e" + std::string(1000, 'x');  // nothing a terminal would obey
  EXPECT_EQ(check_proof(document, key_->public_key(), method_).error().message.substr(0, 26),
            "cryptosuite '?[2J???xxxxxx");
  document["proof"]["type"] = "Ed25519Signature2020";
  EXPECT_EQ(refusal(document), "unsupported_proof");
  document["proof"]["type"] = 7;
  EXPECT_EQ(refusal(document), "unsupported_proof");
}

TEST_F(AProof, WithConditionsThatWeDoNotEnforceIsRefusedEvenIfTheyAreSigned) {
  for (const char* member : {"expires", "domain", "challenge", "previousProof", "anything"}) {
    EXPECT_EQ(refusal(signed_with(member, "x")), "unsupported_proof") << member;
  }
}

TEST_F(AProof, MayCarryAnIdAndANonce) {
  EXPECT_EQ(refusal(signed_with("nonce", "x")), "");
  EXPECT_EQ(refusal(signed_with("id", "urn:example:proof")), "");
}

TEST_F(AProof, ThatIsMissingOrNotExactlyOneIsRefused) {
  EXPECT_EQ(refusal(w3c_document()), "missing_proof");
  const auto original = w3c_signed();
  auto document = original;
  for (const auto& proof : {json(nullptr), json("proof"), json::array(), json::array({1}),
                            json::array({original["proof"], original["proof"]}),
                            json::array({original["proof"], {{"type", "DataIntegrityProof"}}})}) {
    document["proof"] = proof;
    EXPECT_EQ(refusal(document), "unsupported_proof") << proof.dump();
  }
}

TEST_F(AProof, UnderAnotherVerificationMethodIsRefused) {
  for (const char* method : {"did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2", "", "did:key:z6MkX#z6MkX",
                             "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2#key-1"}) {
    auto document = w3c_signed();
    document["proof"]["verificationMethod"] = method;
    EXPECT_EQ(refusal(document), "wrong_verification_method") << method;
  }
}

TEST_F(AProof, ForAnotherPurposeIsRefusedEvenIfItIsSigned) {
  EXPECT_EQ(refusal(signed_with("proofPurpose", "assertionMethod")), "");
  EXPECT_EQ(refusal(signed_with("proofPurpose", "authentication")), "bad_proof");
}

TEST_F(AProof, WithASignatureThatIsNotBase58OfSixtyFourOctetsIsRefused) {
  const std::string good(w3c_proof_value);
  for (const auto& value :
       {json(""), json("z"), json(good.substr(1)), json(good.substr(0, good.size() - 1)), json(good + "1"),
        json("z1" + good.substr(1)), json("zI" + good.substr(2)), json("z" + std::string(100'000, '2')),
        json("u" + base64url(base58btc_decode(good.substr(1)).value())), json(7), json(nullptr), json(good + " ")}) {
    auto document = w3c_signed();
    document["proof"]["proofValue"] = value;
    EXPECT_EQ(refusal(document), "bad_proof") << value.dump().substr(0, 100);
  }
}

// RFC 8032 5.1.7: S must be below the group order L, or S + L would be a second signature of the same statement.
TEST_F(AProof, WithAMalleatedSignatureIsRefused) {
  const auto order = hex_decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").value();
  auto signature = base58btc_decode(w3c_proof_value.substr(1)).value();
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    carry += signature[32 + i] + order[i];
    signature[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0U);
  auto document = w3c_signed();
  document["proof"]["proofValue"] = "z" + base58btc(signature);
  EXPECT_EQ(refusal(document), "bad_proof");
}

TEST_F(AProof, WithADateThatIsNoneIsRefusedEvenIfItIsSigned) {
  EXPECT_EQ(refusal(signed_with("created", "2023-02-24T23:36:38Z")), "");
  for (const auto& date : {json("yesterday"), json("2023-02-24"), json(7), json(nullptr)}) {
    EXPECT_EQ(refusal(signed_with("created", date)), "bad_proof") << date;
  }
}

TEST_F(AProof, IsNotMadeByAnotherKindOfKeyNorOverAProof) {
  const auto p256 = crypto::generate_key(crypto::KeyType::p256).value();
  const auto made = add_proof(w3c_document(), *p256, "x", created_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, CredentialError::unsupported_proof);
  EXPECT_FALSE(add_proof(w3c_signed(), *key_, method_, created_));
  EXPECT_FALSE(add_proof(json::array(), *key_, method_, created_));
}

}  // namespace
}  // namespace cahn::credential
