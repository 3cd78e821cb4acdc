// HttpServer: a Listener, a RouteTable, and HttpSession for each connection.

#include "net/http.h"
#include "net/http_session.h"
#include "net/listener.h"

namespace cahn::net {
namespace {

class ListeningHttpServer final : public HttpServer {
 public:
  explicit ListeningHttpServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~ListeningHttpServer() override { listener_->abort(); }
  ListeningHttpServer(const ListeningHttpServer&) = delete;
  ListeningHttpServer& operator=(const ListeningHttpServer&) = delete;

  std::uint16_t port() const override { return listener_->port(); }
  void replace_tls(crypto::TlsContext context) override { listener_->replace_tls(std::move(context)); }
  awaitable<void> stop(std::chrono::milliseconds grace) override {
    auto stopping = listener_->stop(grace);
    co_await std::move(stopping);
  }

 private:
  std::shared_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(Executor executor, ServerOptions options, Router router) {
  const auto service = std::make_shared<const HttpService>(options.name, options.limits, router);
  const auto handshake = options.limits.handshake;
  CAHN_TRY(auto listener, Listener::open(executor, std::move(options), handshake, [service](auto accepted) {
             return serve_http(service, std::move(accepted));
           }));
  return std::make_unique<ListeningHttpServer>(std::move(listener));
}

}  // namespace cahn::net
