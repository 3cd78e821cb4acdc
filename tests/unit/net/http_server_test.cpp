// The server towards honest clients.

#include <openssl/ssl.h>

#include <atomic>
#include <thread>

#include "tests/unit/net/net_fixture.h"

namespace cahn::net {
namespace {

using crypto::PeerCheck;
using HttpServerTest = NetTest;

TEST_F(HttpServerTest, AnswersOverTls) {
  serve();
  const auto response = get("/hello");
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(to_string(response->body), "hello");
  EXPECT_EQ(response->headers.get("content-type"), "text/plain; charset=utf-8");
}

TEST_F(HttpServerTest, AcceptsAChunkedBody) {
  // FreeRADIUS' rlm_rest sends every body in chunks.
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n"));
  ASSERT_TRUE(peer.send("6;ext=1\r\npedia!\r\n0\r\nTrailer: x\r\n\r\n"));
  const auto response = peer.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\nwikipedia!")) << response;
}

TEST_F(HttpServerTest, TalksTls12AndNothingOlder) {
  // strongSwan's EST client speaks TLS 1.2.
  serve();
  RawPeer peer(server_->port(), true, "127.0.0.1", TLS1_2_VERSION);
  ASSERT_TRUE(peer.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
  EXPECT_FALSE(RawPeer(server_->port(), true, "127.0.0.1", TLS1_1_VERSION).connected());
}

TEST_F(HttpServerTest, StopsWhileManyClientsTalk) {
  serve();
  std::atomic<int> answered = 0, finished = 0;
  constexpr int clients = 16;
  const auto talk = [this, &answered, &finished]() -> awaitable<void> {
    for (;;) {
      auto connection = co_await HttpConnection::open(server_endpoint(), &anchored_);
      if (!connection) break;
      HttpRequest request;
      request.path = "/hello";
      for (int i = 0; i < 20; ++i) {
        const auto response = co_await (*connection)->send(request);
        if (!response) break;
        ++answered;
      }
    }
    ++finished;
  };
  for (int i = 0; i < clients; ++i) spawn_on_strand(runtime_.executor(), talk, "client");
  while (answered < 200) std::this_thread::yield();
  run([this]() -> awaitable<void> { co_await server_->stop(); });
  while (finished < clients) std::this_thread::yield();
  EXPECT_GE(answered, 200);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInTheirOrder) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(
      peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree"));
  EXPECT_TRUE(peer.read_response().ends_with("one"));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
  EXPECT_TRUE(peer.read_response().ends_with("three"));
}

TEST_F(HttpServerTest, ShowsTheClientsCertificateAndItsOwnToTheHandler) {
  Router router;
  std::optional<crypto::Certificate> seen, own;
  router.on("GET", "/who", [&](HttpRequest, const Session& session) -> awaitable<HttpResponse> {
    seen = session.peer();
    own = session.own_leaf;
    co_return HttpResponse::text(200, session.peer_address);
  });
  serve(std::move(router));
  // A certificate of a CA that the server has never heard of: provisional means that the handler judges.
  const TestPki strangers;
  const auto context = strangers.client_context(PeerCheck::provisional, &strangers.client());
  EXPECT_EQ(body_of(get("/who", context)), "127.0.0.1");
  ASSERT_TRUE(seen && own);
  EXPECT_EQ(*seen, strangers.client().leaf());
  EXPECT_EQ(*own, pki_.server().leaf());
}

TEST_F(HttpServerTest, RefusesAStrangersCertificateWhereAnchorsAreDemanded) {
  serve({}, {}, PeerCheck::anchors, true);
  const TestPki strangers;
  const auto stranger = strangers.client_context(PeerCheck::provisional, &strangers.client());
  EXPECT_FALSE(get("/hello", stranger).has_value());
  EXPECT_FALSE(get("/hello").has_value()) << "no certificate at all";
  const auto known = pki_.client_context(PeerCheck::anchors, &pki_.client());
  EXPECT_EQ(body_of(get("/hello", known)), "hello");
}

TEST_F(HttpServerTest, SaysWhichMethodsAPathHas) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  const auto refused = peer.read_response();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 405 ")) << refused;
  EXPECT_NE(refused.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << refused;
  ASSERT_TRUE(peer.send(
      "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(peer.read_response().starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(peer.read_response().ends_with("hello")) << "a refusal keeps the connection";
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  const auto response = peer.read_to_end();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_NE(response.find("Content-Length: 5\r\n"), std::string::npos) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
}

TEST_F(HttpServerTest, SaysContinueBeforeItReadsABody) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(peer.read_response(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(peer.send("ok"));
  EXPECT_TRUE(peer.read_response().ends_with("ok"));
}

TEST_F(HttpServerTest, DoesNotSayContinueToABodyItWillNotTake) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999999\r\n\r\n"));
  EXPECT_TRUE(peer.read_to_end().starts_with("HTTP/1.1 413 "));
  RawPeer lost(server_->port());
  ASSERT_TRUE(lost.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"));
  EXPECT_TRUE(lost.read_to_end().starts_with("HTTP/1.1 404 "));
  RawPeer wrong(server_->port());
  ASSERT_TRUE(wrong.send("PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"));
  const auto refused = wrong.read_to_end();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 405 ")) << refused;
  EXPECT_NE(refused.find("\r\nAllow: POST\r\n"), std::string::npos) << refused;
}

TEST_F(HttpServerTest, TalksToAnHttp10Client) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("GET /hello HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(peer.read_to_end().ends_with("\r\n\r\nhello")) << "answered, and closed as HTTP/1.0 expects";
  RawPeer keeping(server_->port());
  ASSERT_TRUE(keeping.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_NE(keeping.read_response().find("Connection: keep-alive\r\n"), std::string::npos);
  ASSERT_TRUE(keeping.send("GET /hello HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeping.read_to_end().ends_with("hello"));
}

TEST_F(HttpServerTest, TakesAnAbsoluteUrlAsTarget) {
  serve();
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("GET https://elsewhere.example/hello?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(peer.read_response().ends_with("hello"));
}

TEST_F(HttpServerTest, GivesPathParametersAndTheQueryToTheHandler) {
  Router router;
  router.on("GET", "/claims/{id}", [](HttpRequest request, const Session&) -> awaitable<HttpResponse> {
    co_return HttpResponse::text(200, request.parameters.at("id") + "|" + request.query + "|" + request.path);
  });
  serve(std::move(router));
  HttpRequest request;
  request.path = "/claims/did%3Akey%3Az6Mk";
  request.query = "full=1";
  EXPECT_EQ(body_of(exchange(request)), "did:key:z6Mk|full=1|/claims/did%3Akey%3Az6Mk");
}

TEST_F(HttpServerTest, SendsALargeAnswerWhole) {
  Router router;
  Bytes large(3'000'000);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  router.on("GET", "/large", [&](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    co_return HttpResponse::of(200, "application/octet-stream", large);
  });
  serve(std::move(router));
  const auto response = run([&]() -> awaitable<Result<HttpResponse>> {
    ClientLimits limits;
    limits.max_body = large.size();
    auto connection = co_await HttpConnection::open(server_endpoint(), &anchored_, limits);
    if (!connection) co_return fail(connection.error());
    HttpRequest request;
    request.path = "/large";
    auto answer = co_await (*connection)->send(request);
    co_return answer;
  });
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->body, large);
}

TEST_F(HttpServerTest, SurvivesAHandlerThatThrows) {
  Router router;
  router.on("GET", "/broken", [](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    throw std::runtime_error("a bug");
    co_return HttpResponse();
  });
  serve(std::move(router));
  const auto response = get("/broken");
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(to_string(response->body).find("a bug"), std::string::npos) << "what went wrong is for the log only";
  expect_still_serving();
}

TEST_F(HttpServerTest, AnswersForAHandlerThatTakesTooLong) {
  Router router;
  std::atomic<bool> ran_on = false;
  router.on("GET", "/slow", [&](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    co_await sleep_for(std::chrono::milliseconds(1500));
    ran_on = true;
    co_return HttpResponse::text(200, "late");
  });
  ServerLimits limits;
  limits.handler = std::chrono::seconds(1);
  serve(std::move(router), limits);
  const auto response = get("/slow");
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->status, 503);
  expect_still_serving();
  stop_server();  // waits for the handler, which uses what this test owns
  EXPECT_TRUE(ran_on);
}

TEST_F(HttpServerTest, LeavesOutAHeaderFieldThatWouldForgeALine) {
  Router router;
  router.on("GET", "/forged", [](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    auto response = HttpResponse::text(200, "x");
    response.headers.add("X-Name", "a\r\nSet-Cookie: b");
    co_return response;
  });
  serve(std::move(router));
  const auto response = get("/forged");
  ASSERT_TRUE(response.has_value());
  EXPECT_FALSE(response->headers.get("Set-Cookie").has_value());
}

TEST_F(HttpServerTest, FinishesTheAnswerUnderWayWhenItStops) {
  Router router;
  std::atomic<bool> begun = false;
  router.on("GET", "/work", [&](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    begun = true;
    co_await sleep_for(std::chrono::milliseconds(300));
    co_return HttpResponse::text(200, "done");
  });
  serve(std::move(router));
  RawPeer working(server_->port());
  RawPeer idle(server_->port());
  ASSERT_TRUE(working.connected() && idle.connected());
  ASSERT_TRUE(working.send("GET /work HTTP/1.1\r\nHost: a\r\n\r\n"));
  while (!begun) std::this_thread::yield();
  const auto port = server_->port();
  stop_server();
  const auto answer = working.read_to_end();
  EXPECT_TRUE(answer.ends_with("done")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_FALSE(RawPeer(port).connected());
}

TEST_F(HttpServerTest, CutsWhatDoesNotFinishWithinTheGraceOfAStop) {
  Router router;
  std::atomic<bool> begun = false;
  router.on("GET", "/forever", [&](HttpRequest, const Session&) -> awaitable<HttpResponse> {
    begun = true;
    co_await sleep_for(std::chrono::hours(1));
    co_return HttpResponse();
  });
  serve(std::move(router));
  RawPeer peer(server_->port());
  ASSERT_TRUE(peer.send("GET /forever HTTP/1.1\r\nHost: a\r\n\r\n"));
  while (!begun) std::this_thread::yield();
  run([&]() -> awaitable<void> { co_await server_->stop(std::chrono::milliseconds(10)); });
  EXPECT_EQ(peer.read_to_end(), "");
  EXPECT_TRUE(peer.closed_by_server());
}

TEST_F(HttpServerTest, ShowsANewCertificateToNewConnections) {
  serve();
  RawPeer old(server_->port());
  ASSERT_TRUE(old.connected());
  const TestPki renewed;
  server_->replace_tls(renewed.server_context(PeerCheck::provisional));
  EXPECT_FALSE(get("/hello").has_value()) << "the old anchor does not vouch for the new certificate";
  EXPECT_EQ(body_of(get("/hello", renewed.client_context(PeerCheck::anchors))), "hello");
  ASSERT_TRUE(old.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(old.read_response().ends_with("hello"));
}

TEST_F(HttpServerTest, IsReachedByIpv4AndIpv6) {
  serve();
  for (const std::string host : {"127.0.0.1", "::1", "localhost"}) {
    const auto response = run([&]() -> awaitable<Result<HttpResponse>> {
      auto connection = co_await HttpConnection::open(server_endpoint(host), &anchored_);
      if (!connection) co_return fail(connection.error());
      HttpRequest request;
      request.path = "/hello";
      auto answer = co_await (*connection)->send(request);
      co_return answer;
    });
    EXPECT_EQ(body_of(response), "hello") << host;
  }
}

TEST_F(HttpServerTest, ServesPlainHttpOnLoopbackOnly) {
  Router router;
  ServerOptions options;
  options.name = "plain";
  for (const auto* open_to_all : {"0.0.0.0", "::", "192.0.2.1", "not an address"}) {
    options.address = open_to_all;
    EXPECT_FALSE(HttpServer::start(runtime_.executor(), options, router).has_value()) << open_to_all;
  }
  options.address = "0.0.0.0";
  EXPECT_EQ(HttpServer::start(runtime_.executor(), options, router).error().code, NetError::tls);
  options.address = "127.0.0.1";
  auto plain = HttpServer::start(runtime_.executor(), options, router);
  ASSERT_TRUE(plain.has_value());
  RawPeer peer((*plain)->port(), false);
  ASSERT_TRUE(peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(peer.read_response().starts_with("HTTP/1.1 404 "));
  run([&]() -> awaitable<void> { co_await (*plain)->stop(); });
}

TEST_F(HttpServerTest, SaysThatAPortIsTaken) {
  serve();
  ServerOptions options;
  options.name = "second";
  options.address = "127.0.0.1";
  options.port = server_->port();
  const auto second = HttpServer::start(runtime_.executor(), options, Router());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, NetError::address_in_use);
}

}  // namespace
}  // namespace cahn::net
