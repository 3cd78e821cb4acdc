// RFC 8995 5.5.3: the MASA asks where a registrar's chain says that its revocation is told, and only where it may.

#include "brski/masa_revocation.h"

#include <gtest/gtest.h>

#include <atomic>

#include "masa_fixture.h"
#include "revocation_evidence.h"

namespace cahn::brski {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using test::list_by;
using test::need;
using test::OcspStatus;
using test::Party;
using test::TestDomain;

ManualClock& the_clock() {
  static ManualClock clock(system_clock().now());
  return clock;
}

// A CA's own server, before the MASA that is told of it.
struct CaSite {
  CaSite() {
    runtime_.start();
    the_clock().set(std::chrono::floor<std::chrono::seconds>(system_clock().now()));
    net::Router router;
    const auto route = [&](const char* method, const char* path, std::atomic<int>& count, auto& answer) {
      router.on(method, path, [&count, &answer](net::HttpRequest request, const net::Session&) {
        ++count;
        return give(answer ? answer(request) : net::HttpResponse::text(500, "nothing today"));
      });
    };
    route("POST", "/ocsp", ocsp_asked_, on_ocsp_);
    route("GET", "/list", list_asked_, on_list_);
    const Party web = test::make_ca("the CA's web server");
    site_.emplace(runtime_, crypto::TlsIdentity{{web.certificate}, web.key}, std::move(router), "domain CA");
  }
  static net::awaitable<net::HttpResponse> give(net::HttpResponse response) { co_return response; }
  std::string url(const char* path) const { return "https://" + site_->authority() + path; }

  void answer_ocsp(const Party& signer, OcspStatus status) {
    on_ocsp_ = [signer, status](const net::HttpRequest& request) {
      return net::HttpResponse::of(200, "application/ocsp-response",
                                   test::response_to(request.body, signer, status, the_clock().now()));
    };
  }
  void answer_list(const crypto::Crl& list) {
    on_list_ = [list](const net::HttpRequest&) {
      return net::HttpResponse::of(200, "application/pkix-crl", list.der());
    };
  }

  net::Runtime runtime_{2};
  std::atomic<int> ocsp_asked_ = 0, list_asked_ = 0;
  std::function<net::HttpResponse(const net::HttpRequest&)> on_ocsp_, on_list_;
  std::optional<test::Site> site_;
};

class AMasaThatLooksRegistrarsUp : public CaSite, public test::MasaTest {
 protected:
  explicit AMasaThatLooksRegistrarsUp(bool required = false, bool allowed = true)
      : MasaTest(masa_options(required, allowed ? site_->authority() : "ca.example")) {}
  static test::RoadOptions masa_options(bool required, const std::string& host) {
    test::RoadOptions options;
    options.masa_clock = &the_clock();
    options.change_masa = [=](MasaOptions& masa) {
      masa.revocation_required = required;
      masa.revocation_lookup.hosts = {host};
    };
    return options;
  }
  TestDomain domain(bool ocsp, bool list) const {
    return TestDomain::make("Dora", [&](auto& spec) {
      if (ocsp) spec.ocsp_url = url("/ocsp");
      if (list) spec.crl_url = url("/list");
    });
  }
  const TestDomain with_both_ = domain(true, true), with_ocsp_ = domain(true, false), with_list_ = domain(false, true);
};

TEST_F(AMasaThatLooksRegistrarsUp, AsksTheResponderOnceUntilItsAnswerRunsOut) {
  answer_ocsp(with_both_.ca, OcspStatus::good);
  EXPECT_EQ(ask_of(with_both_).status, 200);
  EXPECT_EQ(ask_of(with_both_).status, 200);
  EXPECT_EQ(ocsp_asked_, 1);
  EXPECT_EQ(list_asked_, 0) << "OCSP says it";
  the_clock().advance(hours(2));
  EXPECT_EQ(ask_of(with_both_).status, 200);
  EXPECT_EQ(ocsp_asked_, 2);
}

TEST_F(AMasaThatLooksRegistrarsUp, RefusesWhoTheResponderCallsRevoked) {
  answer_ocsp(with_ocsp_.ca, OcspStatus::revoked);
  expect_refused(ask_of(with_ocsp_), 403, "revoked");
  expect_refused(audit(request_of(with_ocsp_.identity(), device_)), 403, "revoked");
  EXPECT_TRUE(log().events.empty());
}

TEST_F(AMasaThatLooksRegistrarsUp, ReadsTheListWhereTheResponderIsSilent) {
  answer_list(list_by(with_both_.ca, {with_both_.registrar.certificate}, the_clock().now()));
  expect_refused(ask_of(with_both_), 403, "revoked");
  EXPECT_EQ(ocsp_asked_, 1);
  EXPECT_EQ(list_asked_, 1);
}

TEST_F(AMasaThatLooksRegistrarsUp, ReadsOneListForAllRegistrarsOfACa) {
  const TestDomain other = TestDomain::under(with_list_.ca, [&](auto& spec) { spec.crl_url = url("/list"); });
  answer_list(list_by(with_list_.ca, {other.registrar.certificate}, the_clock().now()));
  EXPECT_EQ(ask_of(with_list_).status, 200);
  expect_refused(ask_of(other), 403, "revoked");
  EXPECT_EQ(list_asked_, 1);
  the_clock().advance(hours(2));
  answer_list(list_by(with_list_.ca, {with_list_.registrar.certificate}, the_clock().now()));
  expect_refused(ask_of(with_list_), 403, "revoked");
  EXPECT_EQ(list_asked_, 2);
}

TEST_F(AMasaThatLooksRegistrarsUp, GoesOnWithoutWhatItDoesNotLearnUnlessItIsDemanded) {
  EXPECT_EQ(ask_of(with_both_).status, 200);
  EXPECT_EQ(ask_of(with_both_).status, 200);
  EXPECT_EQ(ocsp_asked_, 1) << "a failure is remembered for a moment too";
  EXPECT_EQ(list_asked_, 1);
  the_clock().advance(minutes(1));
  answer_ocsp(with_both_.ca, OcspStatus::revoked);
  expect_refused(ask_of(with_both_), 403, "revoked");
}

TEST_F(AMasaThatLooksRegistrarsUp, AsksNobodyForDevicesThatAreNotItsMakers) {
  const test::Device stranger = test::make_device(test::Maker::make("Other"), "9", "masa.example");
  EXPECT_EQ(ask(request_of(with_both_.identity(), stranger)).status, 404);
  EXPECT_EQ(ocsp_asked_ + list_asked_, 0);
}

TEST_F(AMasaThatLooksRegistrarsUp, BelievesWhatTheRequestBringsAlongAndDoesNotAsk) {
  const auto bringing = [&](const std::vector<crypto::Certificate>& revoked) {
    return ask(test::with_lists(request_of(with_both_.identity(), device_),
                                {list_by(with_both_.ca, revoked, the_clock().now())}));
  };
  EXPECT_EQ(bringing({}).status, 200);
  expect_refused(bringing({with_both_.registrar.certificate}), 403, "revoked");
  EXPECT_EQ(ocsp_asked_ + list_asked_, 0);
}

TEST_F(AMasaThatLooksRegistrarsUp, EndsVouchersWithoutNonceBeforeTheListButNotWithTheResponse) {  // RFC 8995 5.6
  sell_to(with_both_);
  const auto expiry = [&] {
    const auto answer = ask(nonceless_request_of(with_both_.identity(), device_), with_both_.identity());
    return voucher_in(answer).expires_on;
  };
  on_ocsp_ = [&](const net::HttpRequest& request) {
    return net::HttpResponse::of(
        200, "application/ocsp-response",
        test::response_to(request.body, with_both_.ca, OcspStatus::good, the_clock().now(), minutes(1)));
  };
  EXPECT_EQ(expiry(), the_clock().now() + minutes(20));
  the_clock().advance(minutes(30));
  on_ocsp_ = {};
  answer_list(list_by(with_both_.ca, {}, the_clock().now(), minutes(10)));
  EXPECT_EQ(expiry(), the_clock().now() + minutes(10) - std::chrono::seconds(1));
}

class AMasaThatDemandsToKnow : public AMasaThatLooksRegistrarsUp {
 protected:
  AMasaThatDemandsToKnow() : AMasaThatLooksRegistrarsUp(true) {}
};

TEST_F(AMasaThatDemandsToKnow, RefusesForNowWhoIsNotKnownToBeGood) {
  expect_refused(ask_of(with_both_), 503, "cannot learn it");
  EXPECT_EQ(ocsp_asked_, 1);
  the_clock().advance(minutes(1));
  answer_ocsp(with_both_.ca, OcspStatus::unknown);
  expect_refused(ask_of(with_both_), 503, "cannot learn it");
  the_clock().advance(hours(2));
  answer_list(list_by(with_both_.ca, {}, the_clock().now()));
  EXPECT_EQ(ask_of(with_both_).status, 200);
}

TEST_F(AMasaThatDemandsToKnow, BelievesNobodyButTheCa) {
  const Party namesake = test::make_ca("Dora");
  answer_ocsp(namesake, OcspStatus::good);
  answer_list(list_by(namesake, {}, the_clock().now()));
  expect_refused(ask_of(with_both_), 503, "cannot learn it");
}

TEST_F(AMasaThatDemandsToKnow, FollowsNoRedirect) {
  answer_list(list_by(with_ocsp_.ca, {}, the_clock().now()));
  on_ocsp_ = [&](const net::HttpRequest&) {
    auto elsewhere = net::HttpResponse::text(302, "");
    elsewhere.headers.set("Location", url("/list"));
    return elsewhere;
  };
  expect_refused(ask_of(with_ocsp_), 503, "cannot learn it");
  EXPECT_EQ(list_asked_, 0);
}

class AMasaThatMayNotAskThisHost : public AMasaThatLooksRegistrarsUp {
 protected:
  AMasaThatMayNotAskThisHost() : AMasaThatLooksRegistrarsUp(true, false) {}
};

TEST_F(AMasaThatMayNotAskThisHost, DoesNotAskItWhateverAChainSays) {
  answer_ocsp(with_both_.ca, OcspStatus::good);
  answer_list(list_by(with_both_.ca, {}, the_clock().now()));
  expect_refused(ask_of(with_both_), 503, "cannot learn it");
  EXPECT_EQ(ocsp_asked_ + list_asked_, 0);
}

TEST(TheHostsAMasaMayAsk, AreNamesOrAddressesWithOrWithoutAPort) {
  for (const char* good : {"ca.example", "ca.example:8080", "192.0.2.1", "[2001:db8::1]:80"})
    EXPECT_TRUE(RevocationSources::create({.hosts = {good}})) << good;
  for (const char* bad : {"", "http://ca.example/", "ca.example:0x50", "[2001:db8::1"})
    EXPECT_FALSE(RevocationSources::create({.hosts = {bad}})) << bad;
}

}  // namespace
}  // namespace cahn::brski
