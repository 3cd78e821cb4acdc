#include <gtest/gtest.h>

#include "crypto/asn1.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

bool is_der_hex(std::string_view text) { return is_der(test::must(hex_decode(text))); }

TEST(Der, IsReadElementByElement) {
  const Bytes octets = test::must(hex_decode("02012a0400"));
  DerReader reader(octets);
  EXPECT_FALSE(reader.next(tag::octet_string)) << "the next one is an INTEGER";
  const auto integer = reader.next(tag::integer);
  ASSERT_TRUE(integer);
  EXPECT_EQ(to_bytes(integer->content), Bytes{42});
  EXPECT_TRUE(reader.next(tag::octet_string));
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.next());
}

TEST(Der, TakesLongAndShortLengths) {
  EXPECT_TRUE(is_der_hex("3000"));
  EXPECT_TRUE(is_der(test::must(hex_decode("048180" + std::string(256, '0')))));
}

TEST(Der, RefusesLengthsThatAreNotMinimal) {
  EXPECT_FALSE(is_der_hex("048101ff"));
  EXPECT_FALSE(is_der(test::must(hex_decode("04820080" + std::string(256, '0')))));
}

TEST(Der, RefusesIndefiniteLengths) { EXPECT_FALSE(is_der_hex("30800000")); }
TEST(Der, RefusesEndOfContentsOctets) { EXPECT_FALSE(is_der_hex("30020000")); }
TEST(Der, RefusesConstructedStrings) { EXPECT_FALSE(is_der_hex("2403040100")); }
TEST(Der, RefusesWhatEndsEarlyOrLate) {
  EXPECT_FALSE(is_der_hex(""));
  EXPECT_FALSE(is_der_hex("30"));
  EXPECT_FALSE(is_der_hex("3001"));
  EXPECT_FALSE(is_der_hex("30000000"));
  EXPECT_FALSE(is_der_hex("3084ffffffff00"));
}

TEST(Der, RefusesTagsOfSeveralOctets) { EXPECT_FALSE(is_der_hex("1f8100")); }

TEST(Der, RefusesToGoDeeperThan32Levels) {
  Bytes nested{0x30, 0x00};
  for (int i = 0; i < 31; ++i) nested.insert(nested.begin(), {0x30, static_cast<std::uint8_t>(nested.size())});
  EXPECT_TRUE(is_der(nested));
  nested.insert(nested.begin(), {0x30, static_cast<std::uint8_t>(nested.size())});
  EXPECT_FALSE(is_der(nested));
}

}  // namespace
}  // namespace cahn::crypto
