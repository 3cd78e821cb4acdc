// domain-cert-revocation-checks (RFC 8366 5.3): what a pledge does about it, and when.

#include "pki/ocsp_staple.h"
#include "pledge_fixture.h"
#include "revocation_evidence.h"

namespace cahn::brski {
namespace {

using test::list_by;
using test::OcspStatus;
using voucher::VoucherError;

Time this_moment() { return system_clock().now(); }

class APledgeWhoseVoucherDemandsRevocationChecks : public APledge {
 protected:
  APledgeWhoseVoucherDemandsRevocationChecks() {
    answer_with([](auto& voucher) { voucher.domain_cert_revocation_checks = true; });
  }
  void staple(OcspStatus status) {
    const Bytes response = test::response_about(registrar_.certificate(), registrar_.domain(), status, this_moment());
    registrar_.staple([response] { return response; });
  }
};

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, RefusesARegistrarThatNothingSaysGoodOf) {
  expect_voucher_refused(VoucherError::revocation_unknown);
}

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, TakesARegistrarThatStaplesThatItIsGood) {
  staple(OcspStatus::good);
  const auto got = onboard();
  EXPECT_TRUE(got) << got.error().message;
  EXPECT_EQ(registrar_.seen("/.well-known/est/cacerts").size(), 1u) << "for enrolment; the staple was enough";
}

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, RefusesARegistrarThatIsRevokedByTheStaple) {
  staple(OcspStatus::revoked);
  registrar_.carry({list_by(registrar_.domain(), {}, this_moment())});
  expect_voucher_refused(VoucherError::revoked);
}

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, BelievesTheListThatComesWithTheCaCertificates) {
  registrar_.carry({list_by(registrar_.domain(), {}, this_moment())});
  const auto got = onboard();
  EXPECT_TRUE(got) << got.error().message;
}

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, RefusesARegistrarThatIsOnThatList) {
  registrar_.carry({list_by(registrar_.domain(), {registrar_.certificate()}, this_moment())});
  expect_voucher_refused(VoucherError::revoked);
}

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, BelievesNoListOfAnybodyElse) {
  registrar_.carry({list_by(test::make_ca("False domain"), {}, this_moment())});
  expect_voucher_refused(VoucherError::revocation_unknown);
}

TEST_F(APledgeWhoseVoucherDemandsRevocationChecks, ChecksTheVoucherFirst) {
  answer_with([](auto& voucher) {
    voucher.domain_cert_revocation_checks = true;
    voucher.nonce = voucher::fresh_nonce();
  });
  expect_voucher_refused(VoucherError::wrong_nonce);
  EXPECT_TRUE(registrar_.seen("/.well-known/est/cacerts").empty());
}

TEST_F(APledge, LooksNothingUpWhereTheVoucherSaysThatItMustNot) {
  const Bytes revoked =
      test::response_about(registrar_.certificate(), registrar_.domain(), OcspStatus::revoked, this_moment());
  registrar_.staple([revoked] { return revoked; });
  answer_with([](auto& voucher) { voucher.domain_cert_revocation_checks = false; });
  EXPECT_TRUE(onboard());
}

// --- the whole road, with our own registrar and CA ----------------------------------------------------------------

class ARoadWhereTheMakerDemandsRevocationChecks : public testing::Test {
 protected:
  static test::RoadOptions options() {
    test::RoadOptions options;
    options.change_masa = [](MasaOptions& masa) { masa.tenants.front().domain_cert_revocation_checks = true; };
    return options;
  }
  void refresh() {
    road_.run<void>([staple = staple_] { return pki::OcspStaple::refresh(staple); });
  }
  Result<NetworkCredential> onboard(const std::string& serial) {
    const auto pledge = need(Pledge::open(road_.pledge_options(road_.born(serial))));
    return road_.onboard(*pledge);
  }

  test::Road road_{options()};
  const std::shared_ptr<pki::OcspStaple> staple_ =
      need(pki::OcspStaple::create(road_.domain_ca(), road_.registrar_identity().chain.front()));
};

TEST_F(ARoadWhereTheMakerDemandsRevocationChecks, LeadsToANetworkWhoseRegistrarStaplesUntilItIsRevoked) {
  road_.staple(staple_->source());
  const auto early = onboard("1");
  ASSERT_FALSE(early) << "there is no response yet";
  EXPECT_EQ(early.error().code, VoucherError::revocation_unknown) << early.error().message;
  refresh();
  const auto got = onboard("2");
  ASSERT_TRUE(got) << got.error().message;
  const std::string serial = road_.registrar_identity().chain.front().serial_hex();
  ASSERT_TRUE(road_.run<Result<void>>(
      [&] { return road_.domain_ca().revoke(serial, crypto::RevocationReason::key_compromise); }));
  refresh();
  const auto late = onboard("3");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, VoucherError::revoked) << late.error().message;
}

TEST_F(ARoadWhereTheMakerDemandsRevocationChecks, HasAStapleForCertificatesOfItsCaOnly) {
  EXPECT_FALSE(pki::OcspStaple::create(road_.domain_ca(), road_.web_identity().chain.front()));
}

}  // namespace
}  // namespace cahn::brski
