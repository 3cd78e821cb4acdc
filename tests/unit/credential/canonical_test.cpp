// RFC 8785, with the examples of its text and of its appendix B.

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>

#include "credential/json.h"

namespace cahn::credential {
namespace {

std::string canonical_text(std::string_view text) {
  const auto read = parse_json(text);
  return read ? canonical(*read) : std::string(read.error().code.name());
}

TEST(CanonicalForm, OfTheExampleInSection322) {
  EXPECT_EQ(canonical_text(R"({
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false] })"),
            R"({"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],)"
            R"("string":"€$\u000f\nA'B\"\\\\\"/"})");
}

TEST(CanonicalForm, SortsNamesByUtf16CodeUnits) {  // section 3.2.3
  EXPECT_EQ(canonical_text(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
      "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})"),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
            "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\","
            "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(CanonicalForm, SortsAShorterNameBeforeItsExtensions) {
  EXPECT_EQ(canonical_text(R"({"ab":1,"":2,"a":3,"a\u0000":4,"B":5})"), R"({"":2,"B":5,"a":3,"a\u0000":4,"ab":1})");
}

TEST(CanonicalForm, SortsPrivateUseAfterAstralCharactersAlsoInsideNames) {
  EXPECT_EQ(canonical_text("{\"x\uE000\":1,\"x\U00010000\":2,\"x\uD7FF\":3,\"x\U0010FFFF\":4,\"x\uFFFD\":5}"),
            "{\"x\uD7FF\":3,\"x\U00010000\":2,\"x\U0010FFFF\":4,\"x\uE000\":1,\"x\uFFFD\":5}");
}

TEST(CanonicalForm, EscapesOnlyWhatItMust) {
  EXPECT_EQ(canonical_text(R"("\b\t\n\f\r\u0000\u001F\u007f\/\"\\\u2028<>&")"),
            "\"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f/\\\"\\\\\u2028<>&\"");
}

TEST(CanonicalForm, HasNoBlanksAndKeepsTheOrderOfArrays) {
  EXPECT_EQ(canonical_text(" { \"b\" : [ ] , \"a\" : [ 2 , 1 , { } ] } "), R"({"a":[2,1,{}],"b":[]})");
}

TEST(CanonicalForm, WritesMinusZeroAsZero) { EXPECT_EQ(canonical_text("[-0,-0.0,0e5,-0E-7]"), "[0,0,0,0]"); }

TEST(CanonicalForm, WritesIntegersAsTheyAre) {
  EXPECT_EQ(canonical_text("[0,1,-1,4294967296,9007199254740991,-9007199254740991]"),
            "[0,1,-1,4294967296,9007199254740991,-9007199254740991]");
}

TEST(CanonicalForm, OfTheNumbersInAppendixB) {
  const std::pair<std::uint64_t, const char*> samples[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const auto& [bits, text] : samples) EXPECT_EQ(canonical(std::bit_cast<double>(bits)), text);
}

TEST(CanonicalForm, ReadsBackAsTheSameDoubleWhateverTheDouble) {
  std::mt19937_64 random(8785);
  for (int i = 0; i < 20'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const auto text = canonical(value);
    const auto read = parse_json(text);
    ASSERT_TRUE(read) << text << ": " << read.error().message;
    EXPECT_EQ(read->get<double>(), value) << text;
    EXPECT_EQ(canonical(*read), text);
  }
}

}  // namespace
}  // namespace cahn::credential
