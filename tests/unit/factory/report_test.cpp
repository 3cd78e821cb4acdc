// Births reported over mutual TLS (decision 66) to a MASA that listens where the manufacturer's certificates say.

#include <algorithm>
#include <deque>
#include <map>

#include "tests/unit/factory/support.h"

namespace cahn::factory {
namespace {

using test::certificates_in;
using test::value_of;

// Answers POST /factory/births: the statuses it was told first, then as decision 66 wants.
class Masa {
 public:
  Masa(net::Runtime& runtime, const std::filesystem::path& files, std::uint16_t port = 0) : runtime_(runtime) {
    anchor_ = crypto::TrustStore(certificates_in(files / "factory-anchor.pem"));
    crypto::TlsServerOptions tls{
        .identity = {certificates_in(files / "tls.pem"), value_of(crypto::open_key((files / "tls.key").string()))}};
    net::Router router;
    router.on("POST", "/factory/births", [this](net::HttpRequest request, const net::Session& session) {
      return take(request, session.peer_chain);
    });
    server_ = value_of(net::HttpServer::start(
        runtime.executor(),
        {.name = "masa", .address = "0.0.0.0", .port = port, .tls = value_of(crypto::TlsContext::server(tls))},
        std::move(router)));
  }
  ~Masa() {
    auto* server = server_.get();
    net::run_blocking<void>(runtime_, [server]() -> net::awaitable<void> { return server->stop(); });
  }
  std::uint16_t port() const { return server_->port(); }

  std::deque<int> answers;  // given one after another, before anything is looked at
  std::map<std::string, nlohmann::json> known;
  int requests = 0;

 private:
  net::awaitable<net::HttpResponse> take(net::HttpRequest request, std::vector<crypto::Certificate> client) {
    ++requests;
    if (!answers.empty()) {
      const int status = answers.front();
      answers.pop_front();
      co_return net::HttpResponse::text(status, "as told\x1b");
    }
    if (client.empty()) co_return net::HttpResponse::text(401, "no certificate");
    if (!crypto::verify_chain(client.front(), {}, anchor_, system_clock().now())) {
      co_return net::HttpResponse::text(403, "not my factory");
    }
    if (request.headers.get("Content-Type") != "application/json") co_return net::HttpResponse::text(415, "");
    const auto birth = nlohmann::json::parse(to_string(request.body));
    const auto [entry, is_new] = known.emplace(birth["serialNumber"].get<std::string>(), birth);
    if (!is_new && entry->second != birth) co_return net::HttpResponse::text(409, "another device");
    co_return net::HttpResponse::text(is_new ? 201 : 200, "");
  }

  net::Runtime& runtime_;
  crypto::TrustStore anchor_;
  std::unique_ptr<net::HttpServer> server_;
};

class Reporting : public test::FactoryTest {
 protected:
  Reporting() {
    runtime_.start();
    create();
    masa_ = std::make_unique<Masa>(runtime_, state() / "masa");
    options_.masa = net::Endpoint{"127.0.0.1", masa_->port()};
    options_.first_delay = std::chrono::milliseconds(1);
  }
  void bear(const std::string& serial) { value_of(give_birth(*manufacturer_, device(serial), serial, "lamp")); }
  ReportOutcome report() {
    auto* manufacturer = manufacturer_.get();
    const auto options = options_;
    return value_of(net::run_blocking<Result<ReportOutcome>>(
        runtime_, [manufacturer, options] { return manufacturer->report_pending(options); }));
  }

  net::Runtime runtime_{2};
  std::unique_ptr<Masa> masa_;
  ReportOptions options_;
};

TEST_F(Reporting, TellsTheMasaOfEveryBirthOnce) {
  bear("SN-1");
  bear("SN-2");
  const auto outcome = report();
  EXPECT_EQ(outcome.acknowledged, (std::vector<std::string>{"SN-1", "SN-2"}));
  EXPECT_EQ(outcome.pending, 0u);
  EXPECT_EQ(outcome.last_error, "");
  const auto idevid = certificates_in(device("SN-1") / "idevid.pem").front();
  EXPECT_EQ(masa_->known.at("SN-1"),
            (nlohmann::json{{"serialNumber", "SN-1"}, {"model", "lamp"}, {"idevid", base64(idevid.der())}}));
  EXPECT_TRUE(report().acknowledged.empty());
  EXPECT_EQ(masa_->requests, 2);
}

TEST_F(Reporting, AsksAnotherMakersServerUnderThatMakersAnchorOnly) {  // a tenant's factory
  bear("SN-1");
  const auto own = certificates_in(state() / "web-anchor.pem").front();
  options_.masa_anchors = crypto::TrustStore({manufacturer_->certificate()});
  options_.attempts = 1;
  const auto refused = report();
  EXPECT_EQ(refused.pending, 1u);
  EXPECT_NE(refused.last_error.find("verify failed"), std::string::npos) << refused.last_error;
  EXPECT_EQ(masa_->requests, 0);
  options_.masa_anchors = crypto::TrustStore({own});
  EXPECT_EQ(report().acknowledged, std::vector<std::string>{"SN-1"});
}

TEST_F(Reporting, ConnectsNobodyWhenThereIsNothingToSay) {
  masa_.reset();
  const auto outcome = report();
  EXPECT_EQ(outcome.pending, 0u);
  EXPECT_EQ(outcome.last_error, "");
}

TEST_F(Reporting, TriesAgainWhileTheMasaIsUnwell) {
  bear("SN-1");
  masa_->answers = {503, 500, 429};
  const auto outcome = report();
  EXPECT_EQ(outcome.acknowledged, std::vector<std::string>{"SN-1"});
  EXPECT_EQ(masa_->requests, 4);
}

TEST_F(Reporting, KeepsTheBirthWhenTheMasaCannotBeReachedAndReportsItAfterARestart) {
  bear("SN-1");
  const auto port = masa_->port();
  masa_.reset();
  const auto failed = report();
  EXPECT_EQ(failed.pending, 1u);
  EXPECT_NE(failed.last_error, "");
  reopen();
  EXPECT_EQ(value_of(manufacturer_->pending()), std::vector<std::string>{"SN-1"});
  masa_ = std::make_unique<Masa>(runtime_, state() / "masa", port);
  EXPECT_EQ(report().acknowledged, std::vector<std::string>{"SN-1"});
  EXPECT_TRUE(value_of(manufacturer_->pending()).empty());
}

TEST_F(Reporting, MayRepeatWhatTheMasaKnewAlready) {
  bear("SN-1");
  report();
  const auto known = masa_->known;
  // The acknowledgement was lost: another factory process of the same books would ask again.
  Masa other(runtime_, state() / "masa");
  other.known = known;
  bear("SN-2");
  other.known["SN-2"] = {{"serialNumber", "SN-2"},
                         {"model", "lamp"},
                         {"idevid", base64(certificates_in(device("SN-2") / "idevid.pem").front().der())}};
  options_.masa->port = other.port();
  EXPECT_EQ(report().acknowledged, std::vector<std::string>{"SN-2"}) << "200 acknowledges as well as 201";
}

TEST_F(Reporting, KeepsARefusedBirthPendingAndSaysWhyAndGoesOnWithTheOthers) {
  bear("SN-1");
  bear("SN-2");
  masa_->known["SN-1"] = {{"serialNumber", "SN-1"}, {"idevid", "another"}};
  const auto outcome = report();
  EXPECT_EQ(outcome.acknowledged, std::vector<std::string>{"SN-2"});
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused.front().serial_number, "SN-1");
  EXPECT_EQ(outcome.refused.front().reason, "409: another device");
  EXPECT_EQ(outcome.pending, 1u);
  EXPECT_EQ(value_of(manufacturer_->pending()), std::vector<std::string>{"SN-1"});
}

TEST_F(Reporting, ShowsAHostileAnswerOnOneLine) {
  bear("SN-1");
  masa_->answers = {403};
  const auto outcome = report();
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused.front().reason, "403: as told ");
}

TEST_F(Reporting, TellsNoStrangerOfABirth) {
  bear("SN-1");
  auto stranger = options();
  stranger.name = "Another maker";
  const auto other_folder = folder_ / "other";
  value_of(Manufacturer::create(other_folder, stranger));
  Masa imposter(runtime_, other_folder / "masa");  // right name, another anchor
  options_.masa->port = imposter.port();
  const auto outcome = report();
  EXPECT_EQ(outcome.pending, 1u);
  EXPECT_EQ(imposter.requests, 0);
}

TEST_F(Reporting, ChecksTheMasasName) {
  bear("SN-1");
  options_.masa->host = "127.0.0.2";  // the same server, but not one of the names in its certificate
  const auto outcome = report();
  EXPECT_EQ(outcome.pending, 1u);
  EXPECT_EQ(masa_->requests, 0);
}

TEST_F(Reporting, IsNotTakenFromAFactoryTheMasaDoesNotKnow) {
  bear("SN-1");
  auto stranger = options();
  stranger.name = "Another maker";
  value_of(Manufacturer::create(folder_ / "other", stranger));
  std::filesystem::copy_file(folder_ / "other/factory.pem", state() / "masa/factory-anchor.pem",
                             std::filesystem::copy_options::overwrite_existing);
  Masa wary(runtime_, state() / "masa");
  options_.masa->port = wary.port();
  const auto outcome = report();
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused.front().reason, "403: not my factory");
}

}  // namespace
}  // namespace cahn::factory
