#include "apps/common/serving.h"

#include <utility>

#include "base/log.h"

namespace cahn::apps {
namespace {

// Takes its state by value and pointer: a coroutine outlives the lambda it was made in.
net::awaitable<void> stop_all(Servers* servers) {
  if (servers->stop_others) co_await servers->stop_others();
  for (auto& server : servers->http) co_await server->stop();
}

}  // namespace

Result<crypto::TlsContext> open_to_all(const crypto::TlsIdentity& identity, crypto::StatusSource status) {
  crypto::TlsServerOptions tls;
  tls.status = std::move(status);
  tls.identity = identity;
  tls.check = crypto::PeerCheck::provisional;
  return crypto::TlsContext::server(tls);
}

Result<void> serve(net::Runtime& runtime, Servers& servers, const crypto::TlsContext& tls, std::string name,
                   std::string address, std::uint16_t port, net::Router router) {
  net::ServerOptions options{.name = std::move(name), .address = std::move(address), .port = port, .tls = tls};
  CAHN_TRY(auto server, net::HttpServer::start(runtime.executor(), std::move(options), std::move(router)));
  servers.http.push_back(std::move(server));
  return {};
}

void run_role(net::Runtime& runtime, Servers& servers, const std::string& ready_text, std::function<void()> on_reload) {
  Servers* all = &servers;
  runtime.run([all] { return stop_all(all); }, std::chrono::seconds(5), std::move(on_reload),
              [&ready_text] { log::info("ROLE_READY", ready_text); });
  log::info("ROLE_STOPPED", "stopped");
}

}  // namespace cahn::apps
