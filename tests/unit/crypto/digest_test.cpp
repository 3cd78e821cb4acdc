#include "crypto/digest.h"

#include <gtest/gtest.h>

namespace cahn::crypto {
namespace {

// FIPS 180-4, the one-block example.
TEST(Digest, Sha256OfAbcIsThatOfTheStandard) {
  EXPECT_EQ(hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, Sha256OfNothingIsThatOfTheStandard) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, Sha384OfAbcIsThatOfTheStandard) {
  EXPECT_EQ(hex(sha384(as_bytes("abc"))),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
}

// RFC 4231 4.3.
TEST(Digest, HmacSha256IsThatOfRfc4231) {
  EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, HmacWithAnEmptyKeyDoesNotReuseTheLastOne) {
  const Bytes expected = hmac_sha256({}, as_bytes("message"));
  hmac_sha256(as_bytes("another key"), as_bytes("message"));
  EXPECT_EQ(hmac_sha256({}, as_bytes("message")), expected);
}

}  // namespace
}  // namespace cahn::crypto
