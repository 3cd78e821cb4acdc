#include "base/bytes.h"

#include <gtest/gtest.h>

#include <set>

namespace cahn {
namespace {

TEST(Base64, WritesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(as_bytes("")), "");
  EXPECT_EQ(base64(as_bytes("f")), "Zg==");
  EXPECT_EQ(base64(as_bytes("fo")), "Zm8=");
  EXPECT_EQ(base64(as_bytes("foo")), "Zm9v");
  EXPECT_EQ(base64(as_bytes("foobar")), "Zm9vYmFy");
}

TEST(Base64, ReadsWhatItWrites) {
  for (std::size_t size = 0; size < 100; ++size) {
    const Bytes bytes = random_bytes(size);
    EXPECT_EQ(base64_decode(base64(bytes)).value(), bytes);
    EXPECT_EQ(base64url_decode(base64url(bytes)).value(), bytes);
    EXPECT_EQ(base64_decode_lenient(base64(bytes)).value(), bytes);
  }
}

TEST(Base64, RefusesWhatIsNotExactlyBase64) {
  for (const auto* text :
       {"Zg=", "Zg", "Zg===", "Z===", "====", "Zm9v\n", "Zm 9v", "Zm-_", "Zg==Zg==", "Zm9\xff", "=Zg="}) {
    const auto decoded = base64_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, EncodingError::bad_base64);
  }
}

TEST(Base64, RefusesTrailingBitsThatWouldGiveOneValueTwoSpellings) {
  EXPECT_FALSE(base64_decode("Zh=="));
  EXPECT_FALSE(base64_decode("Zm9="));
  EXPECT_FALSE(base64url_decode("Zh"));
}

TEST(Base64, LenientReadsLineBreaksAndMissingPadding) {
  EXPECT_EQ(to_string(base64_decode_lenient("Zm9v\r\nYmE=\r\n").value()), "fooba");
  EXPECT_EQ(to_string(base64_decode_lenient(" Zm9vYmE").value()), "fooba");
  EXPECT_FALSE(base64_decode_lenient("Zg==Zg=="));
  EXPECT_FALSE(base64_decode_lenient("Zg=\n"));
  EXPECT_FALSE(base64_decode_lenient("Zm9v="));
  EXPECT_FALSE(base64_decode_lenient("Zm9v*"));
}

TEST(Base64url, HasNoPaddingAndItsOwnAlphabet) {
  EXPECT_EQ(base64url(Bytes{0xfb, 0xff}), "-_8");
  EXPECT_FALSE(base64url_decode("-_8="));
  EXPECT_FALSE(base64url_decode("+/8"));
}

TEST(Hex, ReadsEitherCaseAndNothingElse) {
  EXPECT_EQ(hex(Bytes{0x00, 0xAf}), "00af");
  EXPECT_EQ(hex_decode("00aF").value(), (Bytes{0x00, 0xaf}));
  for (const auto* text : {"0", "0g", "0x00", " 00", "00 "}) EXPECT_FALSE(hex_decode(text)) << text;
}

// draft-msporny-base58-03, section 5.
TEST(Base58, WritesTheVectorsOfTheDraft) {
  EXPECT_EQ(base58btc(as_bytes("Hello World!")), "2NEpo7TZRRrLZSi2U");
  EXPECT_EQ(base58btc(as_bytes("The quick brown fox jumps over the lazy dog.")),
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z");
  EXPECT_EQ(base58btc(Bytes{0x00, 0x00, 0x28, 0x7f, 0xb4, 0xcd}), "11233QC4");
}

TEST(Base58, ReadsWhatItWritesWithLeadingZeros) {
  for (std::size_t size = 0; size < 80; ++size) {
    Bytes bytes = random_bytes(size);
    if (size > 2) bytes[0] = bytes[1] = 0;
    EXPECT_EQ(base58btc_decode(base58btc(bytes)).value(), bytes);
  }
}

TEST(Base58, RefusesCharactersThatLookAlike) {
  for (const auto* text : {"0", "O", "I", "l", "1 ", "+"}) EXPECT_FALSE(base58btc_decode(text)) << text;
}

TEST(Base58, RefusesMoreThanItsBoundBeforeDoingTheWork) {
  EXPECT_FALSE(base58btc_decode(std::string(5'000'000, 'z')));
  EXPECT_FALSE(base58btc_decode(std::string(33, '1'), 32));
  EXPECT_TRUE(base58btc_decode(std::string(32, '1'), 32));
  EXPECT_TRUE(base58btc_decode(base58btc(Bytes(32, 0xff)), 32));
  EXPECT_FALSE(base58btc_decode(base58btc(Bytes(33, 0xff)), 32));
}

TEST(RandomBytes, DoNotRepeat) {
  std::set<Bytes> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(random_bytes(16)).second);
}

TEST(RandomUuid, HasVersionFourAndTheRightVariant) {
  for (int i = 0; i < 50; ++i) {
    const std::string uuid = random_uuid();
    ASSERT_EQ(uuid.size(), 36U);
    EXPECT_EQ(uuid[8], '-');
    EXPECT_EQ(uuid[13], '-');
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  }
}

TEST(ConstantTimeComparison, TellsEqualFromUnequal) {
  EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
  EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace cahn
