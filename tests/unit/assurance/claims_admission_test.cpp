#include "assurance/claims_admission.h"

#include <gtest/gtest.h>

#include "assurance/owners.h"
#include "tests/unit/assurance/fake_claim_node.h"
#include "tests/unit/assurance/parties.h"

namespace cahn::assurance {
namespace {

using admission::AdmissionAnswer;
using admission::PolicyPoint;
using test::must;

class ClaimsAdmissionTest : public testing::Test {
 protected:
  ClaimsAdmissionTest() { runtime_.start(); }

  Result<AdmissionAnswer> ask(PolicyPoint point) {
    admission::AdmissionEvidence evidence{.point = point,
                                          .idevid = device_.certificate,
                                          .manufacturer = pki_.manufacturer().certificate,
                                          .serial_number = "SN-1",
                                          .assertion = std::nullopt,
                                          .masa_url = std::nullopt,
                                          .owner = std::nullopt,
                                          .network = "home"};
    return net::run_blocking<Result<AdmissionAnswer>>(runtime_, [&] { return admission_->decide(evidence); });
  }

  net::Runtime runtime_{1};
  const test::Pki pki_;
  const test::Identity device_ = pki_.device("SN-1");
  const std::string did_ = test::did_of(device_);
  test::FakeClaimNode node_;
  const std::unique_ptr<admission::Admission> admission_ = claims_admission(node_);
};

TEST_F(ClaimsAdmissionTest, TheDeviceIsObservedByItsKeysBeforeItIsDecided) {
  (void)must(ask(PolicyPoint::registrar_receives));
  ASSERT_EQ(node_.observed.size(), 1U);
  EXPECT_EQ(node_.observed[0], (std::vector<std::string>{did_, test::did_of(pki_.manufacturer()), "SN-1"}));
}

TEST_F(ClaimsAdmissionTest, TheAnswerIsTheVerdictWithItsClaims) {
  for (const auto point :
       {PolicyPoint::registrar_receives, PolicyPoint::registrar_returns, PolicyPoint::registrar_enrols}) {
    node_.set(did_, {true, "an owner trusts it", {"c1", "c2"}});
    const auto permit = must(ask(point));
    EXPECT_EQ(permit.verdict, AdmissionAnswer::Verdict::permit);
    EXPECT_EQ(permit.claims, (std::vector<std::string>{"c1", "c2"}));
    node_.set(did_, {false, "its maker is not trusted", {}});
    const auto deny = must(ask(point));
    EXPECT_EQ(deny.verdict, AdmissionAnswer::Verdict::deny);
    EXPECT_EQ(deny.reason, "its maker is not trusted");
  }
}

TEST_F(ClaimsAdmissionTest, AnUnknownDeviceIsDenied) {
  EXPECT_EQ(must(ask(PolicyPoint::registrar_enrols)).verdict, AdmissionAnswer::Verdict::deny);
}

TEST_F(ClaimsAdmissionTest, APointThatIsNotTheRegistrarsIsDenied) {
  node_.set(did_, {true, "an owner trusts it", {}});
  for (const auto point : {PolicyPoint::pledge_requests, PolicyPoint::masa_receives, PolicyPoint::pledge_receives}) {
    EXPECT_EQ(must(ask(point)).verdict, AdmissionAnswer::Verdict::deny);
  }
}

TEST_F(ClaimsAdmissionTest, AnOverloadedNodeMeansLaterAndABrokenOneIsAnError) {
  node_.set(did_, {true, "an owner trusts it", {}});
  node_.refuse_observing = cascade::ClaimError::overloaded;
  const auto later = must(ask(PolicyPoint::registrar_receives));
  EXPECT_EQ(later.verdict, AdmissionAnswer::Verdict::later);
  EXPECT_GT(later.retry_after.count(), 0);
  node_.refuse_observing = cascade::ClaimError::unavailable;
  EXPECT_FALSE(ask(PolicyPoint::registrar_receives));
}

class OwnersInClaims : public testing::Test {
 protected:
  OwnersInClaims() { runtime_.start(); }
  Result<void> ask(const OwnerCheck& check) {
    return net::run_blocking<Result<void>>(runtime_, [&] { return check(claimed_); });
  }

  net::Runtime runtime_{1};
  const test::Owner ann_;
  const test::Identity router_ = test::self_signed("router");
  const Ownership claimed_ = must(Ownership::read(ann_.vouch_for(router_.certificate.public_key())));
  test::FakeClaimNode node_;
};

TEST_F(OwnersInClaims, AreThoseWhoseTrustInTheRouterIsInForce) {
  node_.set_trusting(test::did_of(router_), {ann_.person});
  EXPECT_TRUE(ask(owners_of(node_)));
  EXPECT_TRUE(node_.submitted.empty());
}

TEST_F(OwnersInClaims, TheRoutersCredentialBecomesAClaimFirst) {
  node_.on_submit = [&] { node_.set_trusting(test::did_of(router_), {ann_.person}); };
  EXPECT_TRUE(ask(owners_of(node_)));
  EXPECT_EQ(node_.submitted, std::vector<std::string>{claimed_.text()});
}

TEST_F(OwnersInClaims, NobodyElseIs) {
  node_.set_trusting(test::did_of(router_), {"mailto:bob@example.org"});
  EXPECT_EQ(ask(owners_of(node_)).error().code, AssuranceError::not_an_owner);
}

TEST_F(OwnersInClaims, EitherOfTwoChecksIsEnough) {
  const auto configured = configured_owners({{ann_.person, {ann_.did}}});
  EXPECT_TRUE(ask(any_of(configured, owners_of(node_))));
  EXPECT_TRUE(ask(any_of(owners_of(node_), configured)));
  EXPECT_FALSE(ask(any_of(owners_of(node_), configured_owners({}))));
}

}  // namespace
}  // namespace cahn::assurance
