// Who may own a device: policies, sales, resale, and how sales and releases come in.

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using test::need;
using test::TestDomain;

// --- logged-only --------------------------------------------------------------------------------------------------

class AMasaThatOnlyLogs : public test::MasaTest {};

TEST_F(AMasaThatOnlyLogs, GivesEveryDomainThatMetTheDeviceItsVoucherAndTellsBothOfTheOther) {
  EXPECT_EQ(voucher_in(ask_of(ann_)).pinned_domain_cert, ann_.ca.certificate);
  const auto of_bob = voucher_in(ask_of(bob_));
  EXPECT_EQ(of_bob.pinned_domain_cert, bob_.ca.certificate);
  EXPECT_EQ(of_bob.assertion, voucher::Assertion::proximity);
  const auto answer = audit(request_of(ann_.identity(), device_));
  ASSERT_EQ(answer.status, 200) << as_text(answer.body);
  EXPECT_EQ(need(audit_log_from_json(as_text(answer.body))).events.size(), 2u);
}

TEST_F(AMasaThatOnlyLogs, TakesARequestWithoutCreatedOn) {
  EXPECT_EQ(ask(request_of(ann_.identity(), device_, [](auto& own) { own.created_on.reset(); })).status, 200);
}

TEST_F(AMasaThatOnlyLogs, FollowsTheSettingOfOneDevice) {
  sell_to(ann_);
  const auto policy = [&](const std::string& word) {
    net::Router router;
    road_.masa().add_operator_routes(router, "secret");
    const test::Site site(road_.runtime(), road_.web_identity(), std::move(router), "operator");
    auto order = test::post("/owners/default/1/policy", "text/plain", as_bytes(word));
    order.headers.set("Authorization", "Bearer secret");
    return need(test::send(road_, site.endpoint(), std::nullopt, order)).status;
  };
  EXPECT_EQ(ask_of(bob_).status, 200);
  EXPECT_EQ(policy("sales"), 200);
  expect_refused(ask_of(bob_), 403, "another domain");
  EXPECT_EQ(voucher_in(ask_of(ann_)).assertion, voucher::Assertion::verified);
  EXPECT_EQ(policy("default"), 200);
  EXPECT_EQ(ask_of(bob_).status, 200);
  EXPECT_EQ(policy("whoever"), 400);
}

// --- first come ---------------------------------------------------------------------------------------------------

class AMasaWhereTheFirstComeOwns : public test::MasaTest {
 protected:
  AMasaWhereTheFirstComeOwns() : MasaTest(with([](auto& maker) { maker.ownership = OwnershipPolicy::first_come; })) {}
};

TEST_F(AMasaWhereTheFirstComeOwns, KeepsTheDeviceForTheFirstDomainAndAllItsRegistrars) {
  EXPECT_EQ(voucher_in(ask_of(ann_)).assertion, voucher::Assertion::proximity);
  expect_refused(ask_of(bob_), 403, "has an owner");  // RFC 8995 5.6: an outstanding voucher that is not overridden
  EXPECT_EQ(log().events.size(), 1u);
  EXPECT_EQ(ask_of(ann_).status, 200);
  EXPECT_EQ(ask_of(ann_.another()).status, 200) << "another registrar, at another address, of the same domain";
}

TEST_F(AMasaWhereTheFirstComeOwns, LetsOneOfTwoWhoComeAtOnceBeTheFirst) {
  std::vector<TestDomain> domains;
  std::vector<Bytes> bodies;
  for (int i = 0; i < 6; ++i) {
    domains.push_back(TestDomain::make("domain " + std::to_string(i)));
    bodies.push_back(request_of(domains.back().identity(), device_));
  }
  crypto::TlsClientOptions anybody;
  anybody.check = crypto::PeerCheck::provisional;
  const auto tls = need(crypto::TlsContext::client(anybody));
  std::atomic<int> granted = 0, refused = 0;
  const auto one = [&](const Bytes* body) -> net::awaitable<void> {
    auto connection = co_await net::HttpConnection::open(road_.masa_endpoint(), &tls);
    auto request = test::post(path_request_voucher, voucher::media_type_cms, *body);
    const auto answer = co_await (*connection)->send(std::move(request));
    ++(answer->status == 200 ? granted : refused);
  };
  for (const Bytes& body : bodies) {
    net::spawn_on_strand(road_.runtime().executor(), [&one, b = &body] { return one(b); }, "asker");
  }
  net::run_blocking<void>(road_.runtime(), [&]() -> net::awaitable<void> {
    while (granted + refused < 6) co_await net::sleep_for(std::chrono::milliseconds(5));
  });
  EXPECT_EQ(granted, 1);
  EXPECT_EQ(log().events.size(), 1u);
}

TEST_F(AMasaWhereTheFirstComeOwns, YieldsToASale) {
  EXPECT_EQ(ask_of(ann_).status, 200);
  sell_to(bob_);
  expect_refused(ask_of(ann_), 403, "another domain");
  EXPECT_EQ(ask_of(bob_).status, 200);
}

// --- sales --------------------------------------------------------------------------------------------------------

class AMasaThatKnowsSales : public test::MasaTest {
 protected:
  AMasaThatKnowsSales()
      : MasaTest(with([](auto& maker) {
          maker.ownership = OwnershipPolicy::sales;
          maker.sales_anchors = crypto::TrustStore({sales().certificate});
        })) {}
  static const test::Party& sales() {
    static const test::Party party = test::make_ca("Sales system");
    return party;
  }
  net::HttpResponse tell(const std::optional<crypto::TlsIdentity>& client, std::string_view type,
                         const std::string& text, std::string_view path = "/sales/default") {
    return post_as(client, path, type, as_bytes(text));
  }
  net::HttpResponse release_as(const std::optional<crypto::TlsIdentity>& client, const std::string& serial = "1") {
    return post_as(client, "/owners/" + serial + "/release", "text/plain", {});
  }
  std::string line(const TestDomain& domain) { return "serial,owner\n1," + domain.owner() + "\n"; }

  const crypto::TlsIdentity seller_{{sales().certificate}, sales().key};
};

TEST_F(AMasaThatKnowsSales, GivesAVoucherToTheDomainThatASaleNamesAndToNobodyElse) {
  expect_refused(ask_of(ann_), 403, "no sale");
  sell_to(ann_);
  expect_refused(ask_of(bob_), 403, "another domain");
  EXPECT_TRUE(log().events.empty());
  EXPECT_EQ(voucher_in(ask_of(ann_)).assertion, voucher::Assertion::verified);
  ASSERT_EQ(log().events.size(), 1u);
  EXPECT_EQ(log().events[0].assertion, voucher::Assertion::verified);
  ASSERT_TRUE(road_.masa_policy().last(admission::PolicyPoint::masa_receives));
  EXPECT_EQ(road_.masa_policy().last(admission::PolicyPoint::masa_receives)->assertion, voucher::Assertion::verified);
}

TEST_F(AMasaThatKnowsSales, PinsWhatTheRegistrarSentAlsoWhenItsCaIsOnlyOnRecord) {
  sell_to(ann_);
  EXPECT_EQ(voucher_in(ask(request_of(ann_.end_entity(), device_))).pinned_domain_cert, ann_.registrar.certificate);
}

TEST_F(AMasaThatKnowsSales, RefusesAfterTheSalesEndAndBeforeItsBeginning) {
  sell_to(ann_.owner(), "2020-01-01", "2020-02-01");
  expect_refused(ask_of(ann_), 403, "no sale");
  sell_to(ann_.owner(), "2999-01-01");
  expect_refused(ask_of(ann_), 403, "no sale");
}

TEST_F(AMasaThatKnowsSales, TakesTheNewOwnerOfAResaleAndStillShowsTheOldOneTheLog) {  // RFC 8995 5.8
  sell_to(ann_);
  EXPECT_EQ(ask_of(ann_).status, 200);
  sell_to(bob_);
  expect_refused(ask_of(ann_), 403, "another domain");
  const auto before = audit(request_of(bob_.identity(), device_));
  ASSERT_EQ(before.status, 200) << "the buyer may look before it takes: " << as_text(before.body);
  EXPECT_EQ(need(audit_log_from_json(as_text(before.body))).events.size(), 1u);
  EXPECT_EQ(ask_of(bob_).status, 200);
  const auto old_owner = audit(request_of(ann_.identity(), device_));
  ASSERT_EQ(old_owner.status, 200);
  EXPECT_EQ(need(audit_log_from_json(as_text(old_owner.body))).events.size(), 2u);
  expect_refused(audit(request_of(TestDomain::make("Eve").identity(), device_)), 404, "never was an owner");
}

TEST_F(AMasaThatKnowsSales, HasNoLogToShowWhileThereIsNoVoucher) {
  sell_to(ann_);
  expect_refused(audit(request_of(ann_.identity(), device_)), 404, "no voucher");
}

TEST_F(AMasaThatKnowsSales, LetsTheOwnerAndOnlyTheOwnerReleaseItsDevice) {
  sell_to(ann_);
  expect_refused(release_as(std::nullopt), 401, "certificate");
  expect_refused(release_as(bob_.identity()), 403, "another domain");
  const test::Party of_ann = test::make_party(ann_.ca, {{"CN", "a device of Ann's"}});
  expect_refused(release_as(crypto::TlsIdentity{{of_ann.certificate, ann_.ca.certificate}, of_ann.key}), 403, "cmcRA");
  expect_refused(release_as(ann_.identity(), "2"), 404, "no owner");
  EXPECT_EQ(ask_of(ann_).status, 200);
  EXPECT_EQ(release_as(ann_.identity()).status, 200);
  expect_refused(ask_of(ann_), 403, "no sale");
  expect_refused(release_as(ann_.identity()), 404, "no owner");
  EXPECT_EQ(need(import_csv(line(ann_))).unchanged, 1u) << "the sale of before does not come back";
  expect_refused(ask_of(ann_), 403, "no sale");
  sell_to(bob_);
  EXPECT_EQ(ask_of(bob_).status, 200);
}

TEST_F(AMasaThatKnowsSales, TakesSalesFromSalesSystemsOnly) {
  expect_refused(tell(std::nullopt, "text/csv", line(ann_)), 401, "certificate");
  expect_refused(tell(ann_.identity(), "text/csv", line(ann_)), 403, "may not tell sales");
  expect_refused(tell(seller_, "text/csv", line(ann_), "/sales/other"), 403, "may not tell sales");
  expect_refused(tell(seller_, "text/plain", line(ann_)), 415, "text/csv");
  expect_refused(ask_of(ann_), 403, "no sale");
  const auto answer = tell(seller_, "text/csv; charset=utf-8", line(ann_));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(as_text(answer.body), R"({"added":1,"unchanged":0})");
  EXPECT_EQ(ask_of(ann_).status, 200);
}

TEST_F(AMasaThatKnowsSales, TakesTheSameSalesTwiceAsOnce) {
  EXPECT_EQ(as_text(tell(seller_, "text/csv", line(ann_)).body), R"({"added":1,"unchanged":0})");
  const auto position = road_.masa_store().last_position();
  EXPECT_EQ(as_text(tell(seller_, "text/csv", line(ann_)).body), R"({"added":0,"unchanged":1})");
  const std::string json = R"({"sales": [{"serial": "1", "owner": ")" + ann_.owner() + R"("}]})";
  EXPECT_EQ(as_text(tell(seller_, "application/json", json).body), R"({"added":0,"unchanged":1})");
  EXPECT_EQ(road_.masa_store().last_position(), position) << "nothing happened";
}

TEST_F(AMasaThatKnowsSales, TakesAllOfADocumentOrNothing) {
  expect_refused(tell(seller_, "text/csv", line(ann_) + "2,nobody\n"), 400, "line 3, column 3: owner: ");
  expect_refused(tell(seller_, "application/json", R"({"sales": [{"serial": "1"}]})"), 400, "sales[0].owner: ");
  expect_refused(ask_of(ann_), 403, "no sale");
}

TEST_F(AMasaThatKnowsSales, HasSalesOnTheDiskBeforeItSaysSo) {
  ASSERT_EQ(tell(seller_, "text/csv", line(ann_)).status, 200);
  EXPECT_TRUE(need(road_.masa_store().get("owners", hex(as_bytes("1")))));
  const auto events = need(road_.masa_store().read(1, 100));
  const auto told = std::ranges::find(events, "sales", &store::Event::type);
  ASSERT_NE(told, events.end());
  EXPECT_EQ(to_string(told->payload), line(ann_));
}

TEST_F(AMasaThatKnowsSales, TakesASaleBeforeTheDeviceIsBorn) {
  device_ = test::make_device(road_.maker(), "unborn", road_.masa_authority());
  sell_to(ann_);
  expect_refused(ask_of(ann_), 404, "no device");
  road_.tell_masa(device_);
  EXPECT_EQ(ask_of(ann_).status, 200);
}

// --- the operator -------------------------------------------------------------------------------------------------

class TheOperatorOfAMasa : public AMasaThatKnowsSales {
 protected:
  TheOperatorOfAMasa() {
    net::Router router;
    road_.masa().add_operator_routes(router, "secret");
    site_ = std::make_unique<test::Site>(road_.runtime(), road_.web_identity(), std::move(router), "operator");
  }
  net::HttpResponse get(const std::string& path) {
    net::HttpRequest request;
    const auto query = path.find('?');
    request.path = path.substr(0, query);
    if (query != std::string::npos) request.query = path.substr(query + 1);
    return need(test::send(road_, site_->endpoint(), std::nullopt, request));
  }
  nlohmann::json shown(const std::string& path) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << as_text(answer.body);
    return nlohmann::json::parse(as_text(answer.body));
  }
  net::HttpResponse order(const std::string& path, std::string_view type, std::string_view body,
                          const std::string& token = "Bearer secret") {
    auto request = test::post(path, type, as_bytes(body));
    request.headers.set("Authorization", token);
    return need(test::send(road_, site_->endpoint(), std::nullopt, request));
  }
  std::unique_ptr<test::Site> site_;
};

TEST_F(TheOperatorOfAMasa, SeesWhoOwnsADeviceAndWhatHappenedToIt) {
  sell_to(ann_.owner(), "2026-01-01");
  ASSERT_EQ(ask_of(ann_).status, 200);
  const auto device = shown("/owners/default/1");
  EXPECT_EQ(device["policy"], "sales");
  EXPECT_EQ(device["policyIsItsOwn"], false);
  EXPECT_EQ(device["records"][0]["since"], "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(device["devices"][0]["owner"], ann_.owner());
  EXPECT_EQ(device["devices"][0]["model"], "model one");
  EXPECT_EQ(device["devices"][0]["auditLog"]["events"].size(), 1u);
  EXPECT_EQ(get("/owners/default/unknown").status, 404);
  EXPECT_EQ(get("/owners/nobody/1").status, 404);
}

TEST_F(TheOperatorOfAMasa, PagesThroughAllOwners) {
  std::string text = "serial,owner\n";
  for (int i = 0; i < 501; ++i) text += "S" + std::to_string(i) + "," + "spki-sha256:" + std::string(64, 'a') + "\n";
  ASSERT_EQ(order("/sales/default", "text/csv", text).status, 200);
  const auto first = shown("/owners/default");
  EXPECT_EQ(first["owners"].size(), 500u);
  const auto rest = shown("/owners/default?after=" + first["next"].get<std::string>());
  EXPECT_EQ(rest["owners"].size(), 1u);
  EXPECT_FALSE(rest.contains("next"));
}

TEST_F(TheOperatorOfAMasa, ChangesNothingWithoutTheToken) {
  for (const std::string token : {"", "Bearer ", "Bearer secre", "secret", "Bearer secret2"}) {
    EXPECT_EQ(order("/sales/default", "text/csv", line(ann_), token).status, 401) << token;
    EXPECT_EQ(order("/owners/default/1/release", "text/plain", "", token).status, 401);
    EXPECT_EQ(order("/owners/default/1/policy", "text/plain", "sales", token).status, 401);
  }
  expect_refused(ask_of(ann_), 403, "no sale");
}

TEST_F(TheOperatorOfAMasa, ImportsAndReleases) {
  EXPECT_EQ(order("/owners/default/1/release", "text/plain", "").status, 404);
  EXPECT_EQ(order("/sales/default", "text/csv", line(ann_)).status, 200);
  EXPECT_EQ(ask_of(ann_).status, 200);
  EXPECT_EQ(order("/owners/default/1/release", "text/plain", "").status, 200);
  EXPECT_TRUE(shown("/owners/default/1")["devices"][0]["owner"].is_null());
  expect_refused(ask_of(ann_), 403, "no sale");
}

}  // namespace
}  // namespace cahn::brski
