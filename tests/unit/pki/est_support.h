// EST over real sockets: a server with our routes, and a connection of whoever the test wants to be.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pki/est_client.h"
#include "pki/est_server.h"
#include "tests/unit/pki/support.h"

namespace cahn::pki::test {

using Chain = std::vector<crypto::Certificate>;

// Grants whoever the test says, and remembers what it was asked.
class Authority final : public EnrolmentAuthority {
 public:
  net::awaitable<Result<EnrolmentGrant>> may_enrol(Chain client, crypto::Csr) override {
    ++asked;
    if (refusal) co_return std::unexpected(*refusal);
    if (grant) co_return *grant;
    co_return EnrolmentGrant{{{"serialNumber", client.front().subject_serial_number().value_or("")}, {"CN", "home"}},
                             {"urn:cahn:network:home"},
                             Profile::ldevid};
  }
  net::awaitable<Result<EnrolmentGrant>> may_reenrol(Chain client, crypto::Csr) override {
    ++asked;
    if (refusal) co_return std::unexpected(*refusal);
    co_return EnrolmentGrant{client.front().subject(), client.front().uris(), Profile::ldevid};
  }
  // Whoever holds a certificate may revoke that one.
  net::awaitable<Result<void>> may_revoke(Chain client, std::string serial_hex) override {
    ++asked;
    if (client.front().serial_hex() == serial_hex) co_return Result<void>();
    co_return fail(PkiError::not_authorized, "this certificate is another's");
  }
  net::awaitable<Result<void>> enrolled(Chain, crypto::Certificate issued, bool renewal) override {
    if (cannot_record) co_return fail(store::StoreError::unavailable, "secret detail of the disk");
    renewals += renewal;
    const std::lock_guard lock(mutex_);
    recorded_.push_back(issued);
    co_return Result<void>();
  }

  std::optional<Error> refusal;
  std::optional<EnrolmentGrant> grant;  // else one for the client's serialNumber
  bool cannot_record = false;
  std::atomic<int> asked = 0;
  std::atomic<int> renewals = 0;
  Chain recorded() const {
    const std::lock_guard lock(mutex_);
    return recorded_;
  }

 private:
  mutable std::mutex mutex_;
  Chain recorded_;
};

class EstTest : public CaTest {
 protected:
  EstTest() { start(); }
  ~EstTest() override { stop(); }

  void start(EstOptions est = {}, std::uint16_t port = 0) {
    net::Router router;
    if (!est.label.empty()) add_est_routes(router, *ca_, authority_);
    add_est_routes(router, *ca_, authority_, std::move(est));
    more_routes(router);
    const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
    IssueRequest request{csr_of(key), Profile::registrar, {{"CN", "localhost"}}, {"localhost"}, {}, {"127.0.0.1"}};
    const auto issued = value_of(issue(request));
    crypto::TlsServerOptions tls{.identity = {{issued.certificate, ca_->certificate()}, key}};
    net::ServerOptions options{
        .name = "est", .address = "127.0.0.1", .port = port, .tls = value_of(crypto::TlsContext::server(tls))};
    server_ = value_of(net::HttpServer::start(runtime_.executor(), std::move(options), std::move(router)));
  }
  void start_at(std::uint16_t port) { start({}, port); }
  void restart_with(EstOptions options) {
    stop();
    start(std::move(options));
  }
  virtual void more_routes(net::Router&) {}
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
        {.identity = std::move(identity), .anchors = crypto::TrustStore(ca_->roots()), .tls12_only = tls12_only_}));
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
  bool tls12_only_ = false;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace cahn::pki::test
