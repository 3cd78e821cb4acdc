// What a registrar refuses, and what it lets nobody see.

#include "brski/registrar.h"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <thread>

#include "requests.h"

namespace cahn::brski {
namespace {

using admission::PolicyPoint;
using test::Device;
using test::need;
using test::Road;
using test::signed_pledge_request;

class ARegistrar : public testing::Test {
 protected:
  const crypto::Certificate& own() const { return road_.registrar_identity().chain.front(); }
  net::HttpResponse ask(const std::optional<crypto::TlsIdentity>& identity, const Bytes& body) {
    return need(test::request_voucher(road_, road_.registrar_endpoint(), identity, body));
  }
  // The next honest device is served: no refusal leaves anything broken behind.
  void expect_next_one_served() {
    const Device honest = road_.born("honest");
    const auto answer = ask(honest.idevid, signed_pledge_request(honest, own()));
    EXPECT_EQ(answer.status, 200) << as_text(answer.body);
  }
  void expect_refused(int status, const std::optional<crypto::TlsIdentity>& identity, const Bytes& body,
                      std::string_view naming) {
    const int before = road_.registrar_policy().asked(PolicyPoint::registrar_receives);
    const auto answer = ask(identity, body);
    EXPECT_EQ(answer.status, status) << as_text(answer.body);
    EXPECT_NE(as_text(answer.body).find(naming), std::string_view::npos) << as_text(answer.body);
    EXPECT_EQ(road_.registrar_policy().asked(PolicyPoint::registrar_receives), before)
        << "policy is asked of what holds";
    EXPECT_EQ(road_.masa_policy().asked(PolicyPoint::masa_receives), 0);
    expect_next_one_served();
  }

  Road road_;
  Device device_ = road_.born("1");
};

// Counts who knocks: not a packet may come to the MASA of a maker that is not trusted.
class DoorBell {
 public:
  explicit DoorBell(net::Runtime& runtime)
      : acceptor_(runtime.context(), {boost::asio::ip::address_v4::loopback(), 0}), socket_(runtime.context()) {
    wait();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  int rung() const { return rung_; }

 private:
  void wait() {
    acceptor_.async_accept(socket_, [this](boost::system::error_code error) {
      if (error) return;
      ++rung_;
      socket_.close();
      wait();
    });
  }
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket socket_;
  std::atomic<int> rung_ = 0;
};

class AForeignMaker : public ARegistrar {
 protected:
  DoorBell bell_{road_.runtime()};
  test::Maker other_ = test::Maker::make("Other");
  Device stranger_ = test::make_device(other_, "77", "127.0.0.1:" + std::to_string(bell_.port()));
};

TEST_F(AForeignMaker, ThatIsUnknownIsRefusedAndItsMasaNeverContacted) {
  expect_refused(404, stranger_.idevid, signed_pledge_request(stranger_, own()), "no manufacturer");
  EXPECT_EQ(bell_.rung(), 0);
}

TEST_F(AForeignMaker, ThatIsKnownButNotTrustedIsRefusedAndItsMasaNeverContacted) {
  need(road_.registrar().set_manufacturers({road_.manufacturer(road_.maker()), road_.manufacturer(other_)}));
  road_.registrar_policy().answer(PolicyPoint::registrar_receives, test::ScriptedAdmission::Verdict::deny);
  const auto answer = ask(stranger_.idevid, signed_pledge_request(stranger_, own()));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(as_text(answer.body), "this registrar does not admit this device");
  EXPECT_EQ(bell_.rung(), 0);
}

TEST_F(AForeignMaker, IsContactedOnceItIsKnownAndTrusted) {  // so that the two tests above could fail
  need(road_.registrar().set_manufacturers({road_.manufacturer(road_.maker()), road_.manufacturer(other_)}));
  const auto answer = ask(stranger_.idevid, signed_pledge_request(stranger_, own()));
  EXPECT_EQ(answer.status, 502) << as_text(answer.body);
  EXPECT_GE(bell_.rung(), 1);
}

TEST_F(AForeignMaker, ThatIsTakenOffTheListIsRefusedFromThenOn) {
  need(road_.registrar().set_manufacturers({road_.manufacturer(other_)}));
  EXPECT_EQ(ask(device_.idevid, signed_pledge_request(device_, own())).status, 404);
  need(road_.registrar().set_manufacturers({road_.manufacturer(road_.maker())}));
  EXPECT_EQ(ask(device_.idevid, signed_pledge_request(device_, own())).status, 200);
}

TEST_F(ARegistrar, RefusesASelfSignedIDevID) {
  const auto key = need(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", "1"}, {"serialNumber", "1"}};
  spec.key = key->public_key();
  spec.not_before = std::chrono::floor<std::chrono::seconds>(system_clock().now() - std::chrono::hours(1));
  spec.not_after = crypto::no_expiration();
  spec.masa_url = road_.masa_authority();
  const Device self{"1", {{need(crypto::issue_certificate(spec, *key))}, key}};
  expect_refused(404, self.idevid, signed_pledge_request(self, own()), "self-signed");
}

TEST_F(ARegistrar, RefusesASelfSignedIDevIDEvenAsAnAnchor) {
  const test::Party self = test::make_ca("1");
  const Device device{"1", {{self.certificate}, self.key}};
  Manufacturer careless = road_.manufacturer(road_.maker());
  careless.idevid_anchors = crypto::TrustStore({self.certificate});
  need(road_.registrar().set_manufacturers({careless}));
  EXPECT_EQ(ask(device.idevid, signed_pledge_request(device, own())).status, 404);
}

TEST_F(ARegistrar, RefusesADeviceThatIsItsOwnAnchor) {  // no issuer is proven then
  const Device device = test::make_device(road_.maker(), "1", road_.masa_authority());
  Manufacturer careless = road_.manufacturer(road_.maker());
  careless.idevid_anchors = crypto::TrustStore({device.certificate()});
  need(road_.registrar().set_manufacturers({careless}));
  EXPECT_EQ(
      ask(crypto::TlsIdentity{{device.certificate()}, device.idevid.key}, signed_pledge_request(device, own())).status,
      404);
}

TEST_F(ARegistrar, RefusesAnIDevIDThatImitatesTheManufacturersName) {
  test::Maker imitator = test::Maker::make("Acme");  // the same names, another key
  const Device device = test::make_device(imitator, "1", road_.masa_authority());
  const auto answer = ask(device.idevid, signed_pledge_request(device, own()));
  EXPECT_TRUE(answer.status == 404 || answer.status == 403) << answer.status;
  EXPECT_EQ(road_.masa_policy().asked(PolicyPoint::masa_receives), 0);
}

TEST_F(ARegistrar, RefusesAnExpiredIDevIDUnlessItsMakerIsExempt) {  // RFC 8995 2.6.2
  const Device old = test::make_device(road_.maker(), "9", road_.masa_authority(), [](auto& spec) {
    spec.not_before -= std::chrono::hours(48);
    spec.not_after = spec.not_before + std::chrono::hours(24);
  });
  expect_refused(403, old.idevid, signed_pledge_request(old, own()), "validity");
  Manufacturer lenient = road_.manufacturer(road_.maker());
  lenient.ignore_idevid_lifetime = true;
  need(road_.registrar().set_manufacturers({lenient}));
  ask(old.idevid, signed_pledge_request(old, own()));
  EXPECT_EQ(road_.registrar_policy().last(PolicyPoint::registrar_receives)->serial_number, "9");
}

TEST_F(ARegistrar, RefusesAClientWithoutCertificate) {
  expect_refused(403, std::nullopt, signed_pledge_request(device_, own()), "no certificate");
}

TEST_F(ARegistrar, RefusesAnIDevIDWithoutSerialNumber) {
  const Device device = test::make_device(road_.maker(), "1", road_.masa_authority(),
                                          [](auto& spec) { spec.subject = {{"CN", "nameless"}}; });
  expect_refused(403, device.idevid, signed_pledge_request(device, own()), "serialNumber");
}

TEST_F(ARegistrar, RefusesACAsCertificateInPlaceOfAnIDevID) {
  const Device device =
      test::make_device(road_.maker(), "1", road_.masa_authority(), [](auto& spec) { spec.ca = true; });
  expect_refused(403, device.idevid, signed_pledge_request(device, own()), "CA's certificate");
}

TEST_F(ARegistrar, RefusesARequestSignedByAnotherThanTheTlsClient) {
  const Device other = road_.born("2");
  expect_refused(403, other.idevid, signed_pledge_request(device_, own()), "not signed by");
}

TEST_F(ARegistrar, RefusesARequestForAnotherSerialNumberThanTheCertificates) {
  expect_refused(403, device_.idevid,
                 signed_pledge_request(device_, own(), [](auto& request) { request.serial_number = "2"; }),
                 "serial-number");
}

TEST_F(ARegistrar, RefusesARequestWithoutNonce) {
  expect_refused(406, device_.idevid,
                 signed_pledge_request(device_, own(), [](auto& request) { request.nonce.reset(); }), "nonce");
}

TEST_F(ARegistrar, RefusesARequestWhoseSignatureIsBroken) {
  Bytes body = signed_pledge_request(device_, own());
  body.back() ^= 1;  // the last octet belongs to the signature value
  const auto answer = ask(device_.idevid, body);
  EXPECT_TRUE(answer.status == 403 || answer.status == 406) << answer.status;
  EXPECT_EQ(road_.masa_policy().asked(PolicyPoint::masa_receives), 0);
  expect_next_one_served();
}

class ARegistrarThatIsNotTheOneSeen : public ARegistrar {
 protected:
  // Two requests on one connection: the refusal, and what becomes of the connection after it.
  bool closed_after(const Bytes& body) {
    crypto::TlsClientOptions options;
    options.identity = device_.idevid;
    options.check = crypto::PeerCheck::provisional;
    const auto tls = need(crypto::TlsContext::client(options));
    return road_.run<bool>([&]() { return send_twice(road_.registrar_endpoint(), tls, body); });
  }
  static net::awaitable<bool> send_twice(net::Endpoint endpoint, crypto::TlsContext tls, Bytes body) {
    auto connection = co_await net::HttpConnection::open(std::move(endpoint), &tls);
    EXPECT_TRUE(connection);
    net::HttpRequest first = test::post(path_request_voucher, voucher::media_type_cms, body);
    net::HttpRequest second = first;
    const auto answer = co_await (*connection)->send(std::move(first));
    EXPECT_TRUE(answer);
    EXPECT_EQ(answer->status, 401);
    const auto after = co_await (*connection)->send(std::move(second));
    co_return !after.has_value();
  }
};

TEST_F(ARegistrarThatIsNotTheOneSeen, Answers401AndCloses) {            // RFC 8995 5.2
  const crypto::TlsIdentity another = road_.make_registrar_identity();  // same domain, other certificate
  EXPECT_TRUE(closed_after(signed_pledge_request(device_, another.chain.front())));
  expect_next_one_served();
}

TEST_F(ARegistrarThatIsNotTheOneSeen, Answers401WithoutProximity) {
  EXPECT_TRUE(closed_after(
      signed_pledge_request(device_, own(), [](auto& request) { request.proximity_registrar_cert.reset(); })));
  EXPECT_TRUE(closed_after(
      signed_pledge_request(device_, own(), [](auto& request) { request.assertion = voucher::Assertion::logged; })));
}

TEST_F(ARegistrar, RefusesWhatIsNoVoucherRequestAndServesTheNextHonestOne) {
  const Bytes good = signed_pledge_request(device_, own());
  const Bytes truncated(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(good.size() / 2));
  const Bytes trailing = [&] {
    Bytes b = good;
    b.insert(b.end(), 100, 0);
    return b;
  }();
  for (const Bytes& body : {truncated, trailing, Bytes{}, Bytes(1000, 0x30), to_bytes("not DER at all"),
                            to_bytes(base64(good)), Bytes{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}}) {
    EXPECT_EQ(ask(device_.idevid, body).status, 406) << body.size();
  }
  expect_next_one_served();
}

TEST_F(ARegistrar, RefusesDeepOrForeignJsonInsideGoodCms) {
  const std::string deep =
      R"({"ietf-voucher-request:voucher":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
  for (const std::string& json : {deep, std::string("{}"), std::string("[]"), std::string("null"),
                                  std::string(R"({"ietf-voucher:voucher":{"serial-number":"1"}})")}) {
    const Bytes body = need(
        crypto::cms_sign(as_bytes(json), crypto::oid_anima_json_voucher, device_.certificate(), *device_.idevid.key));
    EXPECT_EQ(ask(device_.idevid, body).status, 406) << json.substr(0, 50);
  }
  expect_next_one_served();
}

TEST_F(ARegistrar, ServesNothingUnderThePathsOfOldDrafts) {
  const Bytes body = signed_pledge_request(device_, own());
  for (const char* path :
       {"/brski/voucherrequest", "/.well-known/est/requestvoucher", "/.well-known/brski/voucherrequest"}) {
    const auto answer = need(
        test::send(road_, road_.registrar_endpoint(), device_.idevid, test::post(path, voucher::media_type_cms, body)));
    EXPECT_EQ(answer.status, 404) << path;
  }
  expect_next_one_served();
}

TEST_F(ARegistrar, Answers415To415) {
  const Bytes body = signed_pledge_request(device_, own());
  const auto answer = need(test::send(road_, road_.registrar_endpoint(), device_.idevid,
                                      test::post(path_request_voucher, "application/voucher-cose+cbor", body)));
  EXPECT_EQ(answer.status, 415);
}

TEST_F(ARegistrar, RefusesABodyLargerThanAnyVoucherRequest) {
  const auto answer = test::request_voucher(road_, road_.registrar_endpoint(), device_.idevid, Bytes(1 << 20, 0x30));
  EXPECT_TRUE(!answer || answer->status == 413);
  expect_next_one_served();
}

// --- the MASA's side ----------------------------------------------------------------------------------------------

// A MASA that answers as it is told.
class AMasaOfItsOwnMind : public ARegistrar {
 protected:
  using Answer = std::function<net::HttpResponse(const voucher::SignedVoucher&)>;

  // What the pledge gets when the MASA answers so.
  net::HttpResponse with(Answer answer) {
    net::Router router;
    router.on("POST", std::string(path_request_voucher),
              [answer, this](net::HttpRequest request, const net::Session&) -> net::awaitable<net::HttpResponse> {
                return respond(answer, std::move(request));
              });
    const test::Site site(road_.runtime(), road_.web_identity(), std::move(router), "other masa");
    const Device device = test::make_device(road_.maker(), "5", site.authority());
    return ask(device.idevid, signed_pledge_request(device, own()));
  }
  net::awaitable<net::HttpResponse> respond(Answer answer, net::HttpRequest request) {
    const auto opened = voucher::open(request.body, voucher::Root::voucher_request);
    if (!opened) co_return net::HttpResponse::text(500, opened.error().message);
    seen_ = *opened;
    co_return answer(*opened);
  }
  voucher::Voucher good_voucher(const voucher::SignedVoucher& request) const {
    voucher::Voucher voucher;
    voucher.created_on = system_clock().now();
    voucher.assertion = voucher::Assertion::proximity;
    voucher.serial_number = request.voucher.serial_number;
    voucher.nonce = request.voucher.nonce;
    voucher.pinned_domain_cert = road_.domain_ca().certificate();
    return voucher;
  }
  net::HttpResponse signed_by_masa(const voucher::Voucher& voucher) const {
    const crypto::TlsIdentity masa{{road_.maker().masa.certificate}, road_.maker().masa.key};
    return net::HttpResponse::of(200, voucher::media_type_cms, test::sign_as(masa, voucher, voucher::Root::voucher));
  }

  std::optional<voucher::SignedVoucher> seen_;
};

TEST_F(AMasaOfItsOwnMind, GetsARequestAsRfc8995Section55WantsIt) {
  with([&](const auto& request) { return signed_by_masa(good_voucher(request)); });
  ASSERT_TRUE(seen_);
  EXPECT_EQ(seen_->signer, own());
  EXPECT_NE(std::ranges::find(seen_->certificates, road_.domain_ca().certificate()), seen_->certificates.end());
  EXPECT_TRUE(seen_->voucher.created_on);
  EXPECT_EQ(seen_->voucher.serial_number, "5");
  EXPECT_FALSE(seen_->voucher.proximity_registrar_cert) << "RFC 8995 5.5: must not be present";
  ASSERT_TRUE(seen_->voucher.prior_signed_voucher_request);
  const auto prior = need(voucher::open(*seen_->voucher.prior_signed_voucher_request, voucher::Root::voucher_request));
  EXPECT_EQ(prior.signer.subject_serial_number(), "5");
  EXPECT_EQ(prior.voucher.nonce, seen_->voucher.nonce);
  EXPECT_EQ(seen_->voucher.idevid_issuer, prior.signer.authority_key_identifier_der());
}

TEST_F(AMasaOfItsOwnMind, HasItsVoucherPassedOnUnchanged) {
  Bytes sent;
  const auto answer = with([&](const auto& request) {
    auto response = signed_by_masa(good_voucher(request));
    sent = response.body;
    return response;
  });
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, sent);
  EXPECT_EQ(answer.headers.get("Content-Type"), voucher::media_type_cms);
}

TEST_F(AMasaOfItsOwnMind, CannotPassAVoucherForAnotherSerialNumber) {
  EXPECT_EQ(with([&](const auto& request) {
              auto voucher = good_voucher(request);
              voucher.serial_number = "6";
              return signed_by_masa(voucher);
            }).status,
            502);
}

TEST_F(AMasaOfItsOwnMind, CannotPassAVoucherWithAnotherNonce) {
  EXPECT_EQ(with([&](const auto& request) {
              auto voucher = good_voucher(request);
              voucher.nonce = voucher::fresh_nonce();
              return signed_by_masa(voucher);
            }).status,
            502);
}

TEST_F(AMasaOfItsOwnMind, CannotPassAVoucherThatPinsAnotherDomain) {
  const test::Party other = test::make_ca("another owner");
  EXPECT_EQ(with([&](const auto& request) {
              auto voucher = good_voucher(request);
              voucher.pinned_domain_cert = other.certificate;
              return signed_by_masa(voucher);
            }).status,
            502);
}

TEST_F(AMasaOfItsOwnMind, CannotPassWhatIsNoVoucher) {
  EXPECT_EQ(
      with([](const auto&) { return net::HttpResponse::of(200, voucher::media_type_cms, to_bytes("hello")); }).status,
      502);
  EXPECT_EQ(with([](const auto&) { return net::HttpResponse::json(200, "{}"); }).status, 502);
}

TEST_F(AMasaOfItsOwnMind, CannotPassAVoucherUnderAnotherType) {
  const auto answer = with([&](const auto& request) {
    return net::HttpResponse::of(200, "application/json", signed_by_masa(good_voucher(request)).body);
  });
  EXPECT_EQ(answer.status, 502);
}

TEST_F(AMasaOfItsOwnMind, HasItsRefusalsPassedOnByKindAndNotByWord) {
  for (const auto& [from_masa, to_pledge] :
       {std::pair(403, 403), {404, 404}, {406, 406}, {415, 502}, {401, 502}, {500, 502}}) {
    const auto answer = with([from = from_masa](const auto&) { return net::HttpResponse::text(from, "secret words"); });
    EXPECT_EQ(answer.status, to_pledge);
    EXPECT_EQ(as_text(answer.body).find("secret"), std::string_view::npos);
  }
  EXPECT_EQ(with([](const auto&) { return come_back_later(std::chrono::seconds(7)); }).status, 202);
}

TEST_F(AMasaOfItsOwnMind, IsNotTrustedUnderAnotherNameOrAnotherCA) {  // RFC 8995 5.4
  const test::Party other_ca = test::make_ca("Other Web CA");
  const test::Party wrong_ca =
      test::make_party(other_ca, {{"CN", "x"}}, [](auto& s) { s.ip_addresses = {"127.0.0.1"}; });
  const test::Party wrong_name =
      test::make_party(road_.web_ca(), {{"CN", "127.0.0.1"}}, [](auto& s) { s.dns_names = {"masa.example"}; });
  for (const auto& identity : {crypto::TlsIdentity{{wrong_ca.certificate, other_ca.certificate}, wrong_ca.key},
                               crypto::TlsIdentity{{wrong_name.certificate}, wrong_name.key}}) {
    bool asked = false;
    net::Router router;
    router.on("POST", std::string(path_request_voucher),
              [&asked](net::HttpRequest, const net::Session&) -> net::awaitable<net::HttpResponse> {
                asked = true;
                co_return net::HttpResponse::text(403, "");
              });
    const test::Site site(road_.runtime(), identity, std::move(router), "impostor");
    const Device device = test::make_device(road_.maker(), "5", site.authority());
    EXPECT_EQ(ask(device.idevid, signed_pledge_request(device, own())).status, 502);
    EXPECT_FALSE(asked) << "the request must not reach an impostor";
  }
}

TEST_F(ARegistrar, GoesToTheConfiguredMasaWhereThereIsOne) {  // decision 16
  Manufacturer overridden = road_.manufacturer(road_.maker());
  overridden.masa_override = road_.masa_authority();
  need(road_.registrar().set_manufacturers({overridden}));
  const Device device = test::make_device(road_.maker(), "5", "nowhere.invalid");
  road_.tell_masa(device);
  EXPECT_EQ(ask(device.idevid, signed_pledge_request(device, own())).status, 200);
}

TEST_F(ARegistrar, FailsGracefullyWhenTheMasaIsAway) {
  const Device device = test::make_device(road_.maker(), "5", "127.0.0.1:1");
  EXPECT_EQ(ask(device.idevid, signed_pledge_request(device, own())).status, 502);
  expect_next_one_served();
}

TEST_F(ARegistrar, TakesReportsThatCanBeReadAndNoOthers) {
  for (const auto path : {path_voucher_status, path_enrol_status}) {
    const auto status = [&](std::string_view type, std::string_view body) {
      return need(test::send(road_, road_.registrar_endpoint(), device_.idevid, test::post(path, type, as_bytes(body))))
          .status;
    };
    EXPECT_EQ(status("application/json", R"({"version":1,"status":true})"), 200);
    EXPECT_EQ(status("application/json; charset=utf-8", R"({"version":2,"status":false,"reason":"x","new":1})"), 200);
    EXPECT_EQ(status("application/json", R"({"status":true})"), 400);
    EXPECT_EQ(status("application/json", "{"), 400);
    EXPECT_EQ(status("text/plain", R"({"version":1,"status":true})"), 415);
  }
}

TEST(ARegistrarsOptions, MustBeUsable) {
  Road road;
  const auto create = [&](const std::function<void(RegistrarOptions&)>& change) {
    RegistrarOptions options;
    options.identity = road.registrar_identity();
    options.domain_ca = {road.domain_ca().certificate()};
    options.network = "lab";
    options.name_of_key = test::name_of_key;
    options.revocation = [](std::string_view) { return std::nullopt; };
    options.store = &road.registrar_store();
    change(options);
    return Registrar::create(road.runtime().executor(), std::move(options), road.registrar_policy(), road.registry())
        .has_value();
  };
  EXPECT_TRUE(create([](auto&) {}));
  EXPECT_FALSE(create([&](auto& o) { o.identity = road.web_identity(); })) << "without cmcRA a MASA would refuse it";
  EXPECT_FALSE(create([](auto& o) { o.domain_ca.clear(); }));
  EXPECT_FALSE(create([](auto& o) { o.network.clear(); }));
  EXPECT_FALSE(create([](auto& o) { o.revocation = nullptr; }));
  EXPECT_FALSE(create([](auto& o) { o.store = nullptr; }));
  EXPECT_FALSE(create([](auto& o) { o.manufacturers = {Manufacturer{}}; }));
  EXPECT_FALSE(create([&](auto& o) {
    o.manufacturers = {road.manufacturer(road.maker())};
    o.manufacturers[0].masa_override = "https://";
  }));
}

}  // namespace
}  // namespace cahn::brski
