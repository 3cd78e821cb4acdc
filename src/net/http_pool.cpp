#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "net/gate.h"
#include "net/http.h"
#include "net/http_client.h"

namespace cahn::net {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Servers close idle connections at their own time; ours goes first, so that requests seldom meet a closing one.
constexpr std::chrono::seconds max_idle_time{60};

}  // namespace

struct HttpPool::Impl : std::enable_shared_from_this<HttpPool::Impl> {
  using Key = std::pair<std::string, std::uint16_t>;
  struct Idle {
    std::shared_ptr<HttpClient> client;
    SteadyClock::time_point since;
  };
  struct Server {
    std::vector<Idle> idle;  // the one used last is at the back
    std::size_t open = 0;    // idle ones and those at work or being opened
    std::deque<std::shared_ptr<Gate>> waiting;
  };

  // The right to one connection to a server, given back by its destructor.
  struct Lease {
    Lease(std::shared_ptr<Impl> from, Key for_key) : impl(std::move(from)), key(std::move(for_key)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { impl->give_back(key, std::move(client)); }
    std::shared_ptr<Impl> impl;
    Key key;
    std::shared_ptr<HttpClient> client;  // null: one may be opened
  };

  Impl(Executor pool_executor, crypto::TlsContext pool_tls, ClientLimits pool_limits, std::size_t idle,
       std::size_t open)
      : executor(std::move(pool_executor)),
        tls(std::move(pool_tls)),
        limits(pool_limits),
        max_idle(idle),
        max_open(open) {}

  static awaitable<Result<HttpResponse>> send(std::shared_ptr<Impl>, Endpoint, HttpRequest);
  static awaitable<std::unique_ptr<Lease>> lease(std::shared_ptr<Impl>, Key);
  static awaitable<Result<void>> open(Lease*, Endpoint);
  std::unique_ptr<Lease> try_lease(const Key&);
  void give_back(const Key&, std::shared_ptr<HttpClient>);
  void leave_queue(const Key&, const std::shared_ptr<Gate>&);
  void close_stale(SteadyClock::time_point now);
  void close_all();

  const Executor executor;
  const crypto::TlsContext tls;
  const ClientLimits limits;
  const std::size_t max_idle, max_open;
  std::mutex mutex;  // guards what follows
  std::map<Key, Server> servers;
  bool closed = false;
};

std::unique_ptr<HttpPool::Impl::Lease> HttpPool::Impl::try_lease(const Key& key) {
  const std::lock_guard lock(mutex);
  auto& server = servers[key];
  while (!server.idle.empty()) {
    auto client = std::move(server.idle.back().client);
    server.idle.pop_back();
    if (client->is_open()) {
      auto lease = std::make_unique<Lease>(shared_from_this(), key);
      lease->client = std::move(client);
      return lease;
    }
    --server.open;
  }
  if (server.open >= max_open) return nullptr;
  ++server.open;
  return std::make_unique<Lease>(shared_from_this(), key);
}

awaitable<std::unique_ptr<HttpPool::Impl::Lease>> HttpPool::Impl::lease(std::shared_ptr<Impl> self, Key key) {
  const auto deadline = SteadyClock::now() + self->limits.response;
  for (;;) {
    if (auto lease = self->try_lease(key)) co_return lease;
    // However the wait ends, also by cancellation, nobody wakes one who no longer waits.
    struct Place {
      Impl& pool;
      const Key& key;
      std::shared_ptr<Gate> gate;
      ~Place() { pool.leave_queue(key, gate); }
    };
    const Place place{*self, key, std::make_shared<Gate>(self->executor)};
    {
      const std::lock_guard lock(self->mutex);
      auto& server = self->servers[key];
      if (server.open < self->max_open || !server.idle.empty()) continue;  // one came back meanwhile
      server.waiting.push_back(place.gate);
    }
    co_await place.gate->wait(deadline - SteadyClock::now());
    if (!place.gate->is_open() && SteadyClock::now() >= deadline) co_return nullptr;
  }
}

// Takes a waiter out; if it was woken but may not use that, the next one is.
void HttpPool::Impl::leave_queue(const Key& key, const std::shared_ptr<Gate>& gate) {
  const std::lock_guard lock(mutex);
  const auto it = servers.find(key);
  if (it == servers.end()) return;
  auto& server = it->second;
  std::erase(server.waiting, gate);
  const bool room = server.open < max_open || !server.idle.empty();
  if (room && !server.waiting.empty()) {
    server.waiting.front()->open();
    server.waiting.pop_front();
  }
}

void HttpPool::Impl::give_back(const Key& key, std::shared_ptr<HttpClient> client) {
  const auto now = SteadyClock::now();
  const std::lock_guard lock(mutex);
  const auto it = servers.find(key);
  if (it == servers.end()) return;
  auto& server = it->second;
  if (!closed && client && client->is_open() && server.idle.size() < max_idle) {
    server.idle.push_back({std::move(client), now});
  } else {
    if (client) client->close();
    --server.open;
  }
  if (!server.waiting.empty()) {
    server.waiting.front()->open();
    server.waiting.pop_front();
  }
  close_stale(now);
}

// REQUIRES: the mutex is held.
void HttpPool::Impl::close_stale(SteadyClock::time_point now) {
  for (auto it = servers.begin(); it != servers.end();) {
    auto& server = it->second;
    server.open -= std::erase_if(server.idle, [&](const Idle& idle) {
      const bool stale = !idle.client->is_open() || now - idle.since > max_idle_time;
      if (stale) idle.client->close();
      return stale;
    });
    it = server.open == 0 && server.waiting.empty() ? servers.erase(it) : std::next(it);
  }
}

void HttpPool::Impl::close_all() {
  const std::lock_guard lock(mutex);
  closed = true;
  for (auto& [key, server] : servers) {
    for (const auto& idle : server.idle) idle.client->close();
    server.open -= server.idle.size();
    server.idle.clear();
  }
}

awaitable<Result<void>> HttpPool::Impl::open(Lease* lease, Endpoint endpoint) {
  const auto impl = lease->impl;
  auto opening = HttpClient::open(std::move(endpoint), impl->tls, impl->limits);
  auto client = co_await std::move(opening);
  if (!client) co_return fail(client.error());
  lease->client = *std::move(client);
  co_return Result<void>();
}

awaitable<Result<HttpResponse>> HttpPool::Impl::send(std::shared_ptr<Impl> self, Endpoint endpoint,
                                                     HttpRequest request) {
  Key key{endpoint.host, endpoint.port};
  auto leasing = lease(self, std::move(key));
  const auto lease = co_await std::move(leasing);
  if (!lease) co_return fail(NetError::timeout, "no connection to " + endpoint.authority() + " became free in time");
  if (lease->client) {
    auto copy = request;
    auto sending = lease->client->exchange(std::move(copy));
    auto response = co_await std::move(sending);
    const bool again = !response && response.error().code == NetError::peer_closed && !lease->client->answer_began();
    if (!again) co_return response;
    lease->client->close();
    lease->client = nullptr;
  }
  auto opening = open(lease.get(), endpoint);
  const auto opened = co_await std::move(opening);
  if (!opened) co_return fail(opened.error());
  auto sending = lease->client->exchange(std::move(request));
  auto response = co_await std::move(sending);
  co_return response;
}

HttpPool::HttpPool(Executor executor, crypto::TlsContext tls, ClientLimits limits, std::size_t max_idle_per_endpoint,
                   std::size_t max_open_per_endpoint)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(tls), limits, max_idle_per_endpoint,
                                   std::max<std::size_t>(max_open_per_endpoint, 1))) {}

HttpPool::~HttpPool() { impl_->close_all(); }

awaitable<Result<HttpResponse>> HttpPool::send(Endpoint endpoint, HttpRequest request) {
  return Impl::send(impl_, std::move(endpoint), std::move(request));
}

}  // namespace cahn::net
