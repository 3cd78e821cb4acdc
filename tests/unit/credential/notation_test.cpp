#include "credential/notation.h"

#include <gtest/gtest.h>

namespace cahn::credential {
namespace {

const std::string device = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";
const std::string signer = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
const std::string ann_mail = "mailto:ann@example.org";

Expression read(std::string_view text) {
  const auto expression = parse_notation(text);
  if (expression) return *expression;
  ADD_FAILURE() << text << ": " << expression.error().message;
  return {};
}

bool is_refused(std::string_view text) {
  const auto expression = parse_notation(text);
  return !expression && expression.error().code == CredentialError::bad_notation;
}

TEST(TheNotation, IsReadInItsFullAndItsShortForm) {
  const Statement statement{"Trust", {ann_mail, device}};
  for (const auto& text : {"{Trust(" + ann_mail + ", " + device + ")}[" + signer + "-]",
                           "{ Trust (" + ann_mail + "@, " + device + "+) } [" + signer + "-]",
                           "Trust(" + ann_mail + "," + device + ") : " + signer + "-",
                           "  Trust ( " + ann_mail + "@ ,\n" + device + "+ ):" + signer + "  "}) {
    const auto expression = read(text);
    EXPECT_EQ(expression.statement, statement) << text;
    EXPECT_EQ(expression.signer, signer) << text;
  }
}

TEST(TheNotation, NeedsNoSigner) {
  EXPECT_EQ(read("Trust(" + ann_mail + ", " + device + ")").signer, std::nullopt);
  EXPECT_EQ(read("{Trust(" + ann_mail + ", " + device + ")}").signer, std::nullopt);
}

TEST(TheNotation, IsWrittenWithAndWithoutMarks) {
  const Expression expression{{"Purchase", {device, ann_mail, "Camera 3"}}, signer};
  EXPECT_EQ(to_notation(expression), "Purchase(" + device + ", " + ann_mail + ", Camera 3) : " + signer + "-");
  EXPECT_EQ(to_notation(expression, true), "Purchase(" + device + "+, " + ann_mail + "@, Camera 3) : " + signer + "-");
  EXPECT_EQ(to_notation({{"Retraction", {"abc"}}, std::nullopt}), "Retraction(abc)");
}

TEST(TheNotation, QuotesWhatWouldBeReadOtherwise) {
  EXPECT_EQ(to_notation({{"OwnerDeclaration", {device, "Camera (outdoor), \"3\""}}, std::nullopt}),
            "OwnerDeclaration(" + device + ", \"Camera (outdoor), \\\"3\\\"\")");
}

TEST(TheNotation, ReadsBackWhateverItWrites) {
  for (const std::string argument : {"",
                                     " ",
                                     " a",
                                     "a ",
                                     "a b",
                                     "a,b",
                                     "a)b",
                                     "(",
                                     "}",
                                     "]",
                                     "\"",
                                     "\\",
                                     "a\\",
                                     "c++",
                                     "c+",
                                     "x@",
                                     "x-",
                                     "a\nb",
                                     "a\tb",
                                     "\x01",
                                     "ünï 😀",
                                     "https://example.org/a?b=(c,d)",
                                     "urn:example:c++",
                                     ":",
                                     "a : b",
                                     "did:key:z6Mk+",
                                     "mailto:a@b@",
                                     "\"quoted\"",
                                     "-",
                                     "+",
                                     "@"}) {
    for (const bool marks : {false, true}) {
      const Expression expression{{"Purchase", {argument, argument, argument}}, signer};
      const auto text = to_notation(expression, marks);
      const auto back = read(text);
      EXPECT_EQ(back.statement, expression.statement) << text;
      EXPECT_EQ(back.signer, expression.signer) << text;
    }
  }
}

TEST(TheNotation, RefusesAMarkThatContradictsWhatItMarks) {
  EXPECT_TRUE(is_refused("Trust(" + ann_mail + "+, " + device + ")"));
  EXPECT_TRUE(is_refused("Trust(" + ann_mail + ", " + device + "@)"));
  EXPECT_TRUE(is_refused("OwnerDeclaration(" + device + ", c++)"));
  EXPECT_TRUE(is_refused("Trust(" + ann_mail + "@@, " + device + ")"));
  EXPECT_TRUE(is_refused("Trust(" + ann_mail + ", " + device + "++)"));
  EXPECT_TRUE(is_refused("Trust(@, " + device + ")"));
}

TEST(TheNotation, RefusesWhatIsNotWellFormed) {
  for (const char* text : {"",
                           " ",
                           "Trust",
                           "Trust(",
                           "Trust()",
                           "Trust(a",
                           "Trust(a,",
                           "Trust(a,)",
                           "Trust(,a)",
                           "(a)",
                           "1(a)",
                           "Trust(a) x",
                           "Trust(a))",
                           "{Trust(a)",
                           "Trust(a)}",
                           "{Trust(a)}[",
                           "{Trust(a)}[]",
                           "{Trust(a)}[x",
                           "Trust(a)[x-]",
                           "{Trust(a)} : x-",
                           "Trust(a) :",
                           "Trust(a) : ",
                           "Trust(a) : x-]",
                           "Trust(a(b))",
                           "Trust(\"a)",
                           "Trust(\"a\"b)",
                           "Trust(\"\\q\")",
                           "Trust(\"\\",
                           "Trust(\"\\ud800\")",
                           "Trust(\"a\nb\")",
                           "Trust(a\"b)",
                           "Trust(a\x01)",
                           "Tr-ust(a)",
                           "Trust(a;b)x"}) {
    EXPECT_TRUE(is_refused(text)) << text;
  }
}

TEST(TheNotation, IsUtf8) {
  EXPECT_TRUE(is_refused("Trust(a\xff)"));
  EXPECT_TRUE(is_refused("Trust(a) : \xed\xa0\x80"));
}

TEST(TheNotation, IsBounded) {
  EXPECT_TRUE(is_refused("Trust(a,a,a,a,a,a,a,a,a)"));
  EXPECT_TRUE(is_refused("Trust(" + std::string(10'000, 'a') + ")"));
  EXPECT_TRUE(is_refused(std::string(65, 'T') + "(a)"));
}

}  // namespace
}  // namespace cahn::credential
