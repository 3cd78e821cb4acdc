#include "net/health.h"

#include "base/metrics.h"

namespace cahn::net {
namespace {

awaitable<HttpResponse> answer_health(std::shared_ptr<const std::function<std::string()>> healthy) {
  const auto complaint = (*healthy)();
  co_return complaint.empty() ? HttpResponse::text(200, "ok\n") : HttpResponse::text(503, complaint + "\n");
}

awaitable<HttpResponse> answer_metrics() {
  const auto text = metrics::render();
  co_return HttpResponse::of(200, "text/plain; version=0.0.4; charset=utf-8", as_bytes(text));
}

}  // namespace

Result<std::unique_ptr<HttpServer>> start_health_server(Executor executor, std::uint16_t port,
                                                        std::function<std::string()> healthy, Router router) {
  ServerOptions options;
  options.name = "health";
  options.address = "127.0.0.1";
  options.port = port;
  options.limits.max_connections = 64;
  const auto check = std::make_shared<const std::function<std::string()>>(std::move(healthy));
  router.on("GET", "/healthz", [check](HttpRequest, const Session&) { return answer_health(check); }, 0);
  router.on("GET", "/metrics", [](HttpRequest, const Session&) { return answer_metrics(); }, 0);
  return HttpServer::start(std::move(executor), std::move(options), std::move(router));
}

}  // namespace cahn::net
