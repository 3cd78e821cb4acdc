#include "crypto/key.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;

class EveryKeyType : public testing::TestWithParam<KeyType> {};
INSTANTIATE_TEST_SUITE_P(Keys, EveryKeyType,
                         testing::Values(KeyType::p256, KeyType::p384, KeyType::ed25519, KeyType::rsa2048));

TEST_P(EveryKeyType, VerifiesWhatItSigned) {
  const auto key = must(generate_key(GetParam()));
  const Bytes signature = must(key->sign(as_bytes("a message")));
  EXPECT_TRUE(key->public_key().verify(as_bytes("a message"), signature));
}

TEST_P(EveryKeyType, RefusesTheSignatureOfAnotherMessage) {
  const auto key = must(generate_key(GetParam()));
  const Bytes signature = must(key->sign(as_bytes("a message")));
  const auto verified = key->public_key().verify(as_bytes("another"), signature);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, CryptoError::bad_signature);
}

TEST_P(EveryKeyType, RefusesTheSignatureOfAnotherKey) {
  const Bytes signature = must(must(generate_key(GetParam()))->sign(as_bytes("a message")));
  EXPECT_FALSE(must(generate_key(GetParam()))->public_key().verify(as_bytes("a message"), signature));
}

TEST_P(EveryKeyType, ReadsItsOwnSubjectPublicKeyInfo) {
  const auto key = must(generate_key(GetParam()));
  const PublicKey again = must(PublicKey::from_spki(key->public_key().spki()));
  EXPECT_EQ(again, key->public_key());
  EXPECT_TRUE(again.verify(as_bytes("m"), must(key->sign(as_bytes("m")))));
}

TEST_P(EveryKeyType, SurvivesPem) {
  const auto key = must(generate_key(GetParam()));
  const auto again = must(key_from_pem(must(key_to_pem(*key))));
  EXPECT_EQ(again->public_key(), key->public_key());
  EXPECT_TRUE(key->public_key().verify(as_bytes("m"), must(again->sign(as_bytes("m")))));
}

// PKCS#8, and SEC 1 or PKCS#1 where there is such a form.
std::vector<Bytes> encodings(const PrivateKey& key) {
  const auto take = [](unsigned char* der, int size) {
    Bytes octets(der, der + size);
    OPENSSL_free(der);
    return octets;
  };
  unsigned char *pkcs8 = nullptr, *traditional = nullptr;
  PKCS8_PRIV_KEY_INFO* const info = EVP_PKEY2PKCS8(key.handle());
  const int pkcs8_size = i2d_PKCS8_PRIV_KEY_INFO(info, &pkcs8);
  PKCS8_PRIV_KEY_INFO_free(info);
  std::vector<Bytes> forms{take(pkcs8, pkcs8_size)};
  const int size = key.public_key().algorithm() == "ed25519" ? 0 : i2d_PrivateKey(key.handle(), &traditional);
  if (size > 0) forms.push_back(take(traditional, size));
  return forms;
}

TEST_P(EveryKeyType, SurvivesDer) {
  const auto key = must(generate_key(GetParam()));
  const auto forms = encodings(*key);
  EXPECT_EQ(forms.size(), GetParam() == KeyType::ed25519 ? 1U : 2U);
  for (const Bytes& der : forms) {
    const auto again = must(key_from_der(der));
    EXPECT_TRUE(key->public_key().verify(as_bytes("m"), must(again->sign(as_bytes("m")))));
  }
}

TEST_P(EveryKeyType, IsNotReadFromDerThatIsCutOrHasSomethingBehindIt) {
  for (const Bytes& der : encodings(*must(generate_key(GetParam())))) {
    for (std::size_t size = 0; size < der.size(); ++size) EXPECT_FALSE(key_from_der(ByteView(der).first(size)));
    Bytes longer = der;
    longer.push_back(0);
    EXPECT_FALSE(key_from_der(longer));
  }
  EXPECT_FALSE(key_from_der(must(generate_key(GetParam()))->public_key().spki()));
}

TEST(P256Key, IsNotReadFromDerBesideThePublicKeyOfAnother) {
  const auto key = must(generate_key(KeyType::p256)), other = must(generate_key(KeyType::p256));
  // SEC 1 ends with the public point.
  Bytes der = encodings(*key).back();
  const Bytes& point = other->public_key().spki();
  std::copy(point.end() - 64, point.end(), der.end() - 64);
  const auto read = key_from_der(der);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, CryptoError::malformed);
}

TEST_P(EveryKeyType, RefusesASubjectPublicKeyInfoWithSomethingBehindIt) {
  Bytes spki = must(generate_key(GetParam()))->public_key().spki();
  spki.push_back(0);
  EXPECT_FALSE(PublicKey::from_spki(spki));
}

TEST_P(EveryKeyType, RefusesEveryCutSubjectPublicKeyInfo) {
  const Bytes spki = must(generate_key(GetParam()))->public_key().spki();
  for (std::size_t size = 0; size < spki.size(); ++size) {
    EXPECT_FALSE(PublicKey::from_spki(ByteView(spki).first(size))) << size;
  }
}

// RFC 8032 7.1, test 2.
TEST(Ed25519Key, SignsAsRfc8032Does) {
  const auto key =
      must(ed25519_from_seed(must(hex_decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))));
  EXPECT_EQ(hex(must(key->public_key().raw())), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(
      hex(must(key->sign(must(hex_decode("72"))))),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
      "b00d291612bb0c00");
}

TEST(Ed25519Key, ComesBackFromItsRawForm) {
  const auto key = must(generate_key(KeyType::ed25519));
  EXPECT_EQ(must(PublicKey::from_ed25519(must(key->public_key().raw()))), key->public_key());
  EXPECT_FALSE(PublicKey::from_ed25519(Bytes(31)));
}

class EveryCurve : public testing::TestWithParam<KeyType> {};
INSTANTIATE_TEST_SUITE_P(Keys, EveryCurve, testing::Values(KeyType::p256, KeyType::p384));

TEST_P(EveryCurve, ComesBackFromItsCompressedPoint) {
  const auto key = must(generate_key(GetParam()));
  const Bytes point = must(key->public_key().raw());
  EXPECT_TRUE(point[0] == 2 || point[0] == 3);
  EXPECT_EQ(must(PublicKey::from_ec_point(GetParam(), point)), key->public_key());
}

TEST_P(EveryCurve, ComesBackFromItsUncompressedPoint) {
  const auto key = must(generate_key(GetParam()));
  const Bytes& spki = key->public_key().spki();
  const std::size_t size = GetParam() == KeyType::p256 ? 65 : 97;
  EXPECT_EQ(must(PublicKey::from_ec_point(GetParam(), ByteView(spki).last(size))), key->public_key());
}

TEST_P(EveryCurve, RefusesAPointThatIsNotOnIt) {
  Bytes spki = must(generate_key(GetParam()))->public_key().spki();
  spki.back() ^= 1;
  EXPECT_FALSE(PublicKey::from_spki(spki));
  const std::size_t size = GetParam() == KeyType::p256 ? 65 : 97;
  EXPECT_FALSE(PublicKey::from_ec_point(GetParam(), ByteView(spki).last(size)));
}

// Two encodings of one key would be two names of one device.
TEST(P256Key, IsNotReadFromASubjectPublicKeyInfoWithACompressedPoint) {
  const auto key = must(generate_key(KeyType::p256));
  Bytes spki = must(hex_decode("3039301306072a8648ce3d020106082a8648ce3d030107032200"));
  const Bytes point = must(key->public_key().raw());
  spki.insert(spki.end(), point.begin(), point.end());
  const auto read = PublicKey::from_spki(spki);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, CryptoError::unsupported);
}

// `openssl genrsa 1024`, public half.
TEST(RsaKey, OfTooFewBitsIsUnsupported) {
  const auto spki = must(base64_decode(
      "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYosAT2Ty2NyXuYbgH5e4X1pGlp2OXXQmDmnX9DXx8HvtGMyugXXjSy6qcXoPhbJIEjrOkhU"
      "QD4ibKDcl47B1OxJHOsaKWRsTlzUGbhFb3znLfyhTxgl+263ErsHk8BLhOUdjqrGJmzfWITo6+t4FYVI/9YmSn+Jl31tPtmjd0MwIDAQAB"));
  const auto read = PublicKey::from_spki(spki);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, CryptoError::unsupported);
}

TEST(RsaKey, HasNoRawForm) {
  const auto raw = must(generate_key(KeyType::rsa2048))->public_key().raw();
  ASSERT_FALSE(raw);
  EXPECT_EQ(raw.error().code, CryptoError::unsupported);
}

TEST(PublicKey, NamesItsAlgorithm) {
  EXPECT_EQ(must(generate_key(KeyType::p256))->public_key().algorithm(), "p256");
  EXPECT_EQ(must(generate_key(KeyType::p384))->public_key().algorithm(), "p384");
  EXPECT_EQ(must(generate_key(KeyType::ed25519))->public_key().algorithm(), "ed25519");
  EXPECT_EQ(must(generate_key(KeyType::rsa2048))->public_key().algorithm(), "rsa");
}

// RFC 5280 4.2.1.2 (1) over the key of RFC 8410 10.1, whose hash was taken with sha1sum.
TEST(PublicKey, IsIdentifiedByTheHashOfItsBits) {
  const auto key =
      must(PublicKey::from_spki(must(base64_decode("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="))));
  EXPECT_EQ(hex(key.key_identifier()), "a28cc1f86e5960d3e03ae75c962c97a8d448293c");
}

}  // namespace
}  // namespace cahn::crypto
