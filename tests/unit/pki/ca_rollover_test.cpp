// A CA changes its key (RFC 4210 4.4, RFC 7030 4.1.3), with openssl as the judge of every path.

#include "crypto/cms.h"
#include "tests/unit/pki/est_support.h"

namespace cahn::pki {
namespace {

using test::value_of;

class ARolledOverCa : public test::EstTest {
 protected:
  ARolledOverCa() : old_ldevid_(issue_ldevid("SN-OLD")), old_root_(ca_->certificate()) {
    EXPECT_TRUE(roll_over("ca-2.key").has_value());
  }
  Result<void> roll_over(const std::string& key) {
    auto* ca = ca_.get();
    const std::string uri = "file:" + (folder_ / key).string();
    return await<Result<void>>([ca, uri] { return ca->roll_over(uri); });
  }
  int verify(const crypto::Certificate& leaf, const crypto::Certificate& root, const std::string& untrusted = {}) {
    test::write(folder_ / "root.pem", root.pem());
    test::write(folder_ / "leaf.pem", leaf.pem());
    test::write(folder_ / "untrusted.pem", untrusted);
    return openssl("verify -x509_strict -CAfile root.pem " +
                   std::string(untrusted.empty() ? "" : "-untrusted untrusted.pem ") + "leaf.pem")
        .first;
  }
  const crypto::Certificate old_ldevid_, old_root_;
};

TEST_F(ARolledOverCa, IssuesWithItsNewKeyUnderItsOldName) {
  EXPECT_EQ(ca_->certificate().subject(), old_root_.subject());
  EXPECT_NE(ca_->certificate().public_key(), old_root_.public_key());
  const auto leaf = issue_ldevid("SN-NEW");
  EXPECT_EQ(verify(leaf, ca_->certificate()), 0);
  EXPECT_NE(verify(leaf, old_root_), 0) << "signed with the new key";
}

TEST_F(ARolledOverCa, GivesEveryClientAPathFromTheRootItHas) {
  stop();
  start();
  const auto given = value_of(on_connection<test::Chain>(std::nullopt, est_cacerts));
  ASSERT_EQ(given.size(), 4u);
  EXPECT_EQ(given[0], ca_->certificate());
  EXPECT_EQ(given[1], old_root_);
  const auto& old_with_new = given[2];
  const auto& new_with_old = given[3];
  EXPECT_EQ(old_with_new.public_key(), old_root_.public_key());
  EXPECT_TRUE(old_with_new.signed_by(ca_->certificate().public_key()));
  EXPECT_EQ(new_with_old.public_key(), ca_->certificate().public_key());
  EXPECT_TRUE(new_with_old.signed_by(old_root_.public_key()));
  EXPECT_EQ(verify(old_ldevid_, ca_->certificate(), old_with_new.pem()), 0) << "an old leaf under the new root";
  EXPECT_EQ(verify(issue_ldevid("SN-NEW"), old_root_, new_with_old.pem()), 0) << "a new leaf under the old root";
}

TEST_F(ARolledOverCa, IsTheSameAfterARestart) {
  const auto root = ca_->certificate();
  const auto bridge = ca_->rollover_certificates();
  stop();
  restart();
  EXPECT_EQ(ca_->certificate(), root);
  EXPECT_EQ(ca_->rollover_certificates(), bridge);
  EXPECT_EQ(verify(issue_ldevid("SN-NEW"), root), 0);
}

TEST_F(ARolledOverCa, RevokesUnderBothKeysEachWithItsCrl) {
  const auto leaf = issue_ldevid("SN-NEW");
  ASSERT_TRUE(revoke(old_ldevid_.serial_hex()).has_value());
  ASSERT_TRUE(revoke(leaf.serial_hex()).has_value());
  for (const auto* root : {&old_root_, &ca_->certificate()}) {
    const auto crl = value_of(crypto::Crl::from_der(ca_->crl_of(hex(root->public_key().key_identifier())).value()));
    EXPECT_TRUE(crl.signed_by(root->public_key()));
    EXPECT_EQ(crl.entries().size(), 2u);
  }
  EXPECT_TRUE(crl().signed_by(ca_->certificate().public_key())) << "the CRL without a name is the present key's";
  EXPECT_EQ(ca_->crl_of("00"), std::nullopt);
}

TEST_F(ARolledOverCa, NamesTheRetiredRootForAsLongAsItIsValid) {
  EXPECT_EQ(ca_->roots(), (std::vector{ca_->certificate(), old_root_}));
  clock_.set(old_root_.not_after() + std::chrono::seconds(1));
  EXPECT_EQ(ca_->roots(), std::vector{ca_->certificate()});
  EXPECT_TRUE(ca_->rollover_certificates().empty());
}

TEST_F(ARolledOverCa, RefusesAKeyItHadBefore) {
  EXPECT_FALSE(roll_over("ca-2.key").has_value());
  EXPECT_FALSE(roll_over("ca.key").has_value());
  EXPECT_EQ(ca_->rollover_certificates().size(), 3u);
}

TEST_F(ARolledOverCa, RollsOverAgain) {
  const auto second = ca_->certificate();
  ASSERT_TRUE(roll_over("ca-3.key").has_value());
  EXPECT_EQ(ca_->roots(), (std::vector{ca_->certificate(), second, old_root_}));
  EXPECT_EQ(ca_->rollover_certificates().size(), 6u);
  EXPECT_EQ(verify(issue_ldevid("SN-3"), ca_->certificate()), 0);
}

}  // namespace
}  // namespace cahn::pki
