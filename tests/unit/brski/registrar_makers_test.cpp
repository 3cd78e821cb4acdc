// Makers while the registrar runs, the ways of their devices, and the TLS server that meets them.

#include "brski/pledge.h"
#include "brski/registrar_orders.h"
#include "own_masa.h"

namespace cahn::brski {
namespace {

using test::Device;
using test::need;

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out + "\"";
}

class AMaker : public test::RegistrarTest {
 protected:
  std::string order_for(const test::Maker& maker, const std::string& more = "") const {
    return R"({"name":")" + maker.name + R"(","anchors":)" + json_text(maker.ca.certificate.pem()) + more + "}";
  }
  Device device_of(const test::Maker& maker) const { return test::make_device(maker, "77", "127.0.0.1:1"); }
  // Known makers' devices get as far as their MASA, which is not there.
  bool is_known(const test::Maker& maker) {
    const auto answer = ask(device_of(maker));
    EXPECT_TRUE(answer.status == 404 || answer.status == 502) << answer.status;
    return answer.status == 502;
  }

  test::Maker other_ = test::Maker::make("Other");
};

TEST_F(AMaker, IsAddedAndRemovedWhileTheRegistrarRuns) {
  EXPECT_FALSE(is_known(other_));
  EXPECT_EQ(order("/manufacturers", order_for(other_)).status, 200);
  EXPECT_TRUE(is_known(other_));
  EXPECT_EQ(ask(road_.born("1")).status, 200) << "the others stay";
  test::expect_in("\"name\": \"Other\"", show("/manufacturers"));
  EXPECT_EQ(order("/manufacturers/Other", "", "DELETE").status, 200);
  EXPECT_FALSE(is_known(other_));
  EXPECT_EQ(order("/manufacturers/Other", "", "DELETE").status, 404);
}

TEST_F(AMaker, ThatAnOperatorAddedStaysAcrossARestartAndANewConfiguration) {
  EXPECT_EQ(order("/manufacturers", order_for(other_)).status, 200);
  road_.restart_registrar();
  EXPECT_TRUE(is_known(other_));
  need(road_.registrar().set_manufacturers({road_.manufacturer(test::Maker::make("Third"))}));
  EXPECT_TRUE(is_known(other_));
  EXPECT_EQ(order("/manufacturers/Other", "", "DELETE").status, 200);
  road_.restart_registrar();
  EXPECT_FALSE(is_known(other_));
}

TEST_F(AMaker, OfTheConfigurationIsNotTheOperatorsToRemoveOrReplace) {
  const auto kept = order("/manufacturers/Acme", "", "DELETE");
  EXPECT_EQ(kept.status, 409);
  test::expect_in("in the configuration", kept);
  test::Maker same_name = other_;
  same_name.name = "Acme";
  const auto twice = order("/manufacturers", order_for(same_name));
  EXPECT_EQ(twice.status, 409);
  test::expect_in("two manufacturers are called 'Acme'", twice);
  EXPECT_FALSE(is_known(other_));
  EXPECT_EQ(ask(road_.born("1")).status, 200);
}

TEST_F(AMaker, IsNotAddedByWhoeverLacksTheToken) {
  EXPECT_EQ(at_operator(test::post("/manufacturers", "application/json", as_bytes(order_for(other_)))).status, 401);
  EXPECT_FALSE(is_known(other_));
}

TEST_F(AMaker, IsNotAddedByAnOrderWithAMistake) {
  for (const auto& [more, naming] :
       {std::pair<std::string, const char*>{R"(,"ignorelifetime":true)", "'ignorelifetime' is not a member"},
        {R"(,"ignoreLifetime":"yes")", "'ignoreLifetime' is neither true nor false"},
        {R"(,"serialFrom":"moon")", "'serialFrom' is none of"},
        {R"(,"compat":"lax")", "'compat' is neither strict nor field"},
        {R"(,"masa":"https://")", "the MASA URL"},
        {R"(,"masaAnchors":"no PEM")", "'masaAnchors' holds no certificate"}}) {
    const auto refused = order("/manufacturers", order_for(other_, more));
    EXPECT_TRUE(refused.status == 400 || refused.status == 403) << refused.status;
    test::expect_in(naming, refused);
  }
  test::expect_in("'anchors' is missing", order("/manufacturers", R"({"name":"Other"})"));
  test::expect_in("'name' is missing", order("/manufacturers", "{}"));
  EXPECT_FALSE(is_known(other_));
}

TEST_F(AMaker, HasEveryWayOfItsDevicesInItsOrder) {
  const auto maker = need(manufacturer_from_json(order_for(
      other_, R"(,"masa":"m.example","masaFallback":"f.example:1","ignoreLifetime":true,"serialFrom":"dns-name",)"
              R"("operatorApproves":true,"offlineFirst":true,"withoutClientCertificate":true,"compat":"field",)"
              R"("masaAnchors":)" +
                  json_text(road_.web_ca().certificate.pem()) + R"(,"intermediates":)" +
                  json_text(other_.ca.certificate.pem()))));
  EXPECT_EQ(maker.masa_override, "m.example");
  EXPECT_EQ(maker.masa_fallback, "f.example:1");
  EXPECT_TRUE(maker.ignore_idevid_lifetime && maker.operator_approves && maker.offline_first);
  EXPECT_TRUE(maker.masa_without_certificate && maker.masa_tls_anchors);
  EXPECT_EQ(maker.serial_source, SerialSource::dns_name);
  EXPECT_EQ(maker.compat, Compat::field);
  EXPECT_EQ(maker.intermediates.size(), 1u);
}

// --- the ways of devices ------------------------------------------------------------------------------------------

TEST_F(AMaker, MayHaveItsSerialNumbersElsewhereWhereConfiguredSo) {  // B-011
  test::OwnMasa masa(road_);
  const auto device_with = [&](const std::function<void(crypto::CertificateSpec&)>& change) {
    Device device = test::make_device(road_.maker(), "S-1", masa.authority(), [&](auto& spec) {
      spec.subject = {{"O", "Acme"}};
      change(spec);
    });
    return device;
  };
  using Source = SerialSource;
  const std::vector<std::tuple<Source, Device>> cases{
      {Source::common_name, device_with([](auto& s) { s.subject = {{"CN", "S-1"}}; })},
      {Source::dns_name, device_with([](auto& s) { s.dns_names = {"S-1"}; })},
      {Source::uri, device_with([](auto& s) { s.uris = {"S-1"}; })}};
  for (const auto& [source, device] : cases) {
    change_maker([](auto&) {});
    const auto refused = ask(device);
    EXPECT_EQ(refused.status, 403);
    test::expect_in("no serialNumber in its subject", refused);
    change_maker([source = source](auto& maker) { maker.serial_source = source; });
    EXPECT_EQ(ask(device).status, 200);
    EXPECT_EQ(test::OwnMasa::opened(masa.voucher_requests().back()).voucher.serial_number, "S-1");
    EXPECT_EQ(enrol(device).status, 200);
  }
  const auto nothing = ask(device_with([](auto& s) { s.subject = {{"serialNumber", "S-1"}}; }));
  EXPECT_EQ(nothing.status, 403);
  test::expect_in("where its maker is said to put it", nothing);
}

TEST_F(AMaker, MayHaveIDevIDsThatExpireAndNoOtherMakerWithIt) {  // B-010
  const auto expired = [](const test::Maker& maker) {
    return test::make_device(maker, "9", "127.0.0.1:1", [](auto& spec) {
      spec.not_after = std::chrono::floor<std::chrono::seconds>(system_clock().now() - std::chrono::minutes(1));
    });
  };
  Manufacturer lenient = road_.manufacturer(other_);
  lenient.ignore_idevid_lifetime = true;
  need(road_.registrar().set_manufacturers({road_.manufacturer(road_.maker()), lenient}));
  const auto refused = ask(expired(road_.maker()));
  EXPECT_EQ(refused.status, 403);
  test::expect_in("outside its validity", refused);
  EXPECT_EQ(ask(expired(other_)).status, 502) << "as far as its MASA, which is not there";
}

// --- the TLS server -----------------------------------------------------------------------------------------------

TEST_F(AMaker, IsNotKnownByTheCaOfItsMasasWebServer) {  // B-157
  const test::Party device = test::make_party(road_.web_ca(), {{"CN", "d"}, {"serialNumber", "1"}},
                                              [&](auto& s) { s.masa_url = road_.masa_authority(); });
  const Device pretender{"1", {{device.certificate, road_.web_ca().certificate}, device.key}};
  EXPECT_EQ(ask(pretender).status, 404);
}

TEST_F(AMaker, HasItsDevicesServedUnderAnyNameAndHost) {  // B-158
  // Without SNI; with a name, in SNI and Host, that is in no certificate of ours.
  const std::map<std::string, std::string> serial_by_name{{"127.0.0.1", "1"}, {"localhost", "2"}};
  for (const auto& [name, serial] : serial_by_name) {
    const Device device = road_.born(serial);
    const net::Endpoint there{name, road_.registrar_endpoint().port};
    const auto answer =
        need(test::request_voucher(road_, there, device.idevid, test::signed_pledge_request(device, own())));
    EXPECT_EQ(answer.status, 200) << name << " " << as_text(answer.body);
  }
}

TEST_F(AMaker, HasItsDevicesServedUnderEveryCertificateTheRegistrarShows) {  // B-164
  const crypto::TlsIdentity second = road_.make_registrar_identity();
  change([&](auto& options) { options.other_identities = {second}; });
  net::Router router;
  road_.registrar().add_routes(router);
  const test::Site site(road_.runtime(), second, std::move(router), "second certificate");
  const auto at_second = [&](const Device& device, const crypto::Certificate& seen) {
    return need(
        test::request_voucher(road_, site.endpoint(), device.idevid, test::signed_pledge_request(device, seen)));
  };
  test::OwnMasa masa(road_);
  EXPECT_EQ(at_second(masa.device("1"), second.chain.front()).status, 200);
  EXPECT_EQ(test::OwnMasa::opened(masa.voucher_requests().back()).signer, second.chain.front())
      << "the pledge saw this key, so it signs";
  EXPECT_EQ(at_second(road_.born("2"), second.chain.front()).status, 200) << "as a real MASA sees it";
  EXPECT_EQ(ask(road_.born("3")).status, 200);
  const auto other = at_second(road_.born("4"), own());
  EXPECT_EQ(other.status, 401) << "not what this connection showed";
}

TEST_F(AMaker, HasItsDevicesToldWhenTheRegistrarCannotSignForWhatItShows) {
  const crypto::TlsIdentity unknown = road_.make_registrar_identity();
  net::Router router;
  road_.registrar().add_routes(router);
  const test::Site site(road_.runtime(), unknown, std::move(router), "forgotten certificate");
  const Device device = road_.born("1");
  const auto answer = need(test::request_voucher(road_, site.endpoint(), device.idevid,
                                                 test::signed_pledge_request(device, unknown.chain.front())));
  EXPECT_EQ(answer.status, 503);
  test::expect_in("cannot sign for the certificate it shows", answer);
}

TEST_F(AMaker, HasItsDeviceServedOnOneConnectionOrSeveralButUnderOneCertificate) {  // B-159, B-160
  const Device device = road_.born("1"), other = road_.born("2");
  EXPECT_EQ(ask(device).status, 200);
  EXPECT_EQ(report(other).status, 200) << "a report is only a report";
  EXPECT_TRUE(road_.masa_policy().asked(admission::PolicyPoint::masa_receives) == 1);
  const auto refused = enrol(other);
  EXPECT_EQ(refused.status, 403);
  test::expect_in("no voucher has been issued to this device", refused);
  EXPECT_EQ(enrol(device).status, 200) << "another connection, the same certificate";
}

// --- reports ------------------------------------------------------------------------------------------------------

TEST_F(AMaker, HasItsDevicesReportsOfNewerVersionsSeenByAnOperator) {  // B-200, B-201
  const Device device = road_.born("1");
  EXPECT_EQ(report(device, R"({"version":1,"status":true,"flux":"capacitor"})").status, 200);
  EXPECT_FALSE(was_told("not known here"));
  EXPECT_EQ(report(device, R"({"version":2,"status":true,"flux":"capacitor"})").status, 200);
  EXPECT_TRUE(was_told("version 2, which is not known here"));
  EXPECT_TRUE(was_told("capacitor"));
}

TEST_F(AMaker, HasItsDevicesReportsKeptAsTheyCame) {  // B-199, B-201
  const std::string body = R"({"version":1,"status":false,"reason":"bad","flux":{"a":1}})";
  EXPECT_EQ(report(road_.born("1"), body).status, 200);
  bool kept = false;
  need(road_.registrar_store().commit_and_wait({}));  // after what was committed before it
  for (const auto& event : need(road_.registrar_store().read(1, 1000))) {
    kept = kept || (event.type == "voucher_status" && as_text(event.payload) == body);
  }
  EXPECT_TRUE(kept);
}

TEST_F(AMaker, HasNoReportOfItsDevicesCountAsSuccessThatIsNone) {  // B-203
  const Device device = road_.born("1");
  for (const char* body : {R"({"version":1})", R"({"version":1,"status":"true"})", R"({"version":1,"status":1})",
                           R"({"status":true})", R"([{"version":1,"status":true}])", ""}) {
    const auto refused = report(device, body);
    EXPECT_EQ(refused.status, 400) << body;
  }
  EXPECT_FALSE(was_told("accepted"));
}

TEST_F(AMaker, HasItsDeviceSaidToMatchOrNotInEnrolmentReports) {  // B-202
  const Device device = road_.born("1");
  const auto enrol_report = [&](const std::optional<crypto::TlsIdentity>& identity) {
    const net::HttpRequest request =
        test::post(path_enrol_status, "application/json", as_bytes(R"({"version":1,"status":true})"));
    EXPECT_EQ(need(test::send(road_, road_.registrar_endpoint(), identity, request)).status, 200);
  };
  enrol_report(std::nullopt);
  EXPECT_TRUE(was_told("Its certificate: none."));
  enrol_report(device.idevid);
  EXPECT_TRUE(was_told("Its certificate: not matching."));
  const auto pledge = need(Pledge::open(road_.pledge_options(device)));
  const auto credential = need(road_.onboard(*pledge));
  EXPECT_TRUE(was_told("enrollstatus: accepted. Its certificate: matching LDevID."));
  enrol_report(device.idevid);
  EXPECT_TRUE(was_told("Its certificate: IDevID of a known device."));
}

}  // namespace
}  // namespace cahn::brski
