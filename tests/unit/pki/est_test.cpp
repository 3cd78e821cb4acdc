// EST over real sockets: our server and our client, and the malformed matrix sent by hand.

#include <algorithm>
#include <set>

#include "crypto/cms.h"
#include "pki/csr_attributes.h"
#include "pki/est_client.h"
#include "pki/est_server.h"
#include "tests/unit/pki/support.h"

namespace cahn::pki {
namespace {

using test::value_of;
using Chain = std::vector<crypto::Certificate>;

// Grants whoever the test says, and remembers what it was asked.
class Authority final : public EnrolmentAuthority {
 public:
  net::awaitable<Result<EnrolmentGrant>> may_enrol(Chain client, crypto::Csr) override {
    ++asked;
    if (refusal) co_return std::unexpected(*refusal);
    co_return EnrolmentGrant{{{"serialNumber", client.front().subject_serial_number().value_or("")}, {"CN", "home"}},
                             {"urn:cahn:network:home"},
                             Profile::ldevid};
  }
  net::awaitable<Result<EnrolmentGrant>> may_reenrol(Chain client, crypto::Csr) override {
    ++asked;
    if (refusal) co_return std::unexpected(*refusal);
    co_return EnrolmentGrant{client.front().subject(), client.front().uris(), Profile::ldevid};
  }
  net::awaitable<Result<void>> enrolled(Chain, crypto::Certificate issued, bool renewal) override {
    if (cannot_record) co_return fail(store::StoreError::unavailable, "secret detail of the disk");
    recorded.push_back(issued);
    renewals += renewal;
    co_return Result<void>();
  }

  std::optional<Error> refusal;
  bool cannot_record = false;
  std::atomic<int> asked = 0;
  int renewals = 0;
  Chain recorded;
};

class Est : public test::CaTest {
 protected:
  Est() { start({"2.5.4.5", "1.2.840.10045.4.3.2"}); }
  ~Est() override { stop(); }

  void start(std::vector<std::string> csr_attributes) {
    net::Router router;
    add_est_routes(router, *ca_, authority_, {.csr_attribute_oids = std::move(csr_attributes)});
    const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
    IssueRequest request{csr_of(key), Profile::registrar, {{"CN", "localhost"}}, {"localhost"}, {}, {"127.0.0.1"}};
    const auto issued = value_of(issue(request));
    crypto::TlsServerOptions tls{.identity = {{issued.certificate, ca_->certificate()}, key}};
    net::ServerOptions options{.name = "est", .address = "127.0.0.1", .tls = value_of(crypto::TlsContext::server(tls))};
    server_ = value_of(net::HttpServer::start(runtime_.executor(), std::move(options), std::move(router)));
  }
  void stop() {
    auto* server = server_.get();
    if (server) await<void>([server]() -> net::awaitable<void> { return server->stop(); });
    server_.reset();
  }

  // A device with an IDevID of its maker: EST itself does not ask who that is, the authority does.
  crypto::TlsIdentity device(const std::string& serial_number) {
    const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
    crypto::CertificateSpec spec;
    spec.subject = {{"serialNumber", serial_number}};
    spec.key = key->public_key();
    spec.not_before = clock_.now() - std::chrono::hours(1);
    spec.not_after = crypto::no_expiration();
    return {{value_of(crypto::issue_certificate(spec, *key))}, key};
  }
  crypto::TlsContext client_context(std::optional<crypto::TlsIdentity> identity) {
    return value_of(crypto::TlsContext::client(
        {.identity = std::move(identity), .anchors = crypto::TrustStore({ca_->certificate()})}));
  }

  // Runs `task` on a fresh connection that shows `identity`.
  template <typename T>
  Result<T> on_connection(std::optional<crypto::TlsIdentity> identity,
                          std::function<net::awaitable<Result<T>>(net::HttpConnection&)> task) {
    const auto context = client_context(std::move(identity));
    const net::Endpoint endpoint{"127.0.0.1", server_->port()};
    return await<Result<T>>([&]() { return connected<T>(endpoint, &context, task); });
  }
  template <typename T>
  static net::awaitable<Result<T>> connected(net::Endpoint endpoint, const crypto::TlsContext* context,
                                             std::function<net::awaitable<Result<T>>(net::HttpConnection&)> task) {
    CAHN_CO_TRY(const auto connection, co_await net::HttpConnection::open(endpoint, context));
    co_return co_await task(*connection);
  }

  net::HttpResponse send(std::optional<crypto::TlsIdentity> identity, net::HttpRequest request) {
    return value_of(on_connection<net::HttpResponse>(
        std::move(identity), [request](net::HttpConnection& connection) { return connection.send(request); }));
  }
  static net::HttpRequest post(std::string operation, std::string_view body,
                               std::string_view content_type = "application/pkcs10") {
    net::HttpRequest request{.method = "POST", .path = "/.well-known/est/" + operation, .body = to_bytes(body)};
    if (!content_type.empty()) request.headers.set("Content-Type", std::string(content_type));
    return request;
  }
  static net::HttpRequest get(std::string operation) { return {.path = "/.well-known/est/" + operation}; }
  Result<crypto::Certificate> enrol(const crypto::TlsIdentity& identity, const Bytes& csr, bool renewal = false) {
    return on_connection<crypto::Certificate>(
        identity, [csr, renewal](net::HttpConnection& connection) { return est_enroll(connection, csr, renewal); });
  }
  static std::string body_of(const crypto::Csr& csr) { return base64(csr.der()); }
  // After whatever was refused, an honest device is served.
  void still_serves() { EXPECT_TRUE(enrol(device("SN-9"), fresh_csr().der()).has_value()); }

  Authority authority_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(Est, GivesTheCaCertificatesToAnyoneOnOneLine) {
  const auto response = send(std::nullopt, get("cacerts"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/pkcs7-mime; smime-type=certs-only");
  EXPECT_EQ(response.headers.get("Content-Transfer-Encoding"), std::nullopt);
  EXPECT_EQ(std::ranges::count(response.body, '\n'), 0) << "strongSwan reads one line";
  const auto read = value_of(on_connection<Chain>(std::nullopt, est_cacerts));
  EXPECT_EQ(read, Chain{ca_->certificate()});
}

TEST_F(Est, GivesCaCertificatesThatOpensslReads) {
  test::write(folder_ / "cacerts.b64", as_text(send(std::nullopt, get("cacerts")).body));
  const auto [status, output] = openssl("base64 -d -A -in cacerts.b64 | openssl pkcs7 -inform DER -print_certs -noout");
  EXPECT_EQ(status, 0);
  EXPECT_NE(output.find("CN = ann@example.org"), output.npos) << output;
}

TEST_F(Est, SaysWhatACsrShouldHold) {
  const auto response = send(std::nullopt, get("csrattrs"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/csrattrs");
  const auto read = value_of(on_connection<std::vector<std::string>>(std::nullopt, est_csrattrs));
  EXPECT_EQ(read, (std::vector<std::string>{"2.5.4.5", "1.2.840.10045.4.3.2"}));
}

TEST_F(Est, SaysNothingWhenACsrNeedHoldNothing) {
  stop();
  start({});
  EXPECT_EQ(send(std::nullopt, get("csrattrs")).status, 204);
  EXPECT_TRUE(value_of(on_connection<std::vector<std::string>>(std::nullopt, est_csrattrs)).empty());
}

TEST_F(Est, EnrolsADeviceAndRecordsItBeforeItAnswers) {
  const auto csr = fresh_csr();
  const auto certificate = value_of(enrol(device("SN-1"), csr.der()));
  EXPECT_EQ(certificate.public_key(), csr.public_key());
  EXPECT_EQ(certificate.subject_serial_number(), "SN-1");
  EXPECT_EQ(authority_.recorded, Chain{certificate});
  EXPECT_EQ(authority_.renewals, 0);
  EXPECT_TRUE(value_of(ca_->find(certificate.serial_hex())).has_value());
}

TEST_F(Est, AnswersWithTheIssuedCertificateAlone) {  // RFC 7030 4.2.3
  const auto response = send(device("SN-1"), post("simpleenroll", body_of(fresh_csr())));
  ASSERT_EQ(response.status, 200) << to_string(response.body);
  EXPECT_EQ(response.headers.get("Content-Type"), "application/pkcs7-mime; smime-type=certs-only");
  EXPECT_EQ(value_of(crypto::certs_from_certs_only(value_of(base64_decode(as_text(response.body))))).size(), 1u);
}

TEST_F(Est, ReadsBase64InLinesAndIgnoresTheTransferEncoding) {  // RFC 8951 3.1
  std::string lines;
  for (std::string rest = body_of(fresh_csr()); !rest.empty(); rest.erase(0, 64)) lines += rest.substr(0, 64) + "\r\n";
  auto request = post("simpleenroll", lines, "Application/PKCS10; charset=us-ascii");
  request.headers.set("Content-Transfer-Encoding", "base64");
  EXPECT_EQ(send(device("SN-1"), request).status, 200);
}

TEST_F(Est, RenewsWithANewKeyOrTheOldOne) {
  const auto first_key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto first = value_of(enrol(device("SN-1"), csr_of(first_key).der()));
  const crypto::TlsIdentity holder{{first}, first_key};
  const auto renewed = value_of(enrol(holder, fresh_csr({.subject = first.subject()}).der(), true));
  EXPECT_EQ(renewed.subject(), first.subject());
  EXPECT_NE(renewed.serial_hex(), first.serial_hex());
  EXPECT_TRUE(enrol(holder, csr_of(first_key, {.subject = first.subject()}).der(), true).has_value());
  EXPECT_EQ(authority_.renewals, 2);
}

TEST_F(Est, RefusesToRenewForAnotherSubject) {  // RFC 7030 4.2.2
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto first = value_of(enrol(device("SN-1"), csr_of(key).der()));
  const auto response = send(crypto::TlsIdentity{{first}, key},
                             post("simplereenroll", body_of(fresh_csr({.subject = {{"serialNumber", "SN-1"}}}))));
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(as_text(response.body).find("another subject"), std::string_view::npos);
}

TEST_F(Est, RefusesTheIdevidKeyAsLdevidKey) {  // decision 9
  const auto identity = device("SN-1");
  const auto response = send(identity, post("simpleenroll", body_of(csr_of(identity.key))));
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(as_text(response.body).find("fresh"), std::string_view::npos) << to_string(response.body);
  EXPECT_EQ(authority_.asked, 0);
}

TEST_F(Est, RefusesAClientWithoutACertificate) {
  for (const auto* operation : {"simpleenroll", "simplereenroll"}) {
    const auto response = send(std::nullopt, post(operation, body_of(fresh_csr())));
    EXPECT_EQ(response.status, 401);
    EXPECT_TRUE(response.headers.get("WWW-Authenticate").has_value());
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesAnotherMediaType) {
  for (const auto* type : {"", "text/plain", "application/pkcs7-mime", "application/pkcs10x", "application"}) {
    EXPECT_EQ(send(device("SN-1"), post("simpleenroll", body_of(fresh_csr()), type)).status, 415) << type;
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesWhatIsNoCertificateRequest) {
  const auto good = fresh_csr();
  auto cut = good.der();
  cut.resize(cut.size() / 2);
  auto forged = good.der();
  forged[forged.size() - 1] ^= 1;
  auto longer = good.der();
  longer.push_back(0);
  const std::map<std::string, std::string> bodies = {
      {"nothing", ""},
      {"not base64", "****"},
      {"raw DER", to_string(good.der())},
      {"PEM", "-----BEGIN CERTIFICATE REQUEST-----\n" + base64(good.der()) + "\n-----END CERTIFICATE REQUEST-----\n"},
      {"base64 of no DER", base64(as_bytes("hello, world"))},
      {"a cut request", base64(cut)},
      {"a broken signature", base64(forged)},
      {"something behind it", base64(longer)},
      {"a certificate", base64(ca_->certificate().der())},
      {"base64 of base64", base64(as_bytes(base64(good.der())))},
      {"60 KiB of noise", base64(random_bytes(45'000))},
      {"deep nesting", base64(Bytes(40'000, 0x30))}};
  for (const auto& [what, body] : bodies) {
    EXPECT_EQ(send(device("SN-1"), post("simpleenroll", body)).status, 400) << what;
    EXPECT_EQ(send(device("SN-1"), post("simplereenroll", body)).status, 400) << what;
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesABodyOverItsLimit) {
  const auto context = client_context(device("SN-1"));
  const net::Endpoint endpoint{"127.0.0.1", server_->port()};
  const auto request = post("simpleenroll", std::string(std::size_t{65} << 10, 'A'));
  std::function<net::awaitable<Result<net::HttpResponse>>(net::HttpConnection&)> task =
      [request](net::HttpConnection& connection) { return connection.send(request); };
  const auto response =
      await<Result<net::HttpResponse>>([&] { return connected<net::HttpResponse>(endpoint, &context, task); });
  // The server closes without reading on: a client may or may not see the answer.
  if (response) {
    EXPECT_EQ(response->status, 413);
  }
  EXPECT_EQ(authority_.asked, 0);
  still_serves();
}

TEST_F(Est, RefusesARequestForMoreThanWasGranted) {
  const std::map<std::string, crypto::Csr> requests = {
      {"CA:TRUE", fresh_csr({.ask_for_ca = true})},
      {"another subject", fresh_csr({.subject = {{"serialNumber", "SN-2"}}})},
      {"cmcRA", foreign_csr("/", "-addext extendedKeyUsage=1.3.6.1.5.5.7.3.28")},
      {"alternative name", fresh_csr({.dns_names = {"registrar.example.org"}})}};
  for (const auto& [words, csr] : requests) {
    const auto response = send(device("SN-1"), post("simpleenroll", body_of(csr)));
    EXPECT_EQ(response.status, 403) << words;
    EXPECT_NE(as_text(response.body).find(words), std::string_view::npos) << to_string(response.body);
  }
  EXPECT_TRUE(authority_.recorded.empty());
  still_serves();
}

TEST_F(Est, PassesOnWhyTheAuthorityRefuses) {
  authority_.refusal = Error{PkiError::not_authorized, "no voucher was issued for this device"};
  const auto csr = fresh_csr();
  for (const auto* operation : {"simpleenroll", "simplereenroll"}) {
    const auto response = send(device("SN-1"), post(operation, body_of(csr)));
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(as_text(response.body), "no voucher was issued for this device");
  }
  const auto refused = enrol(device("SN-1"), csr.der());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, PkiError::server_refused);
  EXPECT_NE(refused.error().message.find("403"), std::string::npos);
  EXPECT_NE(refused.error().message.find("no voucher"), std::string::npos);
}

TEST_F(Est, AsksTheDeviceToComeBackWhileUndecided) {  // RFC 7030 4.2.3
  authority_.refusal = Error{PkiError::undecided, "waiting for the owner"};
  const auto response = send(device("SN-1"), post("simpleenroll", body_of(fresh_csr())));
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.headers.get("Retry-After"), "10");
  const auto refused = enrol(device("SN-1"), fresh_csr().der());
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("retry after 10 s"), std::string::npos) << refused.error().message;
}

TEST_F(Est, WithholdsACertificateThatCouldNotBeRecordedAndTellsNoDetails) {
  authority_.cannot_record = true;
  const auto response = send(device("SN-1"), post("simpleenroll", body_of(fresh_csr())));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(as_text(response.body).find("secret"), std::string_view::npos);
  EXPECT_TRUE(response.headers.get("Retry-After").has_value());
}

TEST_F(Est, KnowsNoLabelsAndNoOtherOperations) {
  EXPECT_EQ(send(std::nullopt, get("lab/cacerts")).status, 404);
  EXPECT_EQ(send(device("SN-1"), post("lab/simpleenroll", body_of(fresh_csr()))).status, 404);
  EXPECT_EQ(send(std::nullopt, get("nothing")).status, 404);
  EXPECT_EQ(send(device("SN-1"), post("fullcmc", "AAAA", "application/pkcs7-mime")).status, 501);
  EXPECT_EQ(send(device("SN-1"), post("serverkeygen", body_of(fresh_csr()))).status, 501);
  EXPECT_EQ(send(device("SN-1"), get("simpleenroll")).status, 405);
}

TEST_F(Est, EnrolsManyDevicesAtOnceWithoutMixingThemUp) {
  constexpr int devices = 16;
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::set<std::string> serials;
  for (int i = 0; i < devices; ++i) {
    threads.emplace_back([&, name = "SN-" + std::to_string(i)] {
      const auto csr = fresh_csr();
      const auto certificate = enrol(device(name), csr.der());
      ASSERT_TRUE(certificate.has_value()) << certificate.error().message;
      EXPECT_EQ(certificate->subject_serial_number(), name);
      EXPECT_EQ(certificate->public_key(), csr.public_key());
      const std::lock_guard lock(mutex);
      serials.insert(certificate->serial_hex());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(serials.size(), std::size_t{devices});
}

// A server that answers the client whatever the test wants.
class AnEstClient : public Est {
 protected:
  template <typename T>
  Result<T> reads(net::HttpResponse answer, std::function<net::awaitable<Result<T>>(net::HttpConnection&)> task) {
    net::Router router;
    const auto handler = [answer](net::HttpRequest, const net::Session&) -> net::awaitable<net::HttpResponse> {
      return reply(answer);
    };
    for (const auto* operation : {"cacerts", "csrattrs"})
      router.on("GET", std::string("/.well-known/est/") + operation, handler);
    router.on("POST", "/.well-known/est/simpleenroll", handler);
    const auto server = value_of(
        net::HttpServer::start(runtime_.executor(), {.name = "liar", .address = "127.0.0.1"}, std::move(router)));
    const net::Endpoint endpoint{"127.0.0.1", server->port()};
    auto result = await<Result<T>>([&] { return connected<T>(endpoint, nullptr, task); });
    auto* running = server.get();
    await<void>([running]() -> net::awaitable<void> { return running->stop(); });
    return result;
  }
  static net::awaitable<net::HttpResponse> reply(net::HttpResponse answer) { co_return answer; }
  static net::HttpResponse certificates(std::string_view body) {
    return net::HttpResponse::of(200, "application/pkcs7-mime", as_bytes(body));
  }
  template <typename T>
  void refuses(net::HttpResponse answer, std::function<net::awaitable<Result<T>>(net::HttpConnection&)> task,
               PkiError code) {
    const auto result = reads<T>(answer, std::move(task));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
  }
};

TEST_F(AnEstClient, ReadsCertificatesInLinesToo) {
  std::string lines;
  for (std::string rest = base64(value_of(crypto::certs_only(ca_->ca_certificates()))); !rest.empty();
       rest.erase(0, 64)) {
    lines += rest.substr(0, 64) + "\r\n";
  }
  EXPECT_EQ(value_of(reads<Chain>(certificates(lines), est_cacerts)), Chain{ca_->certificate()});
}

TEST_F(AnEstClient, RefusesCaCertificatesThatAreNone) {
  refuses<Chain>(certificates(""), est_cacerts, PkiError::bad_answer);
  refuses<Chain>(certificates("!!!"), est_cacerts, PkiError::bad_answer);
  refuses<Chain>(certificates("AAAA"), est_cacerts, PkiError::bad_answer);
  const Chain none;
  if (const auto empty = crypto::certs_only(none)) {
    refuses<Chain>(certificates(base64(*empty)), est_cacerts, PkiError::bad_answer);
  }
  auto html = certificates(base64(value_of(crypto::certs_only(ca_->ca_certificates()))));
  html.headers.set("Content-Type", "text/html");
  refuses<Chain>(html, est_cacerts, PkiError::bad_answer);
  refuses<Chain>(net::HttpResponse::text(500, "oops"), est_cacerts, PkiError::server_refused);
}

TEST_F(AnEstClient, RefusesCsrAttributesThatAreNone) {
  using Oids = std::vector<std::string>;
  refuses<Oids>(net::HttpResponse::of(200, "application/csrattrs", as_bytes("AAAA")), est_csrattrs,
                PkiError::bad_answer);
  refuses<Oids>(net::HttpResponse::of(200, "application/csrattrs", as_bytes("%")), est_csrattrs, PkiError::bad_answer);
  refuses<Oids>(net::HttpResponse::text(503, "busy"), est_csrattrs, PkiError::server_refused);
  EXPECT_TRUE(value_of(reads<Oids>(net::HttpResponse::text(404, "none"), est_csrattrs)).empty());
}

TEST_F(AnEstClient, RefusesACertificateForAnotherKey) {
  const auto other = issue_ldevid();
  const auto csr = fresh_csr().der();
  refuses<crypto::Certificate>(
      certificates(base64(value_of(crypto::certs_only(Chain{other})))),
      [csr](net::HttpConnection& connection) { return est_enroll(connection, csr, false); }, PkiError::bad_answer);
}

TEST_F(AnEstClient, ShowsAHostileServersWordsBoundedAndOnOneLine) {
  const auto result =
      reads<Chain>(net::HttpResponse::text(400, "no\r\n\x1b[31m" + std::string(5000, 'x')), est_cacerts);
  ASSERT_FALSE(result.has_value());
  EXPECT_LT(result.error().message.size(), 300u);
  EXPECT_TRUE(std::ranges::none_of(result.error().message, [](unsigned char c) { return c < 0x20; }));
}

TEST_F(AnEstClient, SendsNoRequestThatIsNone) {
  const auto result = reads<crypto::Certificate>(certificates(""), [](net::HttpConnection& connection) {
    static const Bytes nonsense = {1, 2, 3};
    return est_enroll(connection, nonsense, false);
  });
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, crypto::CryptoError::malformed);
}

}  // namespace
}  // namespace cahn::pki
