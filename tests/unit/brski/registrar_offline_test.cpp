// Vouchers for devices that are to come (RFC 8995 3.1, 5.5; B-184).

#include "brski/pledge.h"
#include "own_masa.h"

namespace cahn::brski {
namespace {

using test::Device;
using test::need;
using test::OwnMasa;

class AStoredVoucher : public test::RegistrarTest {
 protected:
  AStoredVoucher() : RegistrarTest(Time::stands_still) {}
  std::string order_for(const Device& device) const {
    return R"({"manufacturer":"Acme","serialNumber":")" + device.serial_number + R"(","idevidIssuer":")" +
           base64(*device.certificate().authority_key_identifier_der()) + R"(","masa":")" + masa_.authority() + R"("})";
  }
  net::HttpResponse fetch() { return order("/offline-vouchers", order_for(device_)); }
  void change_voucher(const test::Change& how) {
    masa_.on_voucher = [this, how](const net::HttpRequest& request) {
      auto voucher = masa_.good_voucher(OwnMasa::opened(request));
      how(voucher);
      return net::HttpResponse::of(200, voucher::media_type_cms, masa_.signed_by_masa(voucher));
    };
  }

  OwnMasa masa_{road_};
  Device device_ = masa_.device("5");
};

TEST_F(AStoredVoucher, IsAskedForWithSerialNumberAndIssuerFromTheOrderOnly) {
  EXPECT_EQ(fetch().status, 200);
  const auto asked = masa_.voucher_requests();
  ASSERT_EQ(asked.size(), 1u);
  const auto request = OwnMasa::opened(asked[0]);
  EXPECT_EQ(request.signer, own());
  EXPECT_EQ(request.voucher.serial_number, "5");
  EXPECT_EQ(request.voucher.idevid_issuer, device_.certificate().authority_key_identifier_der());
  EXPECT_FALSE(request.voucher.nonce);
  EXPECT_FALSE(request.voucher.prior_signed_voucher_request);
  EXPECT_FALSE(request.voucher.proximity_registrar_cert);
  ASSERT_EQ(masa_.audit_requests().size(), 1u) << "the log is had while the MASA can be asked";
  EXPECT_EQ(masa_.audit_requests()[0].body, asked[0].body);
  test::expect_in("\"serialNumber\": \"5\"", show("/offline-vouchers"));
}

TEST_F(AStoredVoucher, IsDeliveredUnchangedWhenTheMasaIsAwayAndTheDeviceEnrols) {
  EXPECT_EQ(fetch().status, 200);
  masa_.go_away();
  road_.restart_registrar();
  const auto answer = ask(device_);
  EXPECT_EQ(answer.status, 200) << as_text(answer.body);
  const auto voucher = need(voucher::open(answer.body, voucher::Root::voucher));
  EXPECT_FALSE(voucher.voucher.nonce);
  EXPECT_EQ(voucher.voucher.serial_number, "5");
  EXPECT_EQ(report(device_).status, 200);
  EXPECT_EQ(enrol(device_).status, 200);
}

TEST_F(AStoredVoucher, IsTakenByOurPledgeWhenTheMasaIsAway) {
  EXPECT_EQ(fetch().status, 200);
  masa_.go_away();
  const auto pledge = need(Pledge::open(road_.pledge_options(device_)));
  const auto credential = road_.onboard(*pledge);
  EXPECT_TRUE(credential) << credential.error().message;
}

TEST_F(AStoredVoucher, IsOnlyASubstituteWhileTheMasaAnswers) {
  EXPECT_EQ(fetch().status, 200);
  const auto answer = ask(device_);
  EXPECT_TRUE(need(voucher::open(answer.body, voucher::Root::voucher)).voucher.nonce) << "a fresh one";
}

TEST_F(AStoredVoucher, IsNoWayAroundARefusalOfTheMasa) {
  EXPECT_EQ(fetch().status, 200);
  masa_.on_voucher = [](const auto&) { return net::HttpResponse::text(403, "stolen"); };
  EXPECT_EQ(ask(device_).status, 403);
}

TEST_F(AStoredVoucher, IsUsedWithoutAskingWhereTheMakerIsConfiguredSo) {
  change_maker([](auto& maker) { maker.offline_first = true; });
  EXPECT_EQ(fetch().status, 200);
  EXPECT_EQ(ask(device_).status, 200);
  EXPECT_EQ(masa_.voucher_requests().size(), 1u) << "for the store, not for the device";
}

TEST_F(AStoredVoucher, IsOfNoUseOnceItHasExpired) {
  EXPECT_EQ(fetch().status, 200);
  masa_.go_away();
  clock_.advance(std::chrono::days(31));
  EXPECT_EQ(ask(device_).status, 502);
}

TEST_F(AStoredVoucher, IsOfNoUseToADeviceOfAnotherIssuerWithTheSameSerialNumber) {
  change_maker([](auto& maker) { maker.offline_first = true; });
  std::string order_text = order_for(device_);
  const std::string issuer = base64(*device_.certificate().authority_key_identifier_der());
  order_text.replace(order_text.find(issuer), issuer.size(), base64(Bytes(20, 7)));
  EXPECT_EQ(order("/offline-vouchers", order_text).status, 200);
  masa_.go_away();
  EXPECT_EQ(ask(device_).status, 502);
}

TEST_F(AStoredVoucher, IsNotStoredUnlessItIsForTheDeviceAndThisDomain) {
  const test::Party other = test::make_ca("another owner");
  for (const auto& [how, naming] :
       {std::pair<test::Change, const char*>{[](auto& v) { v.serial_number = "6"; }, "another serial number"},
        {[](auto& v) {
           v.nonce = "n";
           v.expires_on.reset();
         },
         "none was asked for"},
        {[&](auto& v) { v.pinned_domain_cert = other.certificate; }, "does not lead to the pin"},
        {[](auto& v) { v.expires_on = system_clock().now() - std::chrono::seconds(1); }, "it expired"}}) {
    change_voucher(how);
    const auto refused = fetch();
    EXPECT_EQ(refused.status, 502);
    test::expect_in(naming, refused);
  }
  EXPECT_EQ(to_string(show("/offline-vouchers").body), "[]\n");
}

TEST_F(AStoredVoucher, IsNotToBeHadWhereTheMasaRefusesOrNobodyKnowsTheMaker) {
  masa_.on_voucher = [](const auto&) { return net::HttpResponse::text(403, "who are you"); };
  test::expect_in("403: who are you", fetch());
  masa_.on_voucher = [](const auto&) { return net::HttpResponse::json(200, "{}"); };
  EXPECT_EQ(fetch().status, 502);
  std::string unknown = order_for(device_);
  unknown.replace(unknown.find("Acme"), 4, "Ajax");
  EXPECT_EQ(order("/offline-vouchers", unknown).status, 404);
  const auto no_masa =
      order("/offline-vouchers", R"({"manufacturer":"Acme","serialNumber":"5","idevidIssuer":"AAAA"})");
  EXPECT_EQ(no_masa.status, 403);
  test::expect_in("no MASA is configured", no_masa);
  const auto no_base64 = order("/offline-vouchers", R"({"manufacturer":"Acme","serialNumber":"5","idevidIssuer":"?"})");
  EXPECT_EQ(no_base64.status, 400);
  test::expect_in("'idevidIssuer' is not base64", no_base64);
}

TEST_F(AStoredVoucher, OfADeviceWithAnUnexpectedPastIsNotDelivered) {
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event(1), OwnMasa::foreign_event(2)}); };
  EXPECT_EQ(fetch().status, 200);
  masa_.go_away();
  EXPECT_EQ(ask(device_).status, 406);
}

}  // namespace
}  // namespace cahn::brski
