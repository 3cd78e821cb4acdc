// What a MASA refuses, and what it writes down first.

#include "brski/masa.h"

#include <gtest/gtest.h>

#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using admission::PolicyPoint;
using test::Change;
using test::Device;
using test::need;
using test::Road;

class AMasa : public testing::Test {
 protected:
  // A request whose two layers can be changed, each alone.
  struct Wrong {
    Change prior, own;
    std::optional<crypto::TlsIdentity> registrar;
    std::optional<Device> signer_of_prior;
  };
  Bytes request(const Wrong& wrong) {
    const crypto::TlsIdentity registrar = wrong.registrar.value_or(with_domain_ca(road_.registrar_identity()));
    voucher::Voucher prior = test::pledge_request(device_, registrar.chain.front());
    const std::string nonce = *prior.nonce;
    if (wrong.prior) wrong.prior(prior);
    const Device& signer = wrong.signer_of_prior ? *wrong.signer_of_prior : device_;
    const Bytes signed_prior = test::sign_as(signer.idevid, prior, voucher::Root::voucher_request);
    return test::signed_registrar_request(registrar, device_, signed_prior, nonce, wrong.own);
  }
  crypto::TlsIdentity with_domain_ca(crypto::TlsIdentity identity) const {
    identity.chain.push_back(road_.domain_ca().certificate());
    return identity;
  }
  net::HttpResponse ask(const Bytes& body) {
    return need(test::request_voucher(road_, road_.masa_endpoint(), road_.registrar_identity(), body));
  }
  std::size_t logged() const { return need(road_.masa().audit_log(device_.certificate())).events.size(); }

  void expect_refused(int status, const Wrong& wrong, std::string_view naming) {
    const std::size_t before = logged();
    const auto answer = ask(request(wrong));
    EXPECT_EQ(answer.status, status) << as_text(answer.body);
    EXPECT_EQ(answer.headers.get("Content-Type"), "text/plain; charset=utf-8");  // RFC 8995 5.6
    EXPECT_NE(as_text(answer.body).find(naming), std::string_view::npos) << as_text(answer.body);
    EXPECT_EQ(logged(), before) << "a refusal is no entry of the audit log";
    EXPECT_EQ(ask(request({})).status, 200) << "the next honest request works";
  }

  mutable Road road_;
  Device device_ = road_.born("1");
};

TEST_F(AMasa, AnswersAGoodRequestWithAVoucherAsRfc8995Section56WantsIt) {
  const auto answer = ask(request({}));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  EXPECT_EQ(answer.headers.get("Content-Type"), voucher::media_type_cms);
  const auto opened = need(voucher::open(answer.body, voucher::Root::voucher));
  EXPECT_EQ(opened.signer, road_.maker().masa.certificate);
  EXPECT_TRUE(opened.voucher.created_on);
  EXPECT_EQ(opened.voucher.assertion, voucher::Assertion::proximity);
  EXPECT_EQ(opened.voucher.serial_number, "1");
  EXPECT_TRUE(opened.voucher.nonce);
  EXPECT_FALSE(opened.voucher.expires_on) << "decision 2: never with a nonce";
  EXPECT_EQ(opened.voucher.pinned_domain_cert, road_.domain_ca().certificate());
  EXPECT_EQ(opened.voucher.idevid_issuer, device_.certificate().authority_key_identifier_der());
  EXPECT_FALSE(opened.voucher.prior_signed_voucher_request);
  EXPECT_EQ(logged(), 1u);
}

TEST_F(AMasa, LogsTheVoucherBeforeItLeaves) {
  const auto answer = ask(request({}));
  ASSERT_EQ(answer.status, 200);
  // The event log holds the very bytes, committed by the time the answer is out.
  const auto events = need(road_.masa_store().read(1, 100));
  const auto issued = std::ranges::find_if(events, [](const auto& e) { return e.type == "voucher_issued"; });
  ASSERT_NE(issued, events.end());
  EXPECT_EQ(issued->payload, answer.body);
}

TEST_F(AMasa, RefusesASignerWithoutCmcRA) {
  const test::Party domain = test::make_ca("domain");
  const test::Party ordinary =
      test::make_party(domain, {{"CN", "web"}}, [](auto& spec) { spec.extended_key_usage = {"serverAuth"}; });
  Wrong wrong;
  wrong.registrar = crypto::TlsIdentity{{ordinary.certificate, domain.certificate}, ordinary.key};
  expect_refused(403, wrong, "cmcRA");
}

TEST_F(AMasa, TakesARegistrarItHasNeverSeen) {  // RFC 8995 5.5.3, so that the test above fails for its reason alone
  const test::Party domain = test::make_ca("domain");
  const test::Party registrar = test::make_party(
      domain, {{"CN", "registrar"}}, [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
  Wrong wrong;
  wrong.registrar = crypto::TlsIdentity{{registrar.certificate, domain.certificate}, registrar.key};
  const auto answer = ask(request(wrong));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  const auto opened = need(voucher::open(answer.body, voucher::Root::voucher));
  EXPECT_EQ(opened.voucher.pinned_domain_cert, domain.certificate);
}

TEST_F(AMasa, PinsTheNewRootOfADomainThatChangedItsCasKeyWhereverTheBridgeStands) {  // RFC 7030 4.1.3
  const test::Party old_root = test::make_ca("domain"), new_root = test::make_ca("domain");
  const test::Party registrar = test::make_party(
      new_root, {{"CN", "registrar"}}, [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
  const crypto::CertificateSpec spec{.subject = new_root.certificate.subject(),
                                     .key = new_root.certificate.public_key(),
                                     .not_before = new_root.certificate.not_before(),
                                     .not_after = new_root.certificate.not_after(),
                                     .ca = true};
  const auto bridge = need(crypto::issue_certificate(spec, *old_root.key, &old_root.certificate));
  for (const auto& chain : {std::vector{registrar.certificate, bridge, new_root.certificate},
                            std::vector{registrar.certificate, new_root.certificate, bridge}}) {
    Wrong wrong;
    wrong.registrar = crypto::TlsIdentity{chain, registrar.key};
    const auto answer = ask(request(wrong));
    ASSERT_EQ(answer.status, 200) << as_text(answer.body);
    const auto opened = need(voucher::open(answer.body, voucher::Root::voucher));
    EXPECT_EQ(opened.voucher.pinned_domain_cert, new_root.certificate);
  }
}

TEST_F(AMasa, PinsTheEndEntityOfAChainOfOne) {
  Wrong wrong;
  wrong.registrar = road_.registrar_identity();
  const auto answer = ask(request(wrong));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  EXPECT_EQ(need(voucher::open(answer.body, voucher::Root::voucher)).voucher.pinned_domain_cert,
            road_.registrar_identity().chain.front());
}

TEST_F(AMasa, RefusesAChainThatDoesNotHold) {
  const test::Party domain = test::make_ca("domain");
  const test::Party twin = test::make_ca("domain");  // the same name, another key
  const test::Party registrar = test::make_party(
      domain, {{"CN", "registrar"}}, [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
  const crypto::TlsIdentity identity{{registrar.certificate, twin.certificate}, registrar.key};
  // Only what the signer's chain reaches may be pinned: not the twin.
  Wrong wrong;
  wrong.registrar = identity;
  const auto answer = ask(request(wrong));
  if (answer.status == 200) {
    EXPECT_EQ(need(voucher::open(answer.body, voucher::Root::voucher)).voucher.pinned_domain_cert,
              registrar.certificate);
  } else {
    EXPECT_EQ(answer.status, 403);
  }
}

TEST_F(AMasa, RefusesAnExpiredRegistrar) {
  const test::Party domain = test::make_ca("domain");
  const test::Party registrar = test::make_party(domain, {{"CN", "registrar"}}, [](auto& spec) {
    spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)};
    spec.not_before -= std::chrono::hours(48);
    spec.not_after = spec.not_before + std::chrono::hours(1);
  });
  Wrong wrong;
  wrong.registrar = crypto::TlsIdentity{{registrar.certificate, domain.certificate}, registrar.key};
  expect_refused(403, wrong, "chain");
}

TEST_F(AMasa, RefusesAPledgeThatSawAnotherRegistrar) {
  const test::Party other = test::make_ca("other");
  expect_refused(403, {.prior = [&](auto& prior) { prior.proximity_registrar_cert = other.certificate; }},
                 "another registrar");
}

TEST_F(AMasa, DoesNotTakeACertificateThatIsMerelyCarriedForTheRegistrarThatWasSeen) {
  // Whoever stuffs the certificate the pledge saw into a request of its own is not the one who was seen.
  crypto::TlsIdentity stuffed = with_domain_ca(road_.registrar_identity());
  const test::Party seen = test::make_ca("the registrar that was seen");
  stuffed.chain.push_back(seen.certificate);
  Wrong wrong;
  wrong.registrar = stuffed;
  wrong.prior = [&](auto& prior) { prior.proximity_registrar_cert = seen.certificate; };
  expect_refused(403, wrong, "another registrar");
}

TEST_F(AMasa, RefusesAPledgeThatAssertsNoProximity) {
  expect_refused(403, {.prior = [](auto& prior) { prior.proximity_registrar_cert.reset(); }}, "proximity");
  expect_refused(403, {.prior = [](auto& prior) { prior.assertion = voucher::Assertion::logged; }}, "proximity");
}

TEST_F(AMasa, RefusesARequestWithoutThePledgesOwn) {
  expect_refused(403, {.own = [](auto& own) { own.prior_signed_voucher_request.reset(); }}, "prior-signed");
}

TEST_F(AMasa, RefusesAPledgesRequestThatIsBroken) {
  expect_refused(406, {.own = [](auto& own) { own.prior_signed_voucher_request->resize(100); }}, "prior-signed");
  const auto answer = ask(request({.own = [](auto& own) { own.prior_signed_voucher_request->back() ^= 1; }}));
  EXPECT_TRUE(answer.status == 403 || answer.status == 406) << answer.status;
}

TEST_F(AMasa, RefusesSerialNumbersThatDoNotAgree) {
  expect_refused(403, {.own = [](auto& own) { own.serial_number = "2"; }}, "serial-number");
  expect_refused(403, {.prior = [](auto& prior) { prior.serial_number = "2"; }}, "serial-number");
  Wrong wrong;
  wrong.signer_of_prior = road_.born("2");
  expect_refused(403, wrong, "serial-number");
}

TEST_F(AMasa, RefusesNoncesThatDoNotAgree) {
  expect_refused(403, {.own = [](auto& own) { own.nonce = voucher::fresh_nonce(); }}, "nonce");
  expect_refused(403, {.prior = [](auto& prior) { prior.nonce = voucher::fresh_nonce(); }}, "nonce");
  expect_refused(403, {.own = [](auto& own) { own.nonce.reset(); }}, "nonceless");
  expect_refused(403, {.prior = [](auto& prior) { prior.nonce.reset(); }, .own = [](auto& own) { own.nonce.reset(); }},
                 "nonceless");
}

TEST_F(AMasa, RefusesAnIssuerThatIsNotTheIDevIDs) {
  expect_refused(403, {.own = [](auto& own) { own.idevid_issuer = Bytes{0x30, 0x03, 0x80, 0x01, 0x07}; }},
                 "idevid-issuer");
}

TEST_F(AMasa, RefusesADeviceItNeverHeardOf) {
  device_ = test::make_device(road_.maker(), "unborn", road_.masa_authority());
  const auto answer = ask(request({}));
  EXPECT_EQ(answer.status, 404) << as_text(answer.body);
  EXPECT_EQ(logged(), 0u);
  road_.tell_masa(device_);
  EXPECT_EQ(ask(request({})).status, 200);
}

TEST_F(AMasa, RefusesADeviceBornWithAnotherKey) {
  device_ = test::make_device(road_.maker(), "1", road_.masa_authority());  // the same serial number once more
  EXPECT_EQ(ask(request({})).status, 403);
}

TEST_F(AMasa, RefusesADeviceOfAnotherCA) {
  Wrong wrong;
  wrong.signer_of_prior = test::make_device(test::Maker::make("Other"), "1", road_.masa_authority());
  expect_refused(404, wrong, "maker");
}

TEST_F(AMasa, RefusesAPledgesRequestSignedByTheManufacturersCAItself) {
  Wrong wrong;
  wrong.signer_of_prior = Device{"1", {{road_.maker().ca.certificate}, road_.maker().ca.key}};
  expect_refused(404, wrong, "maker");
}

TEST_F(AMasa, RefusesAPledgesRequestSignedByASubordinateCA) {
  Wrong wrong;
  wrong.signer_of_prior =
      test::make_device(road_.maker(), "1", road_.masa_authority(), [](auto& spec) { spec.ca = true; });
  expect_refused(404, wrong, "maker");
}

TEST_F(AMasa, RefusesWhatItCannotReadAndServesTheNextHonestRequest) {
  const Bytes good = request({});
  for (const Bytes& body : {Bytes{}, to_bytes("hello"), Bytes(good.begin(), good.begin() + 200)}) {
    EXPECT_EQ(ask(body).status, 406);
  }
  const auto other_type = need(test::send(road_, road_.masa_endpoint(), road_.registrar_identity(),
                                          test::post(path_request_voucher, "application/json", good)));
  EXPECT_EQ(other_type.status, 415);
  EXPECT_EQ(ask(good).status, 200);
}

TEST_F(AMasa, RefusesAnAcceptItCannotServe) {
  const auto accepting = [&](const std::string& accept) {
    auto http = test::post(path_request_voucher, voucher::media_type_cms, request({}));
    http.headers.set("Accept", accept);
    return need(test::send(road_, road_.masa_endpoint(), road_.registrar_identity(), http));
  };
  const auto not_for_this_device = accepting("application/voucher-jws+json");
  EXPECT_EQ(not_for_this_device.status, 406);
  EXPECT_NE(as_text(not_for_this_device.body).find("cannot read"), std::string_view::npos);
  const auto not_understood = accepting("application/voucher-cose+cbor");
  EXPECT_EQ(not_understood.status, 415);
  EXPECT_NE(as_text(not_understood.body).find("Accept"), std::string_view::npos);
  EXPECT_EQ(logged(), 0u);
  EXPECT_EQ(accepting("application/voucher-jws+json, */*").status, 200);
}

TEST_F(AMasa, IgnoresWhatARegistrarMayNotSay) {  // RFC 8995 3.4
  const test::Party other = test::make_ca("other");
  const auto answer = ask(request({.own = [&](auto& own) {
    own.pinned_domain_cert = other.certificate;
    own.domain_cert_revocation_checks = true;
    own.assertion = voucher::Assertion::verified;
    own.proximity_registrar_cert = other.certificate;
  }}));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  const auto voucher = need(voucher::open(answer.body, voucher::Root::voucher)).voucher;
  EXPECT_EQ(voucher.pinned_domain_cert, road_.domain_ca().certificate());
  EXPECT_EQ(voucher.domain_cert_revocation_checks, false);
  EXPECT_EQ(voucher.assertion, voucher::Assertion::proximity);
  EXPECT_FALSE(voucher.proximity_registrar_cert);
}

TEST_F(AMasa, AnswersTheSameRequestOnceMoreWithTheSameVoucherAndNoNewEntry) {  // RFC 8995 5.6
  const Bytes body = request({});
  const auto first = ask(body);
  ASSERT_EQ(first.status, 200);
  EXPECT_EQ(ask(body).body, first.body);
  EXPECT_EQ(logged(), 1u);
  const auto log = need(road_.masa().audit_log(device_.certificate()));
  EXPECT_EQ(log.events.at(0).truncated, 0u);
  // Another request of the same domain is another voucher.
  EXPECT_NE(ask(request({})).body, first.body);
  EXPECT_EQ(need(road_.masa().audit_log(device_.certificate())).events.at(0).truncated, 1u);
  EXPECT_NE(ask(body).body, first.body) << "only the last answer is kept";
}

TEST_F(AMasa, LogsTheNonceOctetForOctet) {  // RFC 8995 5.8.1
  const std::string nonce = "a_nonce-that is no base64 \u00e9";
  const auto set = [&](auto& voucher) { voucher.nonce = nonce; };
  ASSERT_EQ(ask(request({.prior = set, .own = set})).status, 200);
  EXPECT_EQ(need(road_.masa().audit_log(device_.certificate())).events.at(0).nonce, nonce);
}

TEST_F(AMasa, RefusesAStaleRequestAndOneFromTheFuture) {
  const Time now = system_clock().now();
  expect_refused(403, {.own = [&](auto& own) { own.created_on = now - std::chrono::days(6); }}, "stale");
  expect_refused(403, {.own = [&](auto& own) { own.created_on = now + std::chrono::hours(2); }}, "clock is wrong");
  EXPECT_EQ(ask(request({.own = [&](auto& own) { own.created_on = now - std::chrono::days(4); }})).status, 200)
      << "a registrar repeats an undecided request for so long";
}

TEST_F(AMasa, AsksPolicyAndIssuesNothingAgainstIt) {
  road_.masa_policy().answer(PolicyPoint::masa_receives, test::ScriptedAdmission::Verdict::deny);
  EXPECT_EQ(ask(request({})).status, 403);
  road_.masa_policy().answer(PolicyPoint::masa_receives, test::ScriptedAdmission::Verdict::later);
  EXPECT_EQ(ask(request({})).status, 202);
  EXPECT_EQ(logged(), 0u);
}

// --- audit log ----------------------------------------------------------------------------------------------------

TEST_F(AMasa, ShowsItsAuditLogToOwnersOnly) {  // RFC 8995 5.8
  const auto audit = [&](const Bytes& body) {
    return need(test::send(road_, road_.masa_endpoint(), road_.registrar_identity(),
                           test::post(path_request_audit_log, voucher::media_type_cms, body)));
  };
  const Bytes body = request({});
  EXPECT_EQ(audit(body).status, 404) << "no voucher yet: nobody is an owner";
  ASSERT_EQ(ask(body).status, 200);
  const auto answer = audit(body);
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  const AuditLog log = need(audit_log_from_json(as_text(answer.body)));
  ASSERT_EQ(log.events.size(), 1u);
  EXPECT_EQ(log.events[0].domain_id, road_.domain_ca().certificate().domain_id());

  const test::Party other = test::make_ca("another domain");
  const test::Party registrar = test::make_party(
      other, {{"CN", "registrar"}}, [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
  Wrong stranger;
  stranger.registrar = crypto::TlsIdentity{{registrar.certificate, other.certificate}, registrar.key};
  EXPECT_EQ(audit(request(stranger)).status, 404);
  Bytes broken = body;
  broken.back() ^= 1;
  EXPECT_NE(audit(broken).status, 200);
}

// --- births -------------------------------------------------------------------------------------------------------

class AReportOfABirth : public AMasa {
 protected:
  int report(const std::optional<crypto::TlsIdentity>& factory, const Birth& birth) {
    return need(test::send(road_, road_.masa_endpoint(), factory,
                           test::post(path_births, "application/json", as_bytes(to_json(birth)))))
        .status;
  }
  crypto::TlsIdentity factory() {
    const test::Party party = test::make_party(road_.maker().ca, {{"CN", "factory"}});
    return {{party.certificate}, party.key};
  }
  Device newborn_ = test::make_device(road_.maker(), "new", road_.masa_authority());
};

TEST_F(AReportOfABirth, IsRecordedOnce) {
  const Birth birth{"new", newborn_.certificate(), "one"};
  const auto identity = factory();
  EXPECT_EQ(report(identity, birth), 201);
  EXPECT_EQ(report(identity, birth), 200) << "the factory may repeat itself";
  const Device other = test::make_device(road_.maker(), "new", road_.masa_authority());
  EXPECT_EQ(report(identity, Birth{"new", other.certificate(), "one"}), 409);
  device_ = newborn_;
  EXPECT_EQ(ask(request({})).status, 200);
}

TEST_F(AReportOfABirth, IsTakenFromFactoriesOnly) {
  const Birth birth{"new", newborn_.certificate(), "one"};
  EXPECT_EQ(report(std::nullopt, birth), 401);
  EXPECT_EQ(report(road_.registrar_identity(), birth), 403);
  device_ = newborn_;
  EXPECT_EQ(ask(request({})).status, 404);
}

TEST_F(AReportOfABirth, MustBeOfADeviceOfOurs) {
  const Device foreign = test::make_device(test::Maker::make("Other"), "new", road_.masa_authority());
  EXPECT_EQ(report(factory(), Birth{"new", foreign.certificate(), "one"}), 403);
  EXPECT_EQ(report(factory(), Birth{"another serial", newborn_.certificate(), "one"}), 400);
}

TEST(AMasasOptions, MustBeUsable) {
  Road road;
  const auto create = [&](const std::function<void(MasaTenant&)>& change) {
    MasaTenant maker;
    maker.signer = {road.maker().masa.certificate};
    maker.key = road.maker().masa.key;
    maker.idevid_anchors = crypto::TrustStore({road.maker().ca.certificate});
    change(maker);
    MasaOptions options;
    options.tenants.push_back(std::move(maker));
    return Masa::create(std::move(options), road.masa_policy(), road.masa_store()).has_value();
  };
  EXPECT_TRUE(create([](auto&) {}));
  EXPECT_FALSE(create([](auto& m) { m.signer.clear(); }));
  EXPECT_FALSE(create([&](auto& m) { m.key = road.maker().ca.key; }));
  EXPECT_FALSE(create([](auto& m) { m.idevid_anchors = {}; }));
  EXPECT_FALSE(create([](auto& m) { m.max_audit_entries = 0; }));
  EXPECT_FALSE(create([](auto& m) { m.nonceless_lifetime = std::chrono::seconds(0); }));
}

}  // namespace
}  // namespace cahn::brski
