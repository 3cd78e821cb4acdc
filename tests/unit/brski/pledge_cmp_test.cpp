// A pledge that asks for its LDevID by CMP (RFC 9733): with our registrar, and with answers that are not what they
// should be.

#include <gtest/gtest.h>

#include "crypto/cmp.h"
#include "pki/cmp_server.h"
#include "requests.h"

namespace cahn::brski {
namespace {

using admission::PolicyPoint;
using test::Device;
using test::need;
using test::Road;
using test::RoadOptions;
using test::ScriptedAdmission;

// In front of the road's CA: issues for another key than it is asked for, when it is told to.
class ConfusedIssuer final : public pki::Issuer {
 public:
  explicit ConfusedIssuer(Road& road) : road_(road) {}
  boost::asio::awaitable<Result<pki::IssuedCertificate>> issue(pki::IssueRequest request) override {
    if (confused) {
      const auto key = need(crypto::generate_key(crypto::KeyType::p256));
      request.csr = need(crypto::Csr::from_der(need(crypto::make_csr({.subject = {}}, *key))));
    }
    auto issuing = road_.domain_ca().issue(std::move(request));
    auto issued = co_await std::move(issuing);
    if (issued) last = issued->certificate;
    co_return issued;
  }
  std::vector<crypto::Certificate> ca_certificates() const override { return road_.domain_ca().ca_certificates(); }
  bool confused = false;
  std::optional<crypto::Certificate> last;

 private:
  Road& road_;
};

class APledgeByCmp : public testing::Test {
 protected:
  // What the registrar offers besides EST, when `cmp_` is set.
  RoadOptions road_options() {
    RoadOptions options;
    options.est = est_;
    options.on_progress = [this](const Progress& progress) {
      const std::lock_guard lock(mutex_);
      told_ += progress.what + "\n";
    };
    options.more_routes = [this](net::Router& router, Road& road) {
      if (!offers_cmp_) return;
      issuer_ = std::make_unique<ConfusedIssuer>(road);
      issuer_->confused = confused_;
      pki::CmpOptions cmp = cmp_;
      if (!cmp.signer.key) cmp.signer = signer_ ? signer_(road) : road.registrar_identity();
      cmp.check_after = std::chrono::seconds(1);
      cmp.revoke = [&road](std::string serial, crypto::RevocationReason reason) {
        return road.domain_ca().revoke(serial, reason);
      };
      cmp.may_connect = [this](const net::Session&) {
        ++messages_;
        return true;
      };
      pki::add_cmp_routes(router, *issuer_, road.registrar(), std::move(cmp), cmp_clock_);
    };
    return options;
  }
  Road& road() {
    if (!road_) road_ = std::make_unique<Road>(road_options());
    return *road_;
  }
  PledgeOptions options(Enrolment enrolment, const std::string& serial_number = "1") {
    PledgeOptions options = road().pledge_options(road().born(serial_number));
    options.enrolment = enrolment;
    options.longest_pause = std::chrono::milliseconds(20);
    return options;
  }
  Result<NetworkCredential> onboard(PledgeOptions options) {
    const auto pledge = need(Pledge::open(std::move(options)));
    return road().onboard(*pledge);
  }
  bool was_told(std::string_view words) {
    const std::lock_guard lock(mutex_);
    return told_.find(words) != std::string::npos;
  }
  void refuses_answers(std::string_view words) {
    const auto got = onboard(options(Enrolment::cmp));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, pki::PkiError::bad_answer) << got.error().message;
    EXPECT_NE(got.error().message.find(words), std::string::npos) << got.error().message;
    EXPECT_TRUE(was_told("enrolment failed: bad_answer")) << told_;
  }

  pki::EstOptions est_;
  pki::CmpOptions cmp_;
  ManualClock cmp_clock_{std::chrono::floor<std::chrono::seconds>(system_clock().now())};
  std::function<crypto::TlsIdentity(Road&)> signer_;
  bool offers_cmp_ = true, confused_ = false;
  std::atomic<int> messages_ = 0;
  std::mutex mutex_;
  std::string told_;
  std::unique_ptr<ConfusedIssuer> issuer_;
  std::unique_ptr<Road> road_;
};

TEST_F(APledgeByCmp, EnrolsConfirmsAndReports) {
  const auto credential = need(onboard(options(Enrolment::cmp)));
  EXPECT_EQ(credential.ldevid.subject_serial_number(), "1");
  EXPECT_EQ(credential.ldevid.public_key(), credential.key->public_key());
  EXPECT_EQ(credential.domain_ca.front(), road().domain_ca().certificate());
  EXPECT_EQ(messages_, 3) << "getcacerts, ir, certConf";
  EXPECT_TRUE(was_told("enrollstatus: accepted. Its certificate: matching LDevID.")) << told_;  // RFC 8995 5.9.4
  // The next message of anybody ends what was not confirmed in time.
  cmp_clock_.advance(cmp_.confirm_wait + std::chrono::seconds(1));
  need(onboard(options(Enrolment::cmp, "2")));
  EXPECT_EQ(road().domain_ca().revocation(credential.ldevid.serial_hex()), std::nullopt) << "it was confirmed";
}

TEST_F(APledgeByCmp, TurnsToCmpWhereTheRegistrarOffersNoEst) {
  est_.enrolment = false;  // 501
  EXPECT_TRUE(onboard(options(Enrolment::either)));
  EXPECT_GT(messages_, 0);
}

TEST_F(APledgeByCmp, StaysWithEstWhereThatIsOffered) {
  EXPECT_TRUE(onboard(options(Enrolment::either)));
  EXPECT_EQ(messages_, 0);
}

TEST_F(APledgeByCmp, DoesNotTurnToCmpBecauseEstRefuses) {
  road().registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::deny);
  EXPECT_FALSE(onboard(options(Enrolment::either)));
  EXPECT_EQ(messages_, 0);
}

TEST_F(APledgeByCmp, FailsWhereNeitherIsOffered) {
  est_.enrolment = false;
  offers_cmp_ = false;
  const auto got = onboard(options(Enrolment::either));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, pki::PkiError::not_offered) << got.error().message;
  EXPECT_TRUE(was_told("enrolment failed: not_offered")) << told_;
}

TEST_F(APledgeByCmp, DoesNotTurnToCmpWhereItIsToldToUseEst) {
  est_.enrolment = false;
  EXPECT_FALSE(onboard(options(Enrolment::est)));
  EXPECT_EQ(messages_, 0);
}

TEST_F(APledgeByCmp, RefusesAnswersSignedByAStranger) {
  signer_ = [](Road&) {
    const auto ca = test::make_ca("another domain");
    const auto party = test::make_party(
        ca, {{"CN", "registrar"}}, [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
    return crypto::TlsIdentity{{party.certificate, ca.certificate}, party.key};
  };
  refuses_answers("the signer of the answer");
  EXPECT_EQ(messages_, 1) << "nothing more was asked";
}

TEST_F(APledgeByCmp, RefusesAnswersSignedByAMemberOfTheDomain) {
  signer_ = [](Road& road) {
    const auto key = need(crypto::generate_key(crypto::KeyType::p256));
    const auto csr = need(crypto::Csr::from_der(need(crypto::make_csr({.subject = {}}, *key))));
    const pki::IssueRequest request{csr, pki::Profile::ldevid, {{"serialNumber", "9"}}, {}, {}, {}};
    const auto issued =
        need(road.run<Result<pki::IssuedCertificate>>([&road, request] { return road.domain_ca().issue(request); }));
    return crypto::TlsIdentity{{issued.certificate, road.domain_ca().certificate()}, key};
  };
  refuses_answers("neither a registrar nor a CA");
}

TEST_F(APledgeByCmp, HasACertificateForAnotherKeyRevoked) {
  confused_ = true;
  const auto got = onboard(options(Enrolment::cmp));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::bad_certificate) << got.error().message;
  ASSERT_TRUE(issuer_->last.has_value());
  EXPECT_TRUE(road().domain_ca().revocation(issuer_->last->serial_hex()).has_value());
}

TEST_F(APledgeByCmp, PollsUntilTheRegistrarHasDecided) {
  road().registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::later);
  PledgeOptions patient = options(Enrolment::cmp);
  std::atomic<int> waits = 0;
  patient.on_progress = [&](const Progress& progress) {
    if (progress.what.find("not decided") == std::string::npos || ++waits < 3) return;
    road().registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::permit);
  };
  const auto got = onboard(patient);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_GE(waits, 3);
}

TEST_F(APledgeByCmp, GivesUpWhenItsPatienceEnds) {
  road().registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::later);
  PledgeOptions impatient = options(Enrolment::cmp);
  impatient.patience = std::chrono::milliseconds(10);
  const auto got = onboard(impatient);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::gave_up) << got.error().message;
}

TEST_F(APledgeByCmp, BeginsAnewWhereTheRegistrarForgotWhatWaits) {
  road().registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::later);
  PledgeOptions patient = options(Enrolment::cmp);
  std::atomic<int> waits = 0;
  patient.on_progress = [&](const Progress& progress) {
    if (progress.what.find("not decided") == std::string::npos || ++waits != 2) return;
    cmp_clock_.advance(cmp_.poll_wait + std::chrono::seconds(1));  // its transaction is over
    road().registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::permit);
  };
  const auto got = onboard(patient);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(waits, 3) << "one more, for the transaction that was forgotten";
}

}  // namespace
}  // namespace cahn::brski
