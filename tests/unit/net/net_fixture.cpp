#include "tests/unit/net/net_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <thread>

namespace cahn::net {

using crypto::PeerCheck;

namespace {

constexpr int patience_seconds = 30;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

}  // namespace

// --- certificates

TestPki::TestPki() : ca_key_(must(crypto::generate_key(crypto::KeyType::p256))) {
  crypto::CertificateSpec spec;
  spec.subject = {{"O", "Test"}, {"CN", "Test CA"}};
  spec.key = ca_key_->public_key();
  spec.not_before = system_clock().now() - std::chrono::hours(1);
  spec.not_after = system_clock().now() + std::chrono::hours(24);
  spec.ca = true;
  spec.key_usage = crypto::KeyUsage::cert_sign | crypto::KeyUsage::crl_sign;
  ca_ = must(crypto::issue_certificate(spec, *ca_key_));
  server_ = issue("localhost", true);
  client_ = issue("device-7", false);
}

Party TestPki::issue(std::string name, bool server) const {
  const auto key = must(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", name}};
  spec.key = key->public_key();
  spec.not_before = system_clock().now() - std::chrono::hours(1);
  spec.not_after = system_clock().now() + std::chrono::hours(24);
  spec.key_usage = crypto::KeyUsage::digital_signature;
  spec.extended_key_usage = {server ? "serverAuth" : "clientAuth"};
  if (server) {
    spec.dns_names = {name};
    spec.ip_addresses = {"127.0.0.1", "::1"};
  }
  return {{{must(crypto::issue_certificate(spec, *ca_key_, &*ca_))}, key}};
}

crypto::TlsContext TestPki::server_context(PeerCheck check, bool required) const {
  crypto::TlsServerOptions options;
  options.identity = server_.identity;
  options.check = check;
  options.client_certificate_required = required;
  options.anchors = crypto::TrustStore({*ca_});
  return must(crypto::TlsContext::server(options));
}

crypto::TlsContext TestPki::client_context(PeerCheck check, const Party* identity) const {
  crypto::TlsClientOptions options;
  if (identity != nullptr) options.identity = identity->identity;
  options.check = check;
  options.anchors = crypto::TrustStore({*ca_});
  return must(crypto::TlsContext::client(options));
}

// --- the peer without manners

RawPeer::RawPeer(std::uint16_t port, bool tls, std::string_view address, int max_version)
    : context_(nullptr, SSL_CTX_free), ssl_(nullptr, SSL_free) {
  const bool v6 = address.find(':') != std::string_view::npos;
  socket_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int no_delay = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  const timeval patience{patience_seconds, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in6 to6{};
  sockaddr_in to4{};
  to6.sin6_family = AF_INET6;
  to4.sin_family = AF_INET;
  to6.sin6_port = to4.sin_port = htons(port);
  ::inet_pton(v6 ? AF_INET6 : AF_INET, std::string(address).c_str(),
              v6 ? static_cast<void*>(&to6.sin6_addr) : static_cast<void*>(&to4.sin_addr));
  const auto* to = v6 ? reinterpret_cast<const sockaddr*>(&to6) : reinterpret_cast<const sockaddr*>(&to4);
  if (::connect(socket_, to, v6 ? sizeof to6 : sizeof to4) != 0) return;
  if (tls) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_);
    if (SSL_connect(ssl_.get()) != 1) return;
  }
  connected_ = true;
}

RawPeer::~RawPeer() { abandon(); }

void RawPeer::abandon() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool RawPeer::send(std::string_view text) {
  while (!text.empty()) {
    const auto sent =
        ssl_ ? SSL_write(ssl_.get(), text.data(), static_cast<int>(std::min<std::size_t>(text.size(), 1 << 20)))
             : ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string RawPeer::read_some() {
  if (!unread_.empty()) return std::exchange(unread_, {});
  std::string piece(16384, '\0');
  const auto got = ssl_ ? SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()))
                        : ::recv(socket_, piece.data(), piece.size(), 0);
  piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return piece;
}

std::string RawPeer::read_to_end() {
  std::string all;
  for (auto piece = read_some(); !piece.empty(); piece = read_some()) all += piece;
  return all;
}

std::string RawPeer::read_response() {
  std::string all;
  std::optional<std::size_t> total;
  while (!total || all.size() < *total) {
    const auto piece = read_some();
    if (piece.empty()) return all;
    all += piece;
    const auto header_end = all.find("\r\n\r\n");
    if (total || header_end == std::string::npos) continue;
    std::size_t length = 0;
    if (const auto at = all.find("Content-Length: "); at < header_end) {
      std::from_chars(all.data() + at + 16, all.data() + header_end, length);
    }
    total = header_end + 4 + length;
  }
  unread_ = all.substr(*total);
  all.resize(*total);
  return all;
}

bool RawPeer::closed_by_server() {
  unread_.clear();
  std::string piece(16384, '\0');
  for (;;) {
    const auto got = ::recv(socket_, piece.data(), piece.size(), 0);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return true;
    if (got < 0) return false;
  }
}

// --- the fixture

NetTest::NetTest() {
  std::signal(SIGPIPE, SIG_IGN);  // the raw peer writes to connections that the server has closed
  runtime_.start();
}

RefusingPort::RefusingPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}
RefusingPort::~RefusingPort() { ::close(socket_); }

NetTest::~NetTest() { stop_server(); }

void NetTest::stop_server() {
  if (!server_) return;
  run([this]() -> awaitable<void> { co_await server_->stop(); });
  server_.reset();
}

HttpServer& NetTest::serve(Router router, ServerLimits limits, PeerCheck check, bool required) {
  router.on("GET", "/hello",
            [](HttpRequest, const Session&) -> awaitable<HttpResponse> { co_return HttpResponse::text(200, "hello"); });
  router.on("POST", "/echo", [](HttpRequest request, const Session&) -> awaitable<HttpResponse> {
    co_return HttpResponse::of(200, "application/octet-stream", request.body);
  });
  ServerOptions options;
  options.name = "test";
  options.tls = pki_.server_context(check, required);
  options.limits = limits;
  server_ = must(HttpServer::start(runtime_.executor(), std::move(options), std::move(router)));
  return *server_;
}

Result<HttpResponse> NetTest::exchange(HttpRequest request, const crypto::TlsContext& context, ClientLimits limits) {
  return run([&]() -> awaitable<Result<HttpResponse>> {
    auto connection = co_await HttpConnection::open(server_endpoint(), &context, limits);
    if (!connection) co_return fail(connection.error());
    auto response = co_await (*connection)->send(request);
    co_return response;
  });
}

Result<HttpResponse> NetTest::get(const std::string& path, const crypto::TlsContext& context) {
  HttpRequest request;
  request.path = path;
  return exchange(std::move(request), context);
}

void NetTest::expect_still_serving() { EXPECT_EQ(body_of(get("/hello")), "hello"); }

bool NetTest::run_out_of_descriptors(const std::function<void()>& during) {
  rlimit before{};
  if (::getrlimit(RLIMIT_NOFILE, &before) != 0) return false;
  const int waiting = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int next_free = ::dup(waiting);
  if (next_free < 0) return false;
  ::close(next_free);
  const rlimit none_left{static_cast<rlim_t>(next_free), before.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &none_left) != 0) return false;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(server_->port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(waiting, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  during();
  ::setrlimit(RLIMIT_NOFILE, &before);
  ::close(waiting);
  return connected;
}

std::string NetTest::body_of(const Result<HttpResponse>& response) {
  return response ? to_string(response->body) : "error: " + response.error().message;
}

}  // namespace cahn::net
