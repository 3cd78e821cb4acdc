// The client: one connection that is one object, and the pool of them.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "tests/unit/net/net_fixture.h"

namespace cahn::net {
namespace {

using crypto::PeerCheck;

// A plain server that sends fixed octets to whoever has sent something, and then closes.
class CannedServer {
 public:
  explicit CannedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listening_, 8);
    socklen_t size = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;
  Endpoint endpoint() const { return {"127.0.0.1", port_}; }

 private:
  void serve() {
    for (const auto& answer : answers_) {
      const int peer = ::accept(listening_, nullptr, nullptr);
      if (peer < 0) return;
      char octets[4096];
      if (::recv(peer, octets, sizeof octets, 0) > 0) ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::shutdown(peer, SHUT_WR);
      while (::recv(peer, octets, sizeof octets, 0) > 0) {
      }
      ::close(peer);
    }
  }

  std::vector<std::string> answers_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

class HttpConnectionTest : public NetTest {
 protected:
  Result<HttpResponse> plain_get(const Endpoint& endpoint, ClientLimits limits = {},
                                 const std::string& method = "GET") {
    return run([&]() -> awaitable<Result<HttpResponse>> {
      auto connection = co_await HttpConnection::open(endpoint, nullptr, limits);
      if (!connection) co_return fail(connection.error());
      HttpRequest request;
      request.method = method;
      auto response = co_await (*connection)->send(request);
      co_return response;
    });
  }
  void expect_error(const std::string& canned, NetError code) {
    CannedServer server({canned});
    ClientLimits limits;
    limits.max_body = 1000;
    const auto response = plain_get(server.endpoint(), limits);
    ASSERT_FALSE(response.has_value()) << canned;
    EXPECT_EQ(response.error().code, code) << canned << ": " << response.error().message;
  }
  void expect_body(const std::string& canned, const std::string& body, const std::string& method = "GET") {
    CannedServer server({canned});
    EXPECT_EQ(body_of(plain_get(server.endpoint(), {}, method)), body) << canned;
  }
};

TEST_F(HttpConnectionTest, LivesThroughManyRequests) {
  Router router;
  std::set<std::uint64_t> sessions;
  router.on("GET", "/session", [&](HttpRequest, const Session& session) -> awaitable<HttpResponse> {
    sessions.insert(session.id);
    co_return HttpResponse::text(200, "x");
  });
  serve(std::move(router));
  run([&]() -> awaitable<void> {
    auto connection = co_await HttpConnection::open(server_endpoint(), &anchored_);
    EXPECT_TRUE(connection.has_value());
    for (int i = 0; i < 200; ++i) {
      HttpRequest request;
      request.path = "/session";
      const auto response = co_await (*connection)->send(request);
      EXPECT_TRUE(response.has_value());
      EXPECT_TRUE((*connection)->is_open());
    }
    EXPECT_EQ((*connection)->peer_chain().front(), pki_.server().leaf());
  });
  EXPECT_EQ(sessions.size(), 1u);
}

TEST_F(HttpConnectionTest, RefusesAServerOfAnotherName) {
  // The test's server is "localhost", not "registrar.example"; both names lead to it.
  serve();
  const auto other = pki_.issue("registrar.example", true);
  crypto::TlsServerOptions options;
  options.identity = other.identity;
  options.check = PeerCheck::none;
  server_->replace_tls(crypto::TlsContext::server(options).value());
  const auto try_host = [&](const std::string& host, const crypto::TlsContext& context) {
    return run([&]() -> awaitable<Result<void>> {
      auto connection = co_await HttpConnection::open(server_endpoint(host), &context);
      if (!connection) co_return fail(connection.error());
      co_return Result<void>();
    });
  };
  const auto by_name = try_host("localhost", anchored_);
  ASSERT_FALSE(by_name.has_value());
  EXPECT_EQ(by_name.error().code, NetError::tls);
  EXPECT_TRUE(try_host("127.0.0.1", anchored_).has_value()) << "the address is in the certificate";
  const auto by_address = try_host("127.0.0.2", anchored_);
  ASSERT_FALSE(by_address.has_value());
  EXPECT_EQ(by_address.error().code, NetError::tls);
  EXPECT_TRUE(try_host("127.0.0.2", pki_.client_context(PeerCheck::provisional)).has_value())
      << "a provisional client takes what it gets and judges afterwards";
}

TEST_F(HttpConnectionTest, RefusesAServerOfAnotherAuthority) {
  serve();
  const TestPki strangers;
  const auto response = get("/hello", strangers.client_context(PeerCheck::anchors));
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, NetError::tls);
}

TEST_F(HttpConnectionTest, SaysWhyItCannotConnect) {
  const RefusingPort gone;
  const auto refused = plain_get(gone.endpoint());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, NetError::refused);
  const auto unknown = plain_get({"no-such-host.invalid", 443});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, NetError::unreachable);
}

TEST_F(HttpConnectionTest, GivesUpOnAServerThatDoesNotShakeHands) {
  // A listening socket that nobody accepts from: TCP is up, TLS never is.
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent, 1), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  const auto opened = run([&]() -> awaitable<Result<void>> {
    ClientLimits limits;
    limits.connect = std::chrono::milliseconds(200);
    Endpoint endpoint{"127.0.0.1", ntohs(address.sin_port)};
    auto connection = co_await HttpConnection::open(endpoint, &anchored_, limits);
    if (!connection) co_return fail(connection.error());
    co_return Result<void>();
  });
  ::close(silent);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, NetError::timeout);
}

TEST_F(HttpConnectionTest, GivesUpOnAnAnswerThatDoesNotCome) {
  Router router;
  router.on("GET", "/never", [](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    co_await sleep_for(std::chrono::hours(1));
    co_return HttpResponse();
  });
  serve(std::move(router));
  HttpRequest request;
  request.path = "/never";
  ClientLimits limits;
  limits.response = std::chrono::milliseconds(200);
  const auto response = exchange(request, anchored_, limits);
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, NetError::timeout);
}

TEST_F(HttpConnectionTest, ReadsEveryFormOfAnswer) {
  expect_body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok");
  expect_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok");
  expect_body("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end");
  expect_body("HTTP/1.1 204 No Content\r\n\r\n", "");
  expect_body("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "");
  expect_body("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "", "HEAD");
  expect_body(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
      "2\r\n\r\nok",
      "ok");
}

TEST_F(HttpConnectionTest, ReportsAServerThatClosesWithinItsAnswer) {
  expect_error("", NetError::peer_closed);
  expect_error("HTTP/1.1 200 OK\r\nContent-", NetError::peer_closed);
  expect_error("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", NetError::peer_closed);
  expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NetError::peer_closed);
}

TEST_F(HttpConnectionTest, RefusesAnAnswerThatIsBrokenOrTooLarge) {
  expect_error("SSH-2.0-OpenSSH_9\r\n\r\n", NetError::malformed);
  expect_error("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", NetError::malformed);
  expect_error("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", NetError::too_large);
  expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n", NetError::too_large);
  expect_error("HTTP/1.0 200 OK\r\n\r\n" + std::string(2000, 'x'), NetError::too_large);
  expect_error("HTTP/1.1 200 OK\r\nX: " + std::string(100000, 'x'), NetError::too_large);
  std::string interim;
  for (int i = 0; i < 50; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  expect_error(interim, NetError::malformed);
}

TEST_F(HttpConnectionTest, SendsNothingThatCouldForgeARequest) {
  CannedServer server({});
  const auto refused = [&](HttpRequest request) {
    return run([&]() -> awaitable<bool> {
      auto connection = co_await HttpConnection::open(server.endpoint(), nullptr);
      EXPECT_TRUE(connection.has_value());
      const auto response = co_await (*connection)->send(request);
      co_return !response && response.error().code == NetError::malformed;
    });
  };
  HttpRequest request;
  request.path = "/a b";
  EXPECT_TRUE(refused(request));
  request.path = "/a\r\nX: y";
  EXPECT_TRUE(refused(request));
  request.path = "relative";
  EXPECT_TRUE(refused(request));
  request.path = "/a?b";
  EXPECT_TRUE(refused(request)) << "the query has a member of its own";
  request.path = "/";
  request.headers.add("X", "a\r\nY: b");
  EXPECT_TRUE(refused(request));
}

TEST_F(HttpConnectionTest, KnowsWhenTheServerHasClosedIt) {
  ServerLimits limits;
  limits.idle = std::chrono::seconds(1);
  serve({}, limits);
  const auto closed_in_time = run([&]() -> awaitable<bool> {
    auto connection = co_await HttpConnection::open(server_endpoint(), &anchored_);
    EXPECT_TRUE(connection.has_value());
    HttpRequest request;
    request.path = "/hello";
    const auto response = co_await (*connection)->send(request);
    EXPECT_TRUE(response.has_value());
    for (int i = 0; i < 2000 && (*connection)->is_open(); ++i) co_await sleep_for(std::chrono::milliseconds(10));
    const auto after = co_await (*connection)->send(request);
    EXPECT_FALSE(after.has_value());
    co_return !(*connection)->is_open();
  });
  EXPECT_TRUE(closed_in_time);
}

class HttpPoolTest : public NetTest {
 protected:
  Router counting_router() {
    Router router;
    router.on("GET", "/session", [this](HttpRequest, const Session& session) -> awaitable<HttpResponse> {
      {
        const std::lock_guard lock(mutex_);
        sessions_.insert(session.id);
        most_at_once_ = std::max(most_at_once_, ++at_once_);
      }
      co_await sleep_for(std::chrono::milliseconds(5));
      const std::lock_guard lock(mutex_);
      --at_once_;
      co_return HttpResponse::text(200, "x");
    });
    return router;
  }
  static HttpRequest session_request() {
    HttpRequest request;
    request.path = "/session";
    return request;
  }
  // Sends `count` requests at once; how many were answered.
  int send_at_once(HttpPool& pool, int count) {
    std::atomic<int> answered = 0, finished = 0;
    for (int i = 0; i < count; ++i) {
      spawn_on_strand(
          runtime_.executor(),
          [&]() -> awaitable<void> {
            auto request = session_request();
            const auto response = co_await pool.send(server_endpoint(), request);
            if (response) ++answered;
            ++finished;
          },
          "request");
    }
    while (finished < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return answered;
  }
  std::mutex mutex_;
  std::set<std::uint64_t> sessions_;
  int at_once_ = 0, most_at_once_ = 0;
};

TEST_F(HttpPoolTest, UsesAConnectionAgain) {
  serve(counting_router());
  HttpPool pool(runtime_.executor(), anchored_);
  for (int i = 0; i < 20; ++i) {
    const auto response = run([&]() -> awaitable<Result<HttpResponse>> {
      auto request = session_request();
      auto answer = co_await pool.send(server_endpoint(), request);
      co_return answer;
    });
    EXPECT_TRUE(response.has_value()) << response.error().message;
  }
  EXPECT_EQ(sessions_.size(), 1u);
}

TEST_F(HttpPoolTest, BoundsItsConnectionsToOneServer) {
  serve(counting_router());
  HttpPool pool(runtime_.executor(), anchored_, {}, 2, 3);
  EXPECT_EQ(send_at_once(pool, 60), 60) << "those over the bound wait their turn";
  EXPECT_LE(most_at_once_, 3);
}

TEST_F(HttpPoolTest, SendsAgainWhatASleepingConnectionSwallowed) {
  // Two servers in turn on one port, as at a restart: the pooled connection is dead and the request must not be lost.
  for (int attempt = 0; attempt < 5; ++attempt) {
    serve(counting_router());
    HttpPool pool(runtime_.executor(), anchored_);
    EXPECT_EQ(send_at_once(pool, 4), 4);
    ServerOptions options;
    options.name = "second";
    options.port = server_->port();
    options.tls = pki_.server_context(PeerCheck::provisional);
    stop_server();
    auto second = HttpServer::start(runtime_.executor(), std::move(options), counting_router());
    if (!second && second.error().code == NetError::address_in_use) continue;  // another program was given the port
    ASSERT_TRUE(second.has_value()) << second.error().message;
    server_ = *std::move(second);
    EXPECT_EQ(send_at_once(pool, 4), 4);
    return;
  }
  FAIL() << "the port was taken five times between the two servers";
}

TEST_F(HttpPoolTest, ReportsAServerThatIsNotThere) {
  const RefusingPort gone;
  HttpPool pool(runtime_.executor(), anchored_);
  const auto response = run([&]() -> awaitable<Result<HttpResponse>> {
    HttpRequest request;
    auto answer = co_await pool.send(gone.endpoint(), request);
    co_return answer;
  });
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, NetError::refused);
}

}  // namespace
}  // namespace cahn::net
