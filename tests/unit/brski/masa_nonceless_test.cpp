// Nonceless vouchers (RFC 8995 5.5.1, 5.5.4, 5.6), and revocation lists (5.5.3), which bound them.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/digest.h"
#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using test::need;
using test::TestDomain;
using std::chrono::minutes;

class ANoncelessVoucher : public test::MasaTest {
 protected:
  explicit ANoncelessVoucher(const std::function<void(MasaTenant&)>& change = [](auto&) {})
      : MasaTest(with(change, &clock())) {}
  static ManualClock& clock() {
    static ManualClock clock(system_clock().now());
    return clock;
  }
  void SetUp() override { clock().set(std::chrono::floor<std::chrono::seconds>(system_clock().now())); }

  net::HttpResponse ask_nonceless(const TestDomain& domain, const test::Change& change = {}) {
    return ask(nonceless_request_of(domain.identity(), device_, change), domain.identity());
  }
  static crypto::Crl list_of(const test::Party& ca, std::vector<crypto::RevokedEntry> entries,
                             std::chrono::seconds lasts = std::chrono::days(1)) {
    crypto::CrlSpec spec;
    spec.this_update = clock().now() - std::chrono::hours(1);
    spec.next_update = std::chrono::floor<std::chrono::seconds>(clock().now()) + lasts;
    spec.entries = std::move(entries);
    return need(crypto::Crl::from_der(need(crypto::make_crl(spec, ca.certificate, *ca.key))));
  }
};

TEST_F(ANoncelessVoucher, HasNoNonceButAnEnd) {
  sell_to(ann_);
  const auto voucher = voucher_in(ask_nonceless(ann_));
  EXPECT_FALSE(voucher.nonce);
  EXPECT_EQ(voucher.expires_on, clock().now() + minutes(20));
  EXPECT_EQ(voucher.last_renewal_date, ann_.ca.certificate.not_after());
  EXPECT_EQ(voucher.assertion, voucher::Assertion::verified);
  EXPECT_EQ(voucher.created_on, clock().now());
  EXPECT_EQ(voucher.pinned_domain_cert, ann_.ca.certificate);
  EXPECT_EQ(voucher.idevid_issuer, device_.certificate().authority_key_identifier_der());
  ASSERT_EQ(log().events.size(), 1u);
  EXPECT_FALSE(log().events[0].nonce);
  const auto answer = audit(nonceless_request_of(ann_.identity(), device_));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  EXPECT_TRUE(nlohmann::json::parse(as_text(answer.body))["events"][0]["nonce"].is_null());
}

TEST_F(ANoncelessVoucher, IsBelievedByAPledge) {
  sell_to(ann_);
  const auto answer = ask_nonceless(ann_);
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  const voucher::PledgeExpectation pledge{.idevid = device_.certificate(),
                                          .nonce = voucher::fresh_nonce(),
                                          .now = clock().now(),
                                          .masa_anchors = crypto::TrustStore({road_.maker().masa.certificate})};
  EXPECT_TRUE(voucher::read_as_pledge(answer.body, pledge).has_value());
}

TEST_F(ANoncelessVoucher, IsOnlyForTheOwnerThatASaleNames) {
  expect_refused(ask_nonceless(ann_), 403, "a sale names");
  sell_to(bob_);
  expect_refused(ask_nonceless(ann_), 403, "a sale names");
  EXPECT_TRUE(log().events.empty());
}

TEST_F(ANoncelessVoucher, IsOnlyForARegistrarThatIsAuthenticated) {
  sell_to(ann_);
  const Bytes request = nonceless_request_of(ann_.identity(), device_);
  expect_refused(ask(request), 403, "authenticated registrar");
  expect_refused(ask(request, bob_.identity()), 403, "authenticated registrar");
  EXPECT_TRUE(log().events.empty());
  EXPECT_EQ(ask(request, ann_.another().identity()).status, 200);
}

TEST_F(ANoncelessVoucher, IsLeftToNoncedRequestsToo) {
  sell_to(ann_);
  const auto voucher = voucher_in(ask_of(ann_));
  EXPECT_TRUE(voucher.nonce);
  EXPECT_FALSE(voucher.expires_on) << "never both (RFC 8366 5.3)";
  EXPECT_FALSE(voucher.last_renewal_date);
}

TEST_F(ANoncelessVoucher, MayBeAskedForWithThePledgesRequestWhichThenMustHold) {
  sell_to(ann_);
  const auto without_nonce = [](auto& own) { own.nonce.reset(); };
  EXPECT_FALSE(voucher_in(ask(request_of(ann_.identity(), device_, without_nonce), ann_.identity())).nonce);
  const Bytes prior = test::signed_pledge_request(device_, bob_.registrar.certificate);
  const Bytes stolen = nonceless_request_of(ann_.identity(), device_,
                                            [&](auto& own) { own.prior_signed_voucher_request = prior; });
  expect_refused(ask(stolen, ann_.identity()), 403, "another registrar");
}

TEST_F(ANoncelessVoucher, IsNotForDevicesThatAreUnknown) {
  sell_to(ann_);
  expect_refused(ask_nonceless(ann_, [](auto& own) { own.serial_number = "2"; }), 404, "no device");
  expect_refused(ask_nonceless(ann_, [](auto& own) { own.idevid_issuer = Bytes{1, 2, 3}; }), 404, "no device");
  EXPECT_EQ(ask_nonceless(ann_, [](auto& own) { own.idevid_issuer.reset(); }).status, 200) << "one device has it";
  const auto bare = device_.certificate().authority_key_identifier();
  EXPECT_EQ(ask_nonceless(ann_, [&](auto& own) { own.idevid_issuer = bare; }).status, 200) << "decision 4";
}

TEST_F(ANoncelessVoucher, IsRepeatedWhileItIsValidAndRenewedAfterwards) {  // RFC 8995 5.5.1
  sell_to(ann_);
  const Bytes request = nonceless_request_of(ann_.identity(), device_);
  const auto first = ask(request, ann_.identity());
  ASSERT_EQ(first.status, 200);
  clock().advance(minutes(19));
  EXPECT_EQ(ask(request, ann_.identity()).body, first.body) << "the same request, the same answer";
  EXPECT_EQ(log().events.at(0).truncated, 0u);
  clock().advance(minutes(2));
  const auto renewed = voucher_in(ask(request, ann_.another().identity()));
  EXPECT_EQ(renewed.expires_on, clock().now() + minutes(20));
  ASSERT_EQ(log().events.size(), 1u);
  EXPECT_EQ(log().events[0].truncated, 1u) << "and the renewal is logged";
  EXPECT_EQ(log().events[0].date, clock().now());
}

TEST_F(ANoncelessVoucher, IsNotRenewedAfterAResaleOrTheRegistrarsRevocation) {
  sell_to(ann_);
  ASSERT_EQ(ask_nonceless(ann_).status, 200);
  clock().advance(minutes(21));
  road_.masa().replace_revocation_lists({list_of(ann_.ca, {{ann_.registrar.certificate.serial_hex(), clock().now()}})});
  expect_refused(ask_nonceless(ann_), 403, "revoked");
  road_.masa().replace_revocation_lists({});
  EXPECT_EQ(ask_nonceless(ann_).status, 200);
  sell_to(bob_);
  expect_refused(ask_nonceless(ann_), 403, "a sale names");
}

TEST_F(ANoncelessVoucher, EndsBeforeTheRegistrarsCertificate) {
  sell_to(ann_);
  const auto brief = TestDomain::under(ann_.ca, [](auto& spec) { spec.not_after = clock().now() + minutes(5); });
  const auto voucher = voucher_in(ask_nonceless(brief));
  EXPECT_LT(*voucher.expires_on, clock().now() + minutes(5));
  EXPECT_GT(*voucher.expires_on, clock().now() + minutes(4));
}

TEST_F(ANoncelessVoucher, EndsBeforeTheRevocationListAndTheOwnership) {
  sell_to(ann_.owner(), {}, rfc3339(clock().now() + minutes(10)));
  auto voucher = voucher_in(ask_nonceless(ann_));
  EXPECT_LT(*voucher.expires_on, clock().now() + minutes(10));
  EXPECT_EQ(voucher.last_renewal_date, clock().now() + minutes(10));
  road_.masa().replace_revocation_lists({list_of(ann_.ca, {}, minutes(3))});
  voucher = voucher_in(ask_nonceless(ann_));
  EXPECT_LT(*voucher.expires_on, clock().now() + minutes(3));
}

class ALongLivedNoncelessVoucher : public ANoncelessVoucher {
 protected:
  ALongLivedNoncelessVoucher()
      : ANoncelessVoucher([](auto& maker) { maker.nonceless_lifetime = std::chrono::days(10'000); }) {}
};

TEST_F(ALongLivedNoncelessVoucher, EndsWithThePinnedCertificateAtTheLatest) {  // RFC 8995 7.4.1; RFC 8366 5.3
  sell_to(ann_);
  const auto voucher = voucher_in(ask_nonceless(ann_));
  EXPECT_GT(*voucher.expires_on, clock().now() + std::chrono::days(300));
  EXPECT_LT(*voucher.expires_on, ann_.ca.certificate.not_after());
}

class AMakerWithoutNoncelessVouchers : public ANoncelessVoucher {
 protected:
  AMakerWithoutNoncelessVouchers() : ANoncelessVoucher([](auto& maker) { maker.nonceless = false; }) {}
};

TEST_F(AMakerWithoutNoncelessVouchers, RefusesThemEvenToOwners) {
  sell_to(ann_);
  expect_refused(ask_nonceless(ann_), 403, "no nonceless vouchers");
}

class AMasaThatKnowsItsCustomersCa : public ANoncelessVoucher {
 protected:
  AMasaThatKnowsItsCustomersCa()
      : ANoncelessVoucher(
            [](auto& maker) { maker.registrar_anchors = crypto::TrustStore({customers().certificate}); }) {}
  static const test::Party& customers() {
    static const test::Party party = test::make_ca("Customers of Acme");
    return party;
  }
};

TEST_F(AMasaThatKnowsItsCustomersCa, TakesItsRegistrarsAsAuthenticatedByTheirSignatureOrTls) {  // RFC 8995 5.5.4
  const auto signer = TestDomain::under(customers());
  sell_to("spki-sha256:" + hex(crypto::sha256(signer.registrar.certificate.public_key().spki())));
  EXPECT_EQ(ask(nonceless_request_of(signer.identity(), device_)).status, 200) << "the signature alone";
  sell_to(ann_);
  const Bytes of_ann = nonceless_request_of(ann_.identity(), device_);
  expect_refused(ask(of_ann), 403, "authenticated registrar");
  EXPECT_EQ(ask(of_ann, signer.identity()).status, 200) << "a TLS client certificate of a customer";
}

class APledgesRequestThatMayBeMissing : public test::MasaTest {
 protected:
  APledgesRequestThatMayBeMissing() : MasaTest(with([](auto& maker) { maker.prior_request_required = false; })) {}
};

TEST_F(APledgesRequestThatMayBeMissing, MakesAVoucherThatIsMerelyLogged) {
  const auto voucher =
      voucher_in(ask(nonceless_request_of(ann_.identity(), device_, [](auto& own) { own.nonce = "bm9uY2U="; })));
  EXPECT_EQ(voucher.assertion, voucher::Assertion::logged);
  EXPECT_EQ(voucher.nonce, "bm9uY2U=");
  EXPECT_EQ(log().events.at(0).assertion, voucher::Assertion::logged);
}

TEST_F(APledgesRequestThatMayBeMissing, MakesNoProofOfARegistrarsOwnWord) {  // RFC 8995 5.5
  const auto voucher = voucher_in(ask(nonceless_request_of(ann_.identity(), device_, [&](auto& own) {
    own.nonce = "bm9uY2U=";
    own.assertion = voucher::Assertion::proximity;
    own.proximity_registrar_cert = ann_.registrar.certificate;
  })));
  EXPECT_EQ(voucher.assertion, voucher::Assertion::logged);
}

// --- revocation lists ---------------------------------------------------------------------------------------------

class ARevokedRegistrar : public ANoncelessVoucher {};

TEST_F(ARevokedRegistrar, GetsNoVoucher) {
  road_.masa().replace_revocation_lists({list_of(ann_.ca, {{ann_.registrar.certificate.serial_hex(), clock().now()}})});
  expect_refused(ask_of(ann_), 403, "revoked");
  EXPECT_EQ(ask_of(ann_.another()).status, 200);
  EXPECT_EQ(ask_of(bob_).status, 200) << "another CA's registrars are not concerned";
}

TEST_F(ARevokedRegistrar, IsNotJudgedByTheListOfAnotherCaOfTheSameName) {
  const test::Party twin = test::make_ca("Ann");
  ASSERT_EQ(twin.certificate.subject(), ann_.ca.certificate.subject());
  road_.masa().replace_revocation_lists({list_of(twin, {{ann_.registrar.certificate.serial_hex(), clock().now()}})});
  EXPECT_EQ(ask_of(ann_).status, 200);
}

TEST_F(ARevokedRegistrar, CannotHideBehindAListThatIsOutOfDate) {
  road_.masa().replace_revocation_lists({list_of(ann_.ca, {}, minutes(1))});
  EXPECT_EQ(ask_of(ann_).status, 200);
  clock().advance(minutes(2));
  expect_refused(ask_of(ann_), 503, "out of date");
}

class AMasaThatDemandsRevocationLists : public test::MasaTest {
 protected:
  AMasaThatDemandsRevocationLists() : MasaTest(options()) {}
  static test::RoadOptions options() {
    test::RoadOptions options;
    options.change_masa = [](MasaOptions& masa) { masa.revocation_required = true; };
    return options;
  }
};

TEST_F(AMasaThatDemandsRevocationLists, RefusesRegistrarsWhoseCaHasNone) {
  expect_refused(ask_of(ann_), 403, "no revocation list");
  expect_refused(ask(request_of(ann_.end_entity(), device_)), 403, "does not bring the CA");
}

}  // namespace
}  // namespace cahn::brski
