#include "credential/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cahn::credential {
namespace {

// What is refused, and why; "" when it was read.
std::string json_refusal(std::string_view text, JsonLimits limits = {}) {
  const auto read = parse_json(text, limits);
  return read ? "" : std::string(read.error().code.name());
}

std::string nested(int depth, const std::string& open, const std::string& close) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

TEST(ReadingJson, KeepsEveryKindOfValue) {
  const auto read = parse_json(R"( {"a":[null,true,false,1,-2.5,"x"],"b":{}} )");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->dump(), R"({"a":[null,true,false,1,-2.5,"x"],"b":{}})");
}

TEST(ReadingJson, TakesAScalarAsADocument) {
  EXPECT_EQ(json_refusal("7"), "");
  EXPECT_EQ(json_refusal(R"("x")"), "");
}

TEST(ReadingJson, RefusesWhatIsNotJson) {
  for (const char* text :
       {"",    " ",        "{", "[1,]", "{\"a\":1,}", "{a:1}",   "'x'",   "nul",  "01",    "1.", ".5",       "+1",
        "NaN", "Infinity", "-", "\"",   "\"\t\"",     "\"\\x\"", "[1] 2", "{}{}", "/**/1", "1e", "\"\\u12\""}) {
    EXPECT_EQ(json_refusal(text), "not_json") << text;
  }
}

TEST(ReadingJson, RefusesNulOctetsAndWhatWouldHideBehindThem) {
  EXPECT_EQ(json_refusal(std::string_view("[1]\0", 4)), "not_json");
  EXPECT_EQ(json_refusal(std::string_view("[1]\0[2]", 7)), "not_json");
  EXPECT_EQ(json_refusal(std::string_view("\0", 1)), "not_json");
}

TEST(ReadingJson, RefusesAByteOrderMark) { EXPECT_EQ(json_refusal("\xef\xbb\xbf{}"), "not_json"); }

TEST(ReadingJson, RefusesTwoMembersOfOneNameAtAnyDepth) {
  EXPECT_EQ(json_refusal(R"({"a":1,"a":1})"), "duplicate_member");
  EXPECT_EQ(json_refusal(R"({"a":{"b":[{"issuer":"x","c":1,"issuer":"y"}]}})"), "duplicate_member");
  // The same name once it is unescaped.
  EXPECT_EQ(json_refusal(R"({"issuer":1,"\u0069ssuer":2})"), "duplicate_member");
}

TEST(ReadingJson, TakesOneNameInDifferentObjects) {
  EXPECT_EQ(json_refusal(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})"), "");
}

TEST(ReadingJson, BoundsTheDepth) {
  EXPECT_EQ(json_refusal(nested(32, "[", "]")), "");
  EXPECT_EQ(json_refusal(nested(33, "[", "]")), "too_deep");
  EXPECT_EQ(json_refusal(nested(31, "{\"a\":", "}").insert(31 * 5, "[]")), "");
  EXPECT_EQ(json_refusal(nested(32, "{\"a\":", "}").insert(32 * 5, "[]")), "too_deep");
  // A hundred thousand levels cost neither stack nor memory.
  EXPECT_EQ(json_refusal(std::string(100'000, '[')), "too_deep");
}

TEST(ReadingJson, BoundsTheSizeBeforeItReads) {
  EXPECT_EQ(json_refusal("[1234]", {.max_size = 6}), "");
  EXPECT_EQ(json_refusal("[12345]", {.max_size = 6}), "too_large");
  EXPECT_EQ(json_refusal(std::string(JsonLimits{}.max_size + 1, ' ')), "too_large");
}

TEST(ReadingJson, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(json_refusal("1e400"), "bad_number");
  EXPECT_EQ(json_refusal("[-1e400]"), "bad_number");
  EXPECT_EQ(json_refusal("1" + std::string(400, '0')), "bad_number");
}

TEST(ReadingJson, TakesIntegersUpToTwoToTheFiftyThird) {
  EXPECT_EQ(json_refusal("9007199254740991"), "");
  EXPECT_EQ(json_refusal("9007199254740992"), "");
  EXPECT_EQ(json_refusal("-9007199254740992"), "");
}

TEST(ReadingJson, RefusesIntegersThatCanonicalizationWouldChange) {
  EXPECT_EQ(json_refusal("9007199254740993"), "bad_number");
  EXPECT_EQ(json_refusal("-9007199254740993"), "bad_number");
  EXPECT_EQ(json_refusal("18446744073709551615"), "bad_number");
  // 2^64 is a double, but ECMAScript writes it 18446744073709552000.
  EXPECT_EQ(json_refusal("18446744073709551616"), "bad_number");
  EXPECT_EQ(json_refusal("123456789012345678901234567890"), "bad_number");
}

TEST(ReadingJson, TakesBackEveryIntegerThatItsCanonicalFormWrites) {
  EXPECT_EQ(json_refusal("18446744073709552000"), "");
  EXPECT_EQ(json_refusal("100000000000000000000"), "");
  EXPECT_EQ(json_refusal("999999999999999900000"), "");
}

TEST(ReadingJson, RefusesTextThatIsNotUtf8) {
  for (const char* text : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xe0\x80\xaf\"", "\"\xf4\x90\x80\x80\"", "\"\xc3\"",
                           "{\"\x80\":1}", "\"\xf8\x88\x80\x80\x80\""}) {
    EXPECT_EQ(json_refusal(text), "not_json");
  }
}

TEST(ReadingJson, RefusesLoneSurrogatesEscapedOrNot) {
  for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")", R"("\ud83dx")", R"({"\udead":1})",
                           "\"\xed\xa0\x80\"", "\"\xed\xb0\x80\""}) {
    EXPECT_EQ(json_refusal(text), "not_json") << text;
  }
  const auto pair = parse_json(R"("\ud83d\ude00")");
  ASSERT_TRUE(pair) << pair.error().message;
  EXPECT_EQ(pair->get<std::string>(), "😀");
}

}  // namespace
}  // namespace cahn::credential
