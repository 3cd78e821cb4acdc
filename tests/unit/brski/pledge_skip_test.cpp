// RFC 8995 7.2: voucher validation is skipped once, and only when somebody at the device wants it.

#include <fstream>

#include "pledge_fixture.h"

namespace cahn::brski {
namespace {

using test::TemporaryFolder;
using voucher::VoucherError;

class APledgeThatMaySkipTheVoucher : public APledge {
 protected:
  APledgeThatMaySkipTheVoucher() { refuse(); }
  void refuse() {
    registrar_.answer_vouchers([](const auto&) { return net::HttpResponse::text(502, "no MASA"); });
  }
  void arm() const { std::ofstream(switch_) << "pressed\n"; }
  bool armed() const { return std::filesystem::exists(std::filesystem::symlink_status(switch_)); }
  PledgeOptions options() const {
    PledgeOptions with = APledge::options();
    with.skip_voucher_once = switch_;
    return with;
  }
  std::size_t enrolments() const { return registrar_.seen("/.well-known/est/simpleenroll").size(); }

  TemporaryFolder folder_;
  const std::filesystem::path switch_ = folder_ / "skip";
};

TEST_F(APledgeThatMaySkipTheVoucher, DoesNotWhenNobodyAtTheDeviceSaysSo) {
  const auto got = onboard(options());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::registrar_refused);
  EXPECT_EQ(enrolments(), 0u);
}

TEST_F(APledgeThatMaySkipTheVoucher, DoesSoOnceAndNotAgain) {
  arm();
  std::vector<std::string> told;
  PledgeOptions with = options();
  with.on_progress = [&](const Progress& progress) { told.push_back(progress.what); };
  const auto got = onboard(with);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(got->voucher.empty());
  EXPECT_FALSE(armed());
  EXPECT_TRUE(std::ranges::any_of(told, [](const auto& what) { return what.contains("WITHOUT a voucher"); }));
  EXPECT_FALSE(onboard(options())) << "as after a factory reset";
  EXPECT_EQ(enrolments(), 1u);
}

TEST_F(APledgeThatMaySkipTheVoucher, SkipsAVoucherThatDoesNotHoldToo) {
  answer_with([](auto& voucher) { voucher.nonce = voucher::fresh_nonce(); });
  arm();
  EXPECT_TRUE(onboard(options()));
  EXPECT_FALSE(armed());
}

TEST_F(APledgeThatMaySkipTheVoucher, UsesAVoucherThatHoldsAndIsNotLeftArmed) {
  answer_with([](auto&) {});
  arm();
  const auto got = onboard(options());
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->voucher.empty());
  EXPECT_FALSE(armed());
}

TEST_F(APledgeThatMaySkipTheVoucher, DoesNotChooseAmongSeveralRegistrars) {
  arm();
  EXPECT_FALSE(onboard(options(), {registrar_.endpoint(), registrar_.endpoint()}));
  EXPECT_EQ(enrolments(), 0u);
  EXPECT_TRUE(armed());
}

TEST_F(APledgeThatMaySkipTheVoucher, StaysArmedWhileNoRegistrarIsThere) {
  arm();
  EXPECT_FALSE(onboard(options(), {{"127.0.0.1", 1}}));
  EXPECT_TRUE(armed());
}

TEST_F(APledgeThatMaySkipTheVoucher, IsSpentEvenIfTheEnrolmentFails) {
  registrar_.answer_enrolments([](const auto&) { return net::HttpResponse::text(403, "no"); });
  arm();
  EXPECT_FALSE(onboard(options()));
  EXPECT_FALSE(armed());
}

TEST_F(APledgeThatMaySkipTheVoucher, DoesNotWhereThePolicySaysNo) {
  test::ScriptedAdmission policy;
  policy.answer(admission::PolicyPoint::pledge_receives, admission::AdmissionAnswer::Verdict::deny);
  answer_with([](auto&) {});
  arm();
  PledgeOptions with = options();
  with.admission = &policy;
  with.idevid.chain = {device_.certificate(), maker_.ca.certificate};
  const auto got = onboard(with);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::forbidden);
  EXPECT_TRUE(armed());
  EXPECT_EQ(enrolments(), 0u);
}

TEST_F(APledgeThatMaySkipTheVoucher, TakesNoLinkAndNoFolderForAWish) {
  std::ofstream(folder_ / "elsewhere") << "x";
  std::filesystem::create_symlink(folder_ / "elsewhere", switch_);
  EXPECT_FALSE(onboard(options()));
  EXPECT_TRUE(armed());
  std::filesystem::remove(switch_);
  std::filesystem::create_directory(switch_);
  EXPECT_FALSE(onboard(options()));
  EXPECT_EQ(enrolments(), 0u);
}

}  // namespace
}  // namespace cahn::brski
