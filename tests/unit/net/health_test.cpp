#include "net/health.h"

#include <atomic>

#include "base/metrics.h"
#include "tests/unit/net/net_fixture.h"

namespace cahn::net {
namespace {

class HealthServerTest : public NetTest {
 protected:
  Result<HttpResponse> ask(const std::string& path) {
    return run([&]() -> awaitable<Result<HttpResponse>> {
      Endpoint endpoint{"127.0.0.1", server_->port()};
      auto connection = co_await HttpConnection::open(endpoint, nullptr);
      if (!connection) co_return fail(connection.error());
      HttpRequest request;
      request.path = path;
      auto response = co_await (*connection)->send(request);
      co_return response;
    });
  }
};

TEST_F(HealthServerTest, SaysWhetherAllIsWellAndWhatIsNot) {
  std::atomic<bool> well = true;
  auto started = start_health_server(runtime_.executor(), 0, [&] { return well ? "" : "the disk is full"; });
  ASSERT_TRUE(started.has_value()) << started.error().message;
  server_ = *std::move(started);
  EXPECT_EQ(ask("/healthz").value().status, 200);
  well = false;
  const auto ill = ask("/healthz");
  ASSERT_TRUE(ill.has_value());
  EXPECT_EQ(ill->status, 503);
  EXPECT_EQ(to_string(ill->body), "the disk is full\n");
}

TEST_F(HealthServerTest, ShowsTheMetricsOfThisProcess) {
  metrics::Counter counter("cahn_health_test_total", "Made by the test");
  counter.add(3);
  auto started = start_health_server(runtime_.executor(), 0, [] { return std::string(); });
  ASSERT_TRUE(started.has_value()) << started.error().message;
  server_ = *std::move(started);
  ask("/healthz");
  const auto metrics = body_of(ask("/metrics"));
  EXPECT_NE(metrics.find("cahn_health_test_total 3"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("cahn_http_requests_total{server=\"health\",status=\"2xx\"}"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("cahn_connections{server=\"health\"} "), std::string::npos) << metrics;
}

}  // namespace
}  // namespace cahn::net
