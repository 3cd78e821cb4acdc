#include "crypto/jws.h"

#include <gtest/gtest.h>

#include "crypto/ecdsa.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::refusal;

struct Kind {
  KeyType key;
  JwsAlgorithm algorithm;
  std::size_t size;  // of a signature
};
class Jws : public testing::TestWithParam<Kind> {
 protected:
  const PrivateKeyPtr key_ = must(generate_key(GetParam().key));
  const JwsAlgorithm algorithm_ = GetParam().algorithm;
};
INSTANTIATE_TEST_SUITE_P(Algorithms, Jws,
                         testing::Values(Kind{KeyType::p256, JwsAlgorithm::es256, 64},
                                         Kind{KeyType::p384, JwsAlgorithm::es384, 96},
                                         Kind{KeyType::rsa2048, JwsAlgorithm::rs256, 256},
                                         Kind{KeyType::rsa2048, JwsAlgorithm::ps256, 256},
                                         Kind{KeyType::ed25519, JwsAlgorithm::eddsa, 64}),
                         [](const auto& info) { return std::string(to_text(info.param.algorithm)); });

TEST_P(Jws, HoldsForTheKeyThatMadeItAndForWhatWasSigned) {
  const Bytes signature = must(jws_sign(algorithm_, "a.b", *key_));
  EXPECT_EQ(signature.size(), GetParam().size);
  EXPECT_TRUE(jws_verify(algorithm_, "a.b", signature, key_->public_key()));
  EXPECT_EQ(refusal(jws_verify(algorithm_, "a.c", signature, key_->public_key())).code, CryptoError::bad_signature);
  const auto other = must(generate_key(GetParam().key));
  EXPECT_EQ(refusal(jws_verify(algorithm_, "a.b", signature, other->public_key())).code, CryptoError::bad_signature);
}

TEST_P(Jws, IsRefusedWithItsSignatureChangedOrCut) {
  Bytes signature = must(jws_sign(algorithm_, "a.b", *key_));
  for (const std::size_t at : {std::size_t{0}, signature.size() / 2, signature.size() - 1}) {
    signature[at] ^= 1;
    EXPECT_EQ(refusal(jws_verify(algorithm_, "a.b", signature, key_->public_key())).code, CryptoError::bad_signature);
    signature[at] ^= 1;
  }
  for (std::size_t size = 0; size < signature.size(); size += 7) {
    EXPECT_FALSE(jws_verify(algorithm_, "a.b", ByteView(signature).first(size), key_->public_key()));
  }
  signature.push_back(0);
  EXPECT_FALSE(jws_verify(algorithm_, "a.b", signature, key_->public_key()));
}

TEST_P(Jws, NamesItsAlgorithmAsTheStandardDoes) {
  EXPECT_EQ(jws_algorithm(to_text(algorithm_)), algorithm_);
  if (algorithm_ != JwsAlgorithm::ps256) {
    EXPECT_EQ(jws_algorithm_of(key_->public_key()), algorithm_);
  }
}

TEST_P(Jws, ComesBackFromItsCompactForm) {
  const std::string header = R"({"alg":"x"})";
  const std::string text = must(make_compact_jws(algorithm_, header, as_bytes("payload"), *key_));
  const CompactJws parts = must(split_compact_jws(text));
  EXPECT_EQ(parts.protected_header, header);
  EXPECT_EQ(as_text(parts.payload), "payload");
  EXPECT_EQ(parts.signing_input, jws_signing_input(header, as_bytes("payload")));
  EXPECT_TRUE(jws_verify(algorithm_, parts.signing_input, parts.signature, key_->public_key()));
}

TEST(JwsAlgorithms, ThatAreNotOnTheListAreNone) {
  for (const char* name : {"none", "None", "", "HS256", "es256", "ES512", "ES256K", "RS1", "RS384", "ECDH-ES"}) {
    EXPECT_EQ(jws_algorithm(name), std::nullopt) << name;
  }
}

// RFC 8725 3.1: the header cannot make one kind of key verify as another.
TEST(JwsAlgorithms, AreEachForOneKindOfKey) {
  const auto p256 = must(generate_key(KeyType::p256));
  const auto p384 = must(generate_key(KeyType::p384));
  for (const auto algorithm : {JwsAlgorithm::es384, JwsAlgorithm::rs256, JwsAlgorithm::ps256, JwsAlgorithm::eddsa}) {
    EXPECT_EQ(refusal(jws_sign(algorithm, "a.b", *p256)).code, CryptoError::wrong_key);
    EXPECT_EQ(refusal(jws_verify(algorithm, "a.b", Bytes(64), p256->public_key())).code, CryptoError::wrong_key);
  }
  EXPECT_EQ(refusal(jws_sign(JwsAlgorithm::es256, "a.b", *p384)).code, CryptoError::wrong_key);
}

// CVE-2022-21449: numbers of zero.
TEST(JwsAlgorithms, RefuseAnEcdsaSignatureOfZeros) {
  const auto key = must(generate_key(KeyType::p256));
  EXPECT_EQ(refusal(jws_verify(JwsAlgorithm::es256, "a.b", Bytes(64), key->public_key())).code,
            CryptoError::bad_signature);
}

TEST(CompactJwss, AreRefusedInAnyOtherForm) {
  for (const char* bad : {"", ".", "..", "e30", "e30.e30", "e30.e30.", ".e30.e30", "e30.e30.e30.e30",
                          "e30.e30.e30=", "e30.e+0.e30", "e30. e30.e30", "e31.e30.e30", "e30.e30.e30\n"}) {
    EXPECT_EQ(refusal(split_compact_jws(bad)).code, CryptoError::malformed) << bad;
  }
  EXPECT_TRUE(split_compact_jws("e30..e30"));
  EXPECT_FALSE(split_compact_jws("e30." + std::string(1 << 20, 'A') + ".e30"));
}

TEST(EcdsaSignatures, HaveTwoEncodings) {
  for (const auto type : {KeyType::p256, KeyType::p384}) {
    const auto key = must(generate_key(type));
    // Often enough that some numbers are short.
    for (int i = 0; i < 300; ++i) {
      const Bytes der = must(key->sign(as_bytes(std::to_string(i))));
      const Bytes raw = must(ecdsa_raw_from_der(key->public_key(), der));
      ASSERT_EQ(raw.size(), type == KeyType::p256 ? 64u : 96u);
      ASSERT_EQ(must(ecdsa_der_from_raw(key->public_key(), raw)), der);
    }
  }
}

TEST(EcdsaSignatures, AreRefusedInAnyOtherForm) {
  const auto p256 = must(generate_key(KeyType::p256));
  const auto p384 = must(generate_key(KeyType::p384));
  const auto rsa = must(generate_key(KeyType::rsa2048));
  EXPECT_EQ(refusal(ecdsa_der_from_raw(rsa->public_key(), Bytes(64))).code, CryptoError::unsupported);
  EXPECT_EQ(refusal(ecdsa_der_from_raw(p256->public_key(), Bytes(63))).code, CryptoError::malformed);
  EXPECT_EQ(refusal(ecdsa_raw_from_der(p256->public_key(), Bytes(8))).code, CryptoError::malformed);
  Bytes der = must(p384->sign(as_bytes("x")));
  EXPECT_FALSE(ecdsa_raw_from_der(p256->public_key(), der)) << "of a longer curve";
  der.push_back(0);
  EXPECT_FALSE(ecdsa_raw_from_der(p384->public_key(), der));
}

}  // namespace
}  // namespace cahn::crypto
