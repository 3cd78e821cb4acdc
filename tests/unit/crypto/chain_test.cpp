#include "crypto/chain.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include <atomic>
#include <thread>

#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::Identity;
using test::must;
using test::Pki;

Identity ca(const char* name, const Identity* issuer = nullptr) {
  return Pki::issue({.subject = {{"CN", name}}, .ca = true}, issuer);
}
Identity end_entity(const char* name, const Identity* issuer) {
  return Pki::issue({.subject = {{"CN", name}}}, issuer);
}

CryptoError refusal(const Result<std::vector<Certificate>>& result) {
  if (result) {
    ADD_FAILURE() << "accepted";
    return CryptoError::internal;
  }
  for (int code = 0; code <= static_cast<int>(CryptoError::internal); ++code) {
    if (result.error().code == static_cast<CryptoError>(code)) return static_cast<CryptoError>(code);
  }
  return CryptoError::internal;
}

class PathValidation : public testing::Test {
 protected:
  const Identity root_ = ca("root");
  const Identity issuing_ = ca("issuing", &root_);
  const Identity leaf_ = end_entity("leaf", &issuing_);
  const TrustStore root_store_{{root_.certificate}};

  Crl crl(const Identity& issuer, std::vector<RevokedEntry> entries,
          Time next_update = Pki::now() + std::chrono::days(7)) {
    const CrlSpec spec{.number = 1,
                       .this_update = Pki::now() - std::chrono::hours(1),
                       .next_update = next_update,
                       .entries = std::move(entries)};
    return must(Crl::from_der(must(make_crl(spec, issuer.certificate, *issuer.key))));
  }
  RevokedEntry entry(const Identity& who, RevocationReason reason = RevocationReason::key_compromise) {
    return {who.certificate.serial_hex(), Pki::now() - std::chrono::hours(2), reason};
  }
};

TEST_F(PathValidation, ReturnsThePathFromLeafToAnchor) {
  EXPECT_EQ(must(verify_chain(leaf_.certificate, leaf_.issuers(), root_store_, Pki::now())), leaf_.chain);
}

TEST_F(PathValidation, RefusesWithoutTheIntermediate) {
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, {}, root_store_, Pki::now())), CryptoError::untrusted);
}

TEST_F(PathValidation, RefusesAnUnknownRoot) {
  EXPECT_EQ(
      refusal(verify_chain(leaf_.certificate, leaf_.issuers(), TrustStore({ca("other").certificate}), Pki::now())),
      CryptoError::untrusted);
}

TEST_F(PathValidation, RefusesWithoutAnchors) {
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, leaf_.issuers(), {}, Pki::now())), CryptoError::untrusted);
}

TEST_F(PathValidation, StopsAtAnAnchorThatIsNoRoot) {
  const TrustStore store({issuing_.certificate});
  EXPECT_EQ(must(verify_chain(leaf_.certificate, {}, store, Pki::now())).size(), 2u);
}

// RFC 8995 5.6.2: a pin may be an end entity.
TEST_F(PathValidation, TakesAnEndEntityThatIsItselfTheAnchor) {
  EXPECT_EQ(must(verify_chain(leaf_.certificate, {}, TrustStore({leaf_.certificate}), Pki::now())),
            std::vector{leaf_.certificate});
}

TEST_F(PathValidation, RefusesAnIssuerThatIsNoCa) {
  const Identity below = end_entity("below", &leaf_);
  EXPECT_EQ(refusal(verify_chain(below.certificate, below.issuers(), root_store_, Pki::now())), CryptoError::untrusted);
  EXPECT_EQ(refusal(verify_chain(below.certificate, {}, TrustStore({leaf_.certificate}), Pki::now())),
            CryptoError::untrusted);
}

// Same name as the real issuer, other key.
TEST_F(PathValidation, RefusesAnIssuerOfTheSameNameWithAnotherKey) {
  const TrustStore impostor({ca("issuing").certificate});
  EXPECT_FALSE(verify_chain(leaf_.certificate, {}, impostor, Pki::now()));
}

TEST_F(PathValidation, RefusesATamperedLeaf) {
  Bytes der = leaf_.certificate.der();
  constexpr std::string_view text = "leaf";
  const auto name = std::search(der.begin(), der.end(), text.begin(), text.end());
  ASSERT_NE(name, der.end());
  *name = 'L';
  EXPECT_EQ(refusal(verify_chain(must(Certificate::from_der(der)), leaf_.issuers(), root_store_, Pki::now())),
            CryptoError::bad_signature);
}

TEST_F(PathValidation, RefusesWhatHasExpiredOrIsNotYetValid) {
  const auto after = leaf_.certificate.not_after() + std::chrono::seconds(1);
  const auto before = leaf_.certificate.not_before() - std::chrono::seconds(1);
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, leaf_.issuers(), root_store_, after)), CryptoError::expired);
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, leaf_.issuers(), root_store_, before)), CryptoError::expired);
}

// RFC 8995 2.6.1.
TEST_F(PathValidation, WithoutAClockIgnoresValidityPeriods) {
  const Identity old = Pki::issue({.subject = {{"CN", "old"}},
                                   .not_before = Time{} + std::chrono::days(1),
                                   .not_after = Time{} + std::chrono::days(2)},
                                  &issuing_);
  EXPECT_TRUE(verify_chain(old.certificate, old.issuers(), root_store_, std::nullopt));
  EXPECT_FALSE(verify_chain(old.certificate, old.issuers(), root_store_, Pki::now()));
}

TEST_F(PathValidation, ReadsTheYear9999) {
  const Identity device =
      Pki::issue({.subject = {{"CN", "d"}}, .not_before = Pki::now(), .not_after = no_expiration()}, &issuing_);
  EXPECT_TRUE(verify_chain(device.certificate, device.issuers(), root_store_, Pki::now() + std::chrono::days(9000)));
}

TEST_F(PathValidation, AsksForNoKeyUsage) {
  const Identity odd = Pki::issue(
      {.subject = {{"CN", "odd"}}, .key_usage = KeyUsage::crl_sign, .extended_key_usage = {"codeSigning"}}, &issuing_);
  EXPECT_TRUE(verify_chain(odd.certificate, odd.issuers(), root_store_, Pki::now()));
}

TEST_F(PathValidation, RefusesMoreThan20Intermediates) {
  std::vector<Certificate> many(20, issuing_.certificate);
  EXPECT_TRUE(verify_chain(leaf_.certificate, many, root_store_, Pki::now()));
  many.push_back(issuing_.certificate);
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, many, root_store_, Pki::now())), CryptoError::untrusted);
}

TEST_F(PathValidation, RefusesAPathOfMoreThan10Intermediates) {
  Identity last = ca("level 0", &root_);
  for (int i = 1; i < 10; ++i) last = ca(("level " + std::to_string(i)).c_str(), &last);
  const Identity in_reach = end_entity("in reach", &last);
  EXPECT_TRUE(verify_chain(in_reach.certificate, in_reach.issuers(), root_store_, Pki::now()));
  last = ca("level 10", &last);
  const Identity too_far = end_entity("too far", &last);
  EXPECT_EQ(refusal(verify_chain(too_far.certificate, too_far.issuers(), root_store_, Pki::now())),
            CryptoError::untrusted);
}

TEST_F(PathValidation, RefusesASignatureWithSha1) {
  X509* copy = X509_dup(leaf_.certificate.handle());
  ASSERT_GT(X509_sign(copy, issuing_.key->handle(), EVP_sha1()), 0);
  Bytes der(static_cast<std::size_t>(i2d_X509(copy, nullptr)));
  unsigned char* cursor = der.data();
  i2d_X509(copy, &cursor);
  X509_free(copy);
  const Certificate weak = must(Certificate::from_der(der));
  EXPECT_EQ(refusal(verify_chain(weak, leaf_.issuers(), root_store_, Pki::now())), CryptoError::untrusted);
  EXPECT_FALSE(weak.signed_by(issuing_.certificate.public_key()));
}

TEST_F(PathValidation, RefusesARevokedLeaf) {
  const TrustStore store({issuing_.certificate}, {crl(issuing_, {entry(leaf_)})});
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, {}, store, Pki::now())), CryptoError::revoked);
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, {}, store, std::nullopt)), CryptoError::revoked);
}

TEST_F(PathValidation, TakesALeafOnHoldForRevoked) {
  const TrustStore store({issuing_.certificate}, {crl(issuing_, {entry(leaf_, RevocationReason::certificate_hold)})});
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, {}, store, Pki::now())), CryptoError::revoked);
}

TEST_F(PathValidation, AcceptsALeafThatIsNotOnTheList) {
  const Identity other = end_entity("other", &issuing_);
  const TrustStore store({issuing_.certificate}, {crl(issuing_, {entry(other)})});
  EXPECT_TRUE(verify_chain(leaf_.certificate, {}, store, Pki::now()));
}

TEST_F(PathValidation, WithListsRefusesALeafThatNoneCovers) {
  const TrustStore store({root_.certificate}, {crl(root_, {})});
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, leaf_.issuers(), store, Pki::now())), CryptoError::untrusted);
}

TEST_F(PathValidation, RefusesARevokedIntermediateWhereItHasTheList) {
  const TrustStore only_leaf({root_.certificate}, {crl(issuing_, {})});
  EXPECT_TRUE(verify_chain(leaf_.certificate, leaf_.issuers(), only_leaf, Pki::now()));
  const TrustStore both({root_.certificate}, {crl(issuing_, {}), crl(root_, {entry(issuing_)})});
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, leaf_.issuers(), both, Pki::now())), CryptoError::revoked);
}

TEST_F(PathValidation, AnAnchoredLeafNeedsNoList) {
  const TrustStore store({leaf_.certificate}, {crl(root_, {})});
  EXPECT_TRUE(verify_chain(leaf_.certificate, {}, store, Pki::now()));
}

TEST_F(PathValidation, RefusesAStaleList) {
  const TrustStore store({issuing_.certificate}, {crl(issuing_, {}, Pki::now() - std::chrono::minutes(1))});
  EXPECT_EQ(refusal(verify_chain(leaf_.certificate, {}, store, Pki::now())), CryptoError::expired);
  EXPECT_TRUE(verify_chain(leaf_.certificate, {}, store, std::nullopt)) << "a pledge without a clock";
}

// Certificates and stores are shared by all threads of a role, and OpenSSL caches inside both.
TEST_F(PathValidation, IsTheSameOnManyThreadsAtOnce) {
  const Certificate leaf = must(Certificate::from_der(leaf_.certificate.der()));
  const TrustStore store({root_.certificate}, {crl(issuing_, {}), crl(root_, {})});
  std::atomic<int> accepted = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 25; ++j) accepted += verify_chain(leaf, leaf_.issuers(), store, Pki::now()).has_value();
      });
    }
  }
  EXPECT_EQ(accepted, 100);
}

TEST_F(PathValidation, RefusesAListThatTheIssuerDidNotSign) {
  const Identity impostor = ca("issuing");
  const TrustStore store({issuing_.certificate}, {crl(impostor, {})});
  EXPECT_FALSE(verify_chain(leaf_.certificate, {}, store, Pki::now()));
}

}  // namespace
}  // namespace cahn::crypto
