#include "credential/relations.h"

#include <gtest/gtest.h>

#include <set>

#include "base/file.h"

namespace cahn::credential {
namespace {

const std::string key = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
const std::string other_key = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";
const std::string ann = "mailto:ann@example.org";

// The message of the refusal, empty when the statement fits.
std::string refusal(std::string relation, std::vector<std::string> arguments) {
  const auto checked = check_statement({std::move(relation), std::move(arguments)});
  if (checked) return "";
  EXPECT_EQ(checked.error().code, CredentialError::bad_relation);
  return checked.error().message;
}

TEST(Relations, TakeWhatTheyAreMadeFor) {
  EXPECT_EQ(refusal("Trust", {ann, key}), "");
  EXPECT_EQ(refusal("Distrust", {ann, key}), "");
  EXPECT_EQ(refusal("Purchase", {key, ann}), "");
  EXPECT_EQ(refusal("Purchase", {key, ann, "urn:example:camera"}), "");
  EXPECT_EQ(refusal("OwnerDeclaration", {key, "Caméra 3 (outdoor)"}), "");
  EXPECT_EQ(refusal("ManufacturerKey", {other_key, key, "purchase"}), "");
  EXPECT_EQ(refusal("KeyBinding", {ann, key}), "");
  EXPECT_EQ(refusal("UserRight", {ann, "trust-manufacturers"}), "");
  EXPECT_EQ(refusal("Retraction", {std::string(64, 'a')}), "");
  EXPECT_EQ(refusal("DeviceTrustCommand", {key, other_key}), "");
  EXPECT_EQ(refusal("DeviceRevokeCommand", {key, other_key}), "");
}

TEST(Relations, RefuseWhatIsNotInTheList) {
  for (const char* name : {"", "trust", "Revoke", "InferredClaim", "VerifiableCredential", "Trust "}) {
    EXPECT_NE(refusal(name, {ann, key}), "") << name;
  }
}

TEST(Relations, TellCommandsFromFacts) {
  for (const auto& relation : relations()) {
    EXPECT_EQ(relation.command, relation.type.ends_with("Command")) << relation.type;
  }
}

TEST(Relations, RefuseTooFewAndTooManyArguments) {
  EXPECT_NE(refusal("Trust", {}), "");
  EXPECT_NE(refusal("Trust", {ann}), "");
  EXPECT_NE(refusal("Trust", {ann, key, key}), "");
  EXPECT_NE(refusal("Purchase", {key}), "");
  EXPECT_NE(refusal("Purchase", {key, ann, "type", "more"}), "");
  EXPECT_NE(refusal("OwnerDeclaration", {key}), "");
}

TEST(Relations, NameTheArgumentThatDoesNotFit) {
  EXPECT_NE(refusal("Trust", {ann, ann}).find("argument 2 of Trust"), std::string::npos);
  EXPECT_NE(refusal("Trust", {key, key}).find("argument 1 of Trust"), std::string::npos);
}

TEST(Relations, RefuseAddressesThatCouldNameTwoPeopleOrNobody) {
  for (const char* person :
       {"ann@example.org", "mailto:", "mailto:ann", "mailto:@example.org", "mailto:ann@", "mailto:ann@a@b",
        "mailto:a b@c.d", "mailto:ann@example.org,bob@example.org", "mailto:ann@example.org?cc=bob@example.org",
        "mailto:ann@exa\nmple.org", "mailto:änn@example.org", "MAILTO:ann@example.org", "Mailto:ann@example.org",
        "mailto:ann@example.org\x7f", "mailto:ann@exam_ple.org", "mailto:.ann@example.org", "mailto:ann@example..org",
        "mailto:ann@example.org."}) {
    EXPECT_NE(refusal("Trust", {person, key}), "") << person;
  }
  EXPECT_NE(refusal("Trust", {"mailto:" + std::string(300, 'a') + "@b.c", key}), "");
}

TEST(Relations, TakeOtherUrisForAnEntityButNoKeys) {
  EXPECT_EQ(refusal("Trust", {"https://example.org/people/ann", key}), "");
  EXPECT_EQ(refusal("Trust", {"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33", key}), "");
  for (const char* uri :
       {"", ":", "x", "https:", "1x:y", "ht tp:x", "https://x/<y>", "https://x/\"", "did:web:example.org"}) {
    EXPECT_NE(refusal("Trust", {uri, key}), "") << uri;
  }
}

TEST(Relations, RefuseDeviceTypesThatShowAsSomethingElse) {
  for (const std::string type : {"", " camera", "camera ", "cam\tera", "cam\x7f", "cam\xc2\x85", "\u202Earemac",
                                 "a\u2066b", "\uFEFFcamera", "a\u2028b"}) {
    EXPECT_NE(refusal("OwnerDeclaration", {key, type}), "") << type;
  }
  // An overlong '/', a surrogate: not UTF-8.
  EXPECT_NE(refusal("OwnerDeclaration", {key, "cam\xe0\x80\xaf"}), "");
  EXPECT_NE(refusal("OwnerDeclaration", {key, "cam\xed\xa0\x80"}), "");
  EXPECT_NE(refusal("OwnerDeclaration", {key, std::string(257, 'x')}), "");
  EXPECT_EQ(refusal("OwnerDeclaration", {key, std::string(256, 'x')}), "");
}

TEST(Relations, KnowTheirRightsAndRoles) {
  for (const auto right : rights()) EXPECT_EQ(refusal("UserRight", {ann, std::string(right)}), "");
  for (const auto role : manufacturer_roles()) EXPECT_EQ(refusal("ManufacturerKey", {key, key, std::string(role)}), "");
  EXPECT_NE(refusal("UserRight", {ann, "root"}), "");
  EXPECT_NE(refusal("ManufacturerKey", {key, key, "Purchase"}), "");
}

TEST(Relations, RefuseClaimIdsThatAreNoHash) {
  EXPECT_NE(refusal("Retraction", {std::string(63, 'a')}), "");
  EXPECT_NE(refusal("Retraction", {std::string(64, 'A')}), "");
  EXPECT_NE(refusal("Retraction", {std::string(64, 'g')}), "");
}

TEST(Relations, HaveNamesThatNeverCollide) {
  for (const auto& relation : relations()) {
    std::set<std::string_view> members;
    for (const auto& argument : relation.arguments) {
      EXPECT_TRUE(members.insert(argument.member).second) << relation.type;
      EXPECT_TRUE(!argument.optional || &argument == &relation.arguments.back()) << relation.type;
    }
  }
}

// A row of the table in schemas/README.md: "| `Trust` | `id`@, `trusts`+ |".
std::string documented(const RelationSpec& relation) {
  std::string row = "| `" + std::string(relation.type) + "` |";
  std::string separator = " `";
  for (const auto& argument : relation.arguments) {
    row += separator + std::string(argument.member) + "`";
    if (argument.kind == ArgumentKind::entity_key) row += "+";
    if (argument.kind == ArgumentKind::entity_uri) row += "@";
    if (argument.optional) row += "?";
    separator = ", `";
  }
  return row + " |";
}

TEST(Relations, AreTheOnesThatAreDocumented) {
  const auto readme = to_string(read_file("schemas/README.md").value());
  std::size_t rows = 0;
  for (auto at = readme.find("\n| `"); at != std::string::npos; at = readme.find("\n| `", at + 1)) ++rows;
  EXPECT_EQ(rows, relations().size());
  for (const auto& relation : relations())
    EXPECT_NE(readme.find(documented(relation)), std::string::npos) << documented(relation);
  for (const auto right : rights()) EXPECT_NE(readme.find("`" + std::string(right) + "`"), std::string::npos) << right;
  for (const auto role : manufacturer_roles())
    EXPECT_NE(readme.find("`" + std::string(role) + "`"), std::string::npos) << role;
}

}  // namespace
}  // namespace cahn::credential
