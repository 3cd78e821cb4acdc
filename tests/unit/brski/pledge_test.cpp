// What a pledge says, what it believes, and what it does not.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "pledge_fixture.h"

namespace cahn::brski {
namespace {

using test::Party;

TEST_F(APledge, BelievesAVoucherThatIsRight) {  // so that the refusals below fail for their one reason
  const auto got = onboard();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(only_report(path_voucher_status).status);
  EXPECT_TRUE(only_report(path_enrol_status).status);
  EXPECT_EQ(got->network, "false network");
}

TEST_F(APledge, GetsAVoucherAndNothingElseWhenAToolAsks) {
  const auto got = ask({});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->voucher.serial_number, "1");
  EXPECT_EQ(got->voucher.nonce, only_request().voucher.nonce);
  EXPECT_TRUE(voucher::open(got->cms, voucher::Root::voucher));
  EXPECT_TRUE(only_report(path_voucher_status).status);
  EXPECT_TRUE(registrar_.seen("/.well-known/est/simpleenroll").empty());
}

TEST_F(APledge, SaysWhatAToolTellsItToSay) {
  const Party other = test::make_party(maker_.ca, {{"CN", "another signer"}});
  VoucherQuestion question;
  question.serial_number = "another";
  question.nonce = "c29tZS1ub25jZQ==";
  question.created_on = need(parse_rfc3339("1973-11-29T21:33:09Z"));
  question.signer = crypto::TlsIdentity{{other.certificate}, other.key};
  const auto got = ask(question);
  ASSERT_FALSE(got) << "the voucher is for another device";
  EXPECT_EQ(got.error().code, voucher::VoucherError::wrong_serial);
  const auto request = only_request();
  EXPECT_EQ(request.signer, other.certificate);
  EXPECT_EQ(request.voucher.serial_number, "another");
  EXPECT_EQ(request.voucher.nonce, question.nonce);
  EXPECT_EQ(request.voucher.created_on, question.created_on);
}

TEST_F(APledge, AsksNobodyButTheRegistrarAToolNames) {
  VoucherQuestion question;
  question.registrar = maker_.masa.certificate;
  const auto got = ask(question);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::not_the_registrar);
  question = {};
  question.registrar_anchors = crypto::TrustStore({maker_.ca.certificate});
  EXPECT_EQ(ask(question).error().code, BrskiError::not_the_registrar);
  EXPECT_TRUE(registrar_.seen(path_request_voucher).empty()) << "and tells the others nothing";
  question.registrar_anchors = crypto::TrustStore({registrar_.domain().certificate});
  EXPECT_TRUE(ask(question));
}

TEST_F(APledge, RefusesAVoucherForAnotherSerialNumber) {
  answer_with([](auto& voucher) { voucher.serial_number = "2"; });
  expect_voucher_refused(voucher::VoucherError::wrong_serial);
}

TEST_F(APledge, RefusesAVoucherWithAnotherNonce) {
  answer_with([](auto& voucher) { voucher.nonce = voucher::fresh_nonce(); });
  expect_voucher_refused(voucher::VoucherError::wrong_nonce);
}

TEST_F(APledge, WithAClockRefusesANoncelessVoucherPastItsExpiry) {
  answer_with([](auto& voucher) {
    voucher.nonce.reset();
    voucher.created_on = system_clock().now() - std::chrono::hours(2);
    voucher.expires_on = system_clock().now() - std::chrono::hours(1);
  });
  expect_voucher_refused(voucher::VoucherError::expired);
}

TEST_F(APledge, TakesANoncelessVoucherThatHasNotExpiredIfItMay) {
  answer_with([](auto& voucher) {
    voucher.nonce.reset();
    voucher.expires_on = system_clock().now() + std::chrono::hours(1);
  });
  EXPECT_TRUE(onboard());
  PledgeOptions strict = options();
  strict.accept_nonceless = false;
  const auto got = onboard(strict);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, voucher::VoucherError::wrong_nonce);
}

TEST_F(APledge, RefusesAVoucherSignedByAnotherDeviceOfItsMaker) {  // decision 7: the chain is good, the signer is not
  const Device other = test::make_device(maker_, "2", "masa.example");
  registrar_.answer_vouchers([&](const auto& request) {
    return registrar_.sign(registrar_.good_voucher(request), Party{other.idevid.key, other.certificate()});
  });
  expect_voucher_refused(voucher::VoucherError::signer_not_trusted);
}

TEST_F(APledge, RefusesAVoucherSignedByADeviceEvenWhenItAnchorsOnTheMakersCA) {
  const Device other = test::make_device(maker_, "2", "masa.example");
  registrar_.answer_vouchers([&](const auto& request) {
    return registrar_.sign(registrar_.good_voucher(request), Party{other.idevid.key, other.certificate()});
  });
  PledgeOptions careless = options();
  careless.masa_anchors = crypto::TrustStore({maker_.ca.certificate});
  expect_voucher_refused(voucher::VoucherError::signer_is_not_the_masa, careless);
}

TEST_F(APledge, RefusesAVoucherOfAnotherManufacturersMasa) {
  const test::Maker other = test::Maker::make("Other");
  registrar_.answer_vouchers(
      [&](const auto& request) { return registrar_.sign(registrar_.good_voucher(request), other.masa); });
  expect_voucher_refused(voucher::VoucherError::signer_not_trusted);
}

TEST_F(APledge, RefusesAVoucherThatPinsAnotherDomain) {
  const Party other = test::make_ca("another domain");
  answer_with([&](auto& voucher) { voucher.pinned_domain_cert = other.certificate; });
  expect_voucher_refused(voucher::VoucherError::pin_mismatch);
}

TEST_F(APledge, RefusesAVoucherThatPinsNothing) {  // which nobody of this house would sign
  registrar_.answer_vouchers([&](const auto& request) {
    const std::string json = R"({"ietf-voucher:voucher":{"created-on":")" + rfc3339(system_clock().now()) +
                             R"(","assertion":"proximity","serial-number":"1","nonce":")" + *request.voucher.nonce +
                             R"("}})";
    const Bytes cms = need(
        crypto::cms_sign(as_bytes(json), crypto::oid_anima_json_voucher, maker_.masa.certificate, *maker_.masa.key));
    return net::HttpResponse::of(200, voucher::media_type_cms, cms);
  });
  const auto got = onboard();
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().code == voucher::VoucherError::no_pin ||
              got.error().code == voucher::VoucherError::missing_member)
      << got.error().message;
  EXPECT_FALSE(only_report(path_voucher_status).status);
}

TEST_F(APledge, RefusesWhatIsNoVoucher) {
  registrar_.answer_vouchers(
      [](const auto&) { return net::HttpResponse::of(200, voucher::media_type_cms, to_bytes("trust me")); });
  expect_voucher_refused(voucher::VoucherError::not_cms);
}

TEST_F(APledge, RefusesAnAnswerOfAnotherType) {
  registrar_.answer_vouchers([](const auto&) { return net::HttpResponse::json(200, "{}"); });
  const auto got = onboard();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::registrar_refused);
}

TEST_F(APledge, TellsNothingUsefulToARegistrarItDoesNotTrust) {  // RFC 8995 5.7
  std::string nonce;
  registrar_.answer_vouchers([&](const auto& request) {
    nonce = *request.voucher.nonce;
    auto voucher = registrar_.good_voucher(request);
    voucher.serial_number = "2";
    return registrar_.sign(voucher);
  });
  EXPECT_FALSE(onboard());
  const std::string reason = only_report(path_voucher_status).reason;
  EXPECT_EQ(reason.find(nonce), std::string::npos);
  EXPECT_EQ(reason, "the voucher is refused: wrong_serial");
}

TEST_F(APledge, AsksAsRfc8995Section52WantsIt) {
  std::optional<voucher::SignedVoucher> asked;
  registrar_.answer_vouchers([&](const auto& request) {
    asked = request;
    return registrar_.sign(registrar_.good_voucher(request));
  });
  ASSERT_TRUE(onboard());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->signer, device_.certificate());
  EXPECT_EQ(asked->voucher.serial_number, "1");
  EXPECT_EQ(asked->voucher.assertion, voucher::Assertion::proximity);
  EXPECT_TRUE(asked->voucher.created_on);
  EXPECT_GE(need(base64_decode(*asked->voucher.nonce)).size(), 16u);
  ASSERT_TRUE(asked->voucher.proximity_registrar_cert);
  EXPECT_EQ(asked->voucher.proximity_registrar_cert->common_name(), "false registrar");
  EXPECT_FALSE(asked->voucher.pinned_domain_cert);
  const auto requests = registrar_.seen(path_request_voucher);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].client, device_.certificate());
  EXPECT_EQ(requests[0].request.headers.get("Accept"), voucher::media_type_cms);
}

TEST_F(APledge, PutsNothingIntoItsRequestThatIsNotItsToSay) {  // RFC 8995 3.4
  ASSERT_TRUE(onboard());
  const auto signed_request =
      need(crypto::SignedMessage::verify(registrar_.seen(path_request_voucher).at(0).request.body));
  const auto request = nlohmann::json::parse(signed_request.content()).at("ietf-voucher-request:voucher");
  std::set<std::string> members;
  for (const auto& [name, value] : request.items()) members.insert(name);
  EXPECT_EQ(members,
            (std::set<std::string>{"assertion", "created-on", "nonce", "proximity-registrar-cert", "serial-number"}));
}

TEST_F(APledge, LeavesOutTheTimeWhenItHasNoClock) {
  bool had_time = true;
  registrar_.answer_vouchers([&](const auto& request) {
    had_time = request.voucher.created_on.has_value();
    return registrar_.sign(registrar_.good_voucher(request));
  });
  PledgeOptions without = options();
  without.clock = nullptr;
  EXPECT_TRUE(onboard(without));
  EXPECT_FALSE(had_time);
}

TEST_F(APledge, DoesEverythingOnOneConnectionAndReportsSuccessOnANewOne) {  // RFC 8995 5, 5.9.4
  const auto got = onboard();
  ASSERT_TRUE(got);
  const auto all = registrar_.seen();
  ASSERT_EQ(all.size(), 6u);
  const std::vector<std::string> order = {std::string(path_request_voucher), std::string(path_voucher_status),
                                          "/.well-known/est/cacerts",        "/.well-known/est/csrattrs",
                                          "/.well-known/est/simpleenroll",   std::string(path_enrol_status)};
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(all[i].path, order[i]);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(all[i].session, all[0].session);
    EXPECT_EQ(all[i].client, device_.certificate());
  }
  EXPECT_NE(all[5].session, all[0].session);
  EXPECT_EQ(all[5].client, got->ldevid);
}

TEST_F(APledge, DoesNotCareHowItsReportsAreAnswered) {  // RFC 8995 5.7
  registrar_.answer_reports([n = 0](const auto&) mutable {
    return ++n % 2 == 1 ? net::HttpResponse::json(500, "{\"status\":false}") : net::HttpResponse::text(302, "\x01");
  });
  const auto got = onboard();
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(only_report(path_enrol_status).status);
}

TEST_F(APledge, WhoseAnchorIsExchangedNoLongerTakesVouchersOfTheOldMasa) {  // RFC 8995 11.6.2.2
  const test::Maker renewed = test::Maker::make("Acme");
  ASSERT_TRUE(onboard());
  PledgeOptions updated = options();
  updated.masa_anchors = crypto::TrustStore({renewed.masa.certificate});
  const auto got = onboard(updated);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, voucher::VoucherError::signer_not_trusted);
  registrar_.answer_vouchers(
      [&](const auto& request) { return registrar_.sign(registrar_.good_voucher(request), renewed.masa); });
  EXPECT_TRUE(onboard(updated));
}

TEST_F(APledge, TriesTheNextCandidateWithANonceOfItsOwn) {
  FalseRegistrar second(runtime_, maker_);
  std::set<std::string> nonces;
  registrar_.answer_vouchers([&](const auto& request) {
    nonces.insert(*request.voucher.nonce);
    return net::HttpResponse::text(403, "not you");
  });
  second.answer_vouchers([&](const auto& request) {
    nonces.insert(*request.voucher.nonce);
    return second.sign(second.good_voucher(request));
  });
  const net::Endpoint nobody{"127.0.0.1", 1};
  const auto got = onboard(options(), {nobody, registrar_.endpoint(), second.endpoint()});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(nonces.size(), 2u);
  EXPECT_EQ(got->registrar.port, second.endpoint().port);
}

TEST_F(APledge, SaysOfEveryCandidateWhyItFailed) {
  registrar_.answer_vouchers([](const auto&) { return net::HttpResponse::text(404, "unknown \x1b[31m maker"); });
  const auto got = onboard(options(), {{"127.0.0.1", 1}, registrar_.endpoint()});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::no_registrar);
  EXPECT_NE(got.error().message.find("404"), std::string::npos);
  EXPECT_EQ(got.error().message.find('\x1b'), std::string::npos) << "a registrar's words are not for the terminal";
  EXPECT_FALSE(onboard(options(), {}));
}

class AnIssuedCertificate : public APledge {
 protected:
  void expect_refused(FalseRegistrar::Issue wrong, const std::string& reason = "bad_certificate") {
    registrar_.issue_with(std::move(wrong));
    const auto got = onboard();
    ASSERT_FALSE(got);
    EXPECT_TRUE(only_report(path_voucher_status).status);
    const auto reports = registrar_.seen(path_enrol_status);
    ASSERT_EQ(reports.size(), 1u);
    const auto report = need(status_report_from_json(as_text(reports[0].request.body)));
    EXPECT_FALSE(report.status);
    EXPECT_EQ(report.reason, "enrolment failed: " + reason) << "RFC 8995 5.9.4: told with a reason";
    EXPECT_EQ(reports[0].session, registrar_.seen(path_request_voucher).at(0).session)
        << "RFC 8995 5.9.4: a failure is told over the connection it happened on";
  }
};

TEST_F(AnIssuedCertificate, ForAnotherKeyIsRefused) {
  const auto other = need(crypto::generate_key(crypto::KeyType::p256));
  expect_refused([&](auto& spec, auto&) { spec.key = other->public_key(); }, "bad_answer");
}
TEST_F(AnIssuedCertificate, ForAnotherSerialNumberIsRefused) {
  expect_refused([](auto& spec, auto&) { spec.subject = {{"CN", "false network"}, {"serialNumber", "2"}}; });
}
TEST_F(AnIssuedCertificate, OfACAIsRefused) {
  expect_refused([](auto& spec, auto&) { spec.ca = true; });
}
TEST_F(AnIssuedCertificate, OfAnotherDomainIsRefused) {
  const Party other = test::make_ca("another domain");
  expect_refused([&](auto&, auto& ca) { ca = other; });
}

TEST_F(APledge, WithACredentialContactsNobody) {  // RFC 8995 5: only an unconfigured device starts BRSKI
  const auto pledge = need(Pledge::open(options()));
  const std::vector<net::Endpoint> candidates{registrar_.endpoint()};
  const auto once = [&]() {
    return net::run_blocking<Result<NetworkCredential>>(runtime_, [&]() { return pledge->onboard(candidates); });
  };
  ASSERT_TRUE(once());
  const auto before = registrar_.seen().size();
  ASSERT_TRUE(once());
  EXPECT_EQ(registrar_.seen().size(), before);
  ASSERT_TRUE(pledge->factory_reset());
  ASSERT_TRUE(once());
  EXPECT_GT(registrar_.seen().size(), before);
}

TEST_F(APledge, SaysNothingAgainAfterAFactoryReset) {  // RFC 8995 11.3: neither nonce nor key
  const auto pledge = need(Pledge::open(options()));
  const std::vector<net::Endpoint> candidates{registrar_.endpoint()};
  std::set<Bytes> keys;
  std::set<std::string> nonces;
  for (int i = 0; i < 3; ++i) {
    need(net::run_blocking<Result<NetworkCredential>>(runtime_, [&]() { return pledge->onboard(candidates); }));
    keys.insert(pledge->credential()->ldevid.public_key().spki());
    const Bytes request = registrar_.seen(path_request_voucher).back().request.body;
    nonces.insert(*need(voucher::open(request, voucher::Root::voucher_request)).voucher.nonce);
    ASSERT_TRUE(pledge->factory_reset());
  }
  EXPECT_EQ(keys.size(), 3u);
  EXPECT_EQ(nonces.size(), 3u);
}

class ARegistrarToRenewWith : public APledge {
 protected:
  // A server of the domain, or not, that would renew anything for anybody.
  Result<NetworkCredential> renew_at(const crypto::TlsIdentity& identity) {
    net::Router router;
    router.on("POST", "/.well-known/est/simplereenroll",
              [this](net::HttpRequest, const net::Session&) -> net::awaitable<net::HttpResponse> {
                asked_ = true;
                co_return net::HttpResponse::text(403, "");
              });
    std::optional<test::Site> impostor;
    test::TemporaryFolder folder;
    PledgeOptions kept = options();
    kept.state = folder / "state";
    {
      const auto pledge = need(Pledge::open(kept));
      const std::vector<net::Endpoint> candidates{registrar_.endpoint()};
      need(net::run_blocking<Result<NetworkCredential>>(runtime_, [&]() { return pledge->onboard(candidates); }));
    }
    impostor.emplace(runtime_, identity, std::move(router), "impostor");
    redirect(folder / "state", impostor->endpoint());
    const auto pledge = need(Pledge::open(kept));
    return net::run_blocking<Result<NetworkCredential>>(runtime_, [&]() { return pledge->renew(); });
  }
  // As an attacker on the way does: the same address, another server.
  static void redirect(const std::filesystem::path& state, const net::Endpoint& to) {
    const auto file = state / "network" / "network.json";
    std::string text = to_string(need(read_file(file)));
    const auto port = text.find("\"registrarPort\": ");
    const auto end = text.find_first_of(",\n", port);
    text.replace(port, end - port, "\"registrarPort\": " + std::to_string(to.port));
    need(write_file(file, as_bytes(text)));
  }
  bool asked_ = false;
};

TEST_F(ARegistrarToRenewWith, MustBeOfTheDomain) {
  const Party other = test::make_ca("another domain");
  const Party server = test::make_party(
      other, {{"CN", "x"}}, [](auto& spec) { spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)}; });
  const auto got = renew_at({{server.certificate, other.certificate}, server.key});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::not_the_registrar);
  EXPECT_FALSE(asked_);
}

TEST_F(ARegistrarToRenewWith, MustNotBeAnotherDeviceOfTheDomain) {
  const Party device = test::make_party(registrar_.domain(), {{"CN", "false network"}, {"serialNumber", "2"}});
  const auto got = renew_at({{device.certificate}, device.key});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::not_the_registrar);
  EXPECT_FALSE(asked_);
}

TEST_F(ARegistrarToRenewWith, IsAskedWhenItIsOne) {  // so that the two above fail for their one reason
  const Party server = test::make_party(registrar_.domain(), {{"CN", "second registrar"}}, [](auto& spec) {
    spec.extended_key_usage = {std::string(crypto::oid_cmc_ra)};
  });
  EXPECT_FALSE(renew_at({{server.certificate}, server.key}));
  EXPECT_TRUE(asked_);
}

TEST(APledgesOptions, MustBeUsable) {
  const test::Maker maker = test::Maker::make("Acme");
  const auto opens = [&](const std::function<void(PledgeOptions&)>& change) {
    PledgeOptions options;
    options.idevid = test::make_device(maker, "1", "masa.example").idevid;
    options.masa_anchors = crypto::TrustStore({maker.masa.certificate});
    change(options);
    return Pledge::open(std::move(options)).has_value();
  };
  EXPECT_TRUE(opens([](auto&) {}));
  EXPECT_FALSE(opens([](auto& o) { o.idevid.chain.clear(); }));
  EXPECT_FALSE(opens([](auto& o) { o.masa_anchors = {}; }));
  EXPECT_FALSE(opens([&](auto& o) { o.idevid = {{maker.ca.certificate}, maker.ca.key}; })) << "no serial number";
}

}  // namespace
}  // namespace cahn::brski
