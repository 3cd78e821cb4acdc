// did:key, with the examples of the method's specification (W3C CCG did:key 0.9, appendix of test vectors).

#include "credential/did.h"

#include <gtest/gtest.h>

namespace cahn::credential {
namespace {

constexpr std::string_view ed25519_did = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
constexpr std::string_view p256_did = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169";
constexpr std::string_view p384_did = "did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9";
constexpr std::string_view p521_did =
    "did:key:z2J9gaYxrKVpdoG9A4gRnmpnRCcxU6agDtFVVBVdn1JedouoZN7SzcyREXXzWgt3gGiwpoHq7K68X4m32D8HgzG8wv3sY5j7";
constexpr std::string_view rsa_did =
    "did:key:"
    "z4MXj1wBzi9jUstyPMS4jQqB6KdJaiatPkAtVtGc6bQEQEEsKTic4G7Rou3iBf9vPmT5dbkm9qsZsuVNjq8HCuW1w24nhBFGkRE4cd2Uf2tfr"
    "B3N7h4mnyPp1BF3ZttHTYv3DLUPi1zMdkULiow3M1GfXkoC6DoxDUm1jmN6GBj22SjVsr6dxezRVQc7aj9TxE7JLbMH1wh5X3kA58H3DFW8rnYMakF"
    "Gbca5"
    "CB2Jf6CnGQZmL7o5uJAdTwXfy2iiiyPxXEGerMhHwhjTA1mKYobyk2CpeEcmvynADfNZ5MBvcCS7m3XkFCMNUYBS9NQ3fze6vMSUPsNa6GVYmKx2x6"
    "JrdEjC"
    "k3qRMMmyjnjCMfR4pXbRMZa3i";

std::string did_refusal(std::string_view did) {
  const auto key = key_of_did(did);
  return key ? "" : std::string(key.error().code.name());
}

std::string did_of(Bytes multikey) { return "did:key:z" + base58btc(multikey); }

Bytes multikey_of(std::string_view did) { return base58btc_decode(did.substr(9), 2048).value(); }

TEST(DidKey, NamesTheKeysOfTheSpecification) {
  for (const auto& [did, algorithm] :
       {std::pair{ed25519_did, "ed25519"}, {p256_did, "p256"}, {p384_did, "p384"}, {rsa_did, "rsa"}}) {
    const auto key = key_of_did(did);
    ASSERT_TRUE(key) << did << ": " << key.error().message;
    EXPECT_EQ(key->algorithm(), algorithm);
    EXPECT_EQ(did_key(*key), did);
  }
}

TEST(DidKey, NamesEveryKindOfKeyWeMake) {
  using enum crypto::KeyType;
  for (const auto type : {ed25519, p256, p384, rsa2048, rsa3072}) {
    const auto key = crypto::generate_key(type);
    ASSERT_TRUE(key) << key.error().message;
    const auto did = did_key((*key)->public_key());
    const auto back = key_of_did(did);
    ASSERT_TRUE(back) << did << ": " << back.error().message;
    EXPECT_EQ(*back, (*key)->public_key());
  }
}

TEST(DidKey, OfTheFirstKeyOfRfc8032) {
  const auto seed = hex_decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").value();
  const auto key = crypto::ed25519_from_seed(seed);
  ASSERT_TRUE(key) << key.error().message;
  const auto did = did_key((*key)->public_key());
  EXPECT_EQ(hex(multikey_of(did)), "ed01d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

TEST(DidKey, RefusesWhatIsNotADid) {
  for (const char* text : {"", "did", "key:z6Mk", "DID:key:z6Mk", "mailto:ann@example.org", " did:key:z6Mk"}) {
    EXPECT_EQ(did_refusal(text), "bad_did") << text;
  }
}

TEST(DidKey, RefusesOtherMethodsByName) {
  EXPECT_EQ(did_refusal("did:web:example.org"), "unsupported_did");
  EXPECT_EQ(did_refusal("did:Key:z6Mk"), "unsupported_did");
}

TEST(DidKey, RefusesKeysThatWeDoNotTake) {
  EXPECT_EQ(did_refusal(p521_did), "unsupported_did");
  // secp256k1, X25519, and an Ed25519 codec whose varint is longer than it need be.
  EXPECT_EQ(did_refusal(did_of(hex_decode("e701" + std::string("02") + std::string(64, '5')).value())),
            "unsupported_did");
  EXPECT_EQ(did_refusal(did_of(hex_decode("ec01" + std::string(64, '5')).value())), "unsupported_did");
  EXPECT_EQ(did_refusal(did_of(hex_decode("ed8100" + std::string(64, '5')).value())), "unsupported_did");
  EXPECT_EQ(did_refusal("did:key:z"), "unsupported_did");
}

TEST(DidKey, RefusesAnotherSpellingOfAKey) {
  const std::string did(ed25519_did);
  EXPECT_EQ(did_refusal(did + "#" + did.substr(8)), "bad_did");
  EXPECT_EQ(did_refusal(did + " "), "bad_did");
  EXPECT_EQ(did_refusal(did + "\n"), "bad_did");
  EXPECT_EQ(did_refusal(did + "?versionId=1"), "bad_did");
  EXPECT_EQ(did_refusal("did:key:1.1:" + did.substr(8)), "bad_did");
  // The same octets in base64url and in base16.
  EXPECT_EQ(did_refusal("did:key:u" + base64url(multikey_of(did))), "bad_did");
  EXPECT_EQ(did_refusal("did:key:f" + hex(multikey_of(did))), "bad_did");
  // A leading '1' is a leading zero octet.
  EXPECT_NE(did_refusal("did:key:z1" + did.substr(9)), "");
}

TEST(DidKey, RefusesBase58ThatIsNone) {
  for (const char bad : {'0', 'O', 'I', 'l', '+', '/', '=', ' ', '\0', '\x80'}) {
    std::string did(ed25519_did);
    did[20] = bad;
    EXPECT_EQ(did_refusal(did), "bad_did") << bad;
  }
}

TEST(DidKey, RefusesEd25519KeysOfTheWrongLength) {
  auto multikey = multikey_of(ed25519_did);
  multikey.push_back(7);
  EXPECT_EQ(did_refusal(did_of(multikey)), "bad_did");
  multikey.resize(33);
  EXPECT_EQ(did_refusal(did_of(multikey)), "bad_did");
  multikey.resize(2);
  EXPECT_EQ(did_refusal(did_of(multikey)), "bad_did");
}

// Under such a key one signature holds for many messages, so that nobody could say who stated what.
TEST(DidKey, RefusesEd25519PointsOfSmallOrder) {
  for (const char* point : {"0100000000000000000000000000000000000000000000000000000000000000",
                            "0000000000000000000000000000000000000000000000000000000000000000",
                            "0000000000000000000000000000000000000000000000000000000000000080",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"}) {
    EXPECT_EQ(did_refusal(did_of(hex_decode("ed01" + std::string(point)).value())), "bad_did") << point;
  }
}

TEST(DidKey, RefusesASecondEncodingOfAnEd25519Point) {
  // y = p + 3 is the point of y = 3 again.
  const auto overflown = "ed01f0" + std::string(60, 'f') + "7f";
  EXPECT_EQ(did_refusal(did_of(hex_decode(overflown).value())), "bad_did");
}

TEST(DidKey, RefusesEllipticCurveKeysThatAreNotCompressedPointsOfTheCurve) {
  const auto compressed = multikey_of(p256_did);
  const auto point = key_of_did(p256_did).value().raw().value();
  const auto spki = key_of_did(p256_did).value().spki();
  Bytes uncompressed(compressed.begin(), compressed.begin() + 2);
  uncompressed.insert(uncompressed.end(), spki.end() - 65, spki.end());
  EXPECT_EQ(did_refusal(did_of(uncompressed)), "bad_did");

  auto hybrid = uncompressed;
  hybrid[2] = 0x06;
  EXPECT_EQ(did_refusal(did_of(hybrid)), "bad_did");

  auto longer = compressed;
  longer.push_back(0);
  EXPECT_EQ(did_refusal(did_of(longer)), "bad_did");

  Bytes infinity(compressed.begin(), compressed.begin() + 2);
  infinity.push_back(0);
  EXPECT_EQ(did_refusal(did_of(infinity)), "bad_did");

  auto field_overflow = compressed;  // x is not below p
  std::fill(field_overflow.begin() + 3, field_overflow.end(), 0xff);
  EXPECT_EQ(did_refusal(did_of(field_overflow)), "bad_did");
}

TEST(DidKey, RefusesRsaKeysThatAreNotDerToTheLetter) {
  const auto good = multikey_of(rsa_did);
  ASSERT_EQ(hex(ByteView(good).first(10)), "85243082010a02820101");

  auto trailing = good;
  trailing.push_back(0);
  EXPECT_EQ(did_refusal(did_of(trailing)), "bad_did");

  auto truncated = good;
  truncated.pop_back();
  EXPECT_EQ(did_refusal(did_of(truncated)), "bad_did");

  auto long_length = good;  // 30 83 00010a: a length with a leading zero
  long_length[3] = 0x83;
  long_length.insert(long_length.begin() + 4, 0);
  EXPECT_EQ(did_refusal(did_of(long_length)), "bad_did");

  auto indefinite = good;
  indefinite[3] = 0x80;
  EXPECT_EQ(did_refusal(did_of(indefinite)), "bad_did");

  auto padded = good;  // the modulus with a second leading zero
  padded.insert(padded.begin() + 10, 0);
  padded[5] += 1;
  padded[9] += 1;
  EXPECT_EQ(did_refusal(did_of(padded)), "bad_did");

  auto negative = good;
  negative[10] = 0x80;
  EXPECT_EQ(did_refusal(did_of(negative)), "bad_did");
}

TEST(DidKey, BoundsWhatItDecodes) { EXPECT_EQ(did_refusal("did:key:z" + std::string(1'000'000, '2')), "bad_did"); }

TEST(DidKey, IsItsOwnVerificationMethod) { EXPECT_EQ(verification_method("did:key:z6MkX"), "did:key:z6MkX#z6MkX"); }

}  // namespace
}  // namespace cahn::credential
