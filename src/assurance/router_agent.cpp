#include "assurance/router_agent.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "assurance/router_link.h"
#include "base/log.h"
#include "base/metrics.h"

namespace cahn::assurance {
namespace {

class RouterAgentImpl : public std::enable_shared_from_this<RouterAgentImpl> {
 public:
  RouterAgentImpl(net::Executor strand, RouterAgentOptions options, crypto::TlsContext tls,
                  std::unique_ptr<AccessTable> table, const Clock& clock, Ownership ownership, bearer::Bearer& bearer)
      : strand_(std::move(strand)), options_(std::move(options)), tls_(std::move(tls)), table_(std::move(table)) {
    auto enforcer = std::make_shared<Enforcer>(strand_, *table_, bearer);
    home_ = std::make_shared<const RouterLink::Home>(
        RouterLink::Home{strand_, clock, std::move(ownership), options_.domain, *table_, std::move(enforcer)});
  }

  bearer::JoinAnswer answer(const bearer::JoinRequest& request) const { return table_->answer(request); }

  void run() {
    tasks_ = 2;
    net::spawn(strand_, stay_connected(shared_from_this()), "router agent");
    net::spawn(strand_, tend(shared_from_this()), "router agent's watch");
  }

  void request_stop() {
    boost::asio::post(strand_, [self = shared_from_this()] {
      self->stopping_ = true;
      if (self->link_) self->link_->close();
    });
  }

  // Not only the two loops: a cut that was begun is finished, and what holds the bearer lets go of it.
  bool is_idle() const { return tasks_ == 0 && idle_enforcer_; }

  RouterAgentStatus status() const {
    RouterAgentStatus status;
    {
      const std::scoped_lock lock(status_mutex_);
      status = status_;
    }
    status.number = table_->number();
    status.lease_left = table_->lease_left();
    for (const auto& access : table_->entries()) ++(access.answer == Answer::permit ? status.permitted : status.denied);
    return status;
  }

 private:
  // Sleeps in short steps, so that stopping need not wait for the end of a long one.
  net::awaitable<void> sleep(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!stopping_) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left <= left.zero()) break;
      co_await net::sleep_for(std::min<std::chrono::steady_clock::duration>(left, std::chrono::milliseconds(50)));
    }
  }

  net::awaitable<void> stay_connected(std::shared_ptr<RouterAgentImpl> self) {
    auto pause = options_.retry_first;
    while (!stopping_) {
      if (co_await try_all_registrars()) pause = options_.retry_first;
      // Jitter: the routers of a network do not come back all at once.
      const auto jitter = std::chrono::milliseconds(random_bytes(1)[0] * pause.count() / 512);
      co_await sleep(pause + jitter);
      pause = std::min(pause * 2, options_.retry_most);
    }
    self->tasks_--;
  }

  // True if one of them became our registrar for a while.
  net::awaitable<bool> try_all_registrars() {
    const auto endpoints = co_await options_.find_registrars();
    if (endpoints.empty()) note_error({AssuranceError::unavailable, "no registrar has been found"}, "");
    for (const auto& endpoint : endpoints) {
      if (stopping_) break;
      if (co_await connect(endpoint)) co_return true;
    }
    co_return false;
  }

  net::awaitable<bool> connect(net::Endpoint endpoint) {
    net::FrameLimits limits;
    limits.max_frame = max_message;
    limits.idle = std::max(std::chrono::ceil<std::chrono::seconds>(options_.keep_alive * 4), std::chrono::seconds(1));
    limits.handshake = std::chrono::ceil<std::chrono::seconds>(options_.handshake);
    const std::string authority = endpoint.authority();
    auto connection = co_await net::FrameConnection::open(std::move(endpoint), tls_, limits);
    if (!connection) {
      note_error(connection.error(), authority);
      co_return false;
    }
    link_ = std::make_shared<RouterLink>(home_, std::move(*connection));
    connected_at_ = std::chrono::steady_clock::now();
    const Error why = co_await link_->run();
    const bool was_in_step = link_->was_in_step();
    link_.reset();
    note_link();
    if (!stopping_) note_error(why, authority);
    co_return was_in_step;
  }

  // Watches the lease, keeps the connection alive, and closes one that does not come to the point.
  net::awaitable<void> tend(std::shared_ptr<RouterAgentImpl> self) {
    auto last_ping = std::chrono::steady_clock::now();
    const auto step = std::min({options_.lease_watch, options_.keep_alive, options_.handshake});
    while (!stopping_) {
      home_->enforcer->tend();
      note_link();
      const auto now = std::chrono::steady_clock::now();
      if (link_ && now - last_ping >= options_.keep_alive) {
        link_->ping();
        last_ping = now;
      }
      if (link_ && !link_->in_step() && link_->registrar().empty() && now - connected_at_ > options_.handshake) {
        link_->close();
      }
      co_await sleep(step);
    }
    while (home_->enforcer->under_way() > 0) co_await net::sleep_for(std::chrono::milliseconds(5));
    self->idle_enforcer_ = true;
    self->tasks_--;
  }

  void note_link() {
    static metrics::Gauge connected("cahn_router_connected", "Whether this router is in step with its registrar.");
    const bool in_step = link_ && link_->in_step();
    connected.set(in_step ? 1 : 0);
    const std::scoped_lock lock(status_mutex_);
    status_.connected = in_step;
    if (!in_step) return;
    status_.registrar = link_->registrar();
    status_.network = link_->network();
    status_.last_error.clear();
  }

  void note_error(const Error& error, const std::string& authority) {
    log::warning("ROUTER_ALONE", "not connected to a registrar",
                 {{"registrar", authority}, {"code", std::string(error.code.name())}, {"error", error.message}});
    const std::scoped_lock lock(status_mutex_);
    status_.last_error = error.message;
  }

  const net::Executor strand_;
  const RouterAgentOptions options_;
  const crypto::TlsContext tls_;
  const std::unique_ptr<AccessTable> table_;
  std::shared_ptr<const RouterLink::Home> home_;
  std::shared_ptr<RouterLink> link_;  // on the strand, as the rest
  std::chrono::steady_clock::time_point connected_at_;
  bool stopping_ = false;
  std::atomic<int> tasks_ = 0;
  std::atomic<bool> idle_enforcer_ = true;
  mutable std::mutex status_mutex_;
  RouterAgentStatus status_;
};

net::awaitable<bearer::JoinAnswer> authorise(std::shared_ptr<RouterAgentImpl> agent, bearer::JoinRequest request) {
  co_return agent->answer(request);
}

class RouterAgentHandle final : public RouterAgent {
 public:
  explicit RouterAgentHandle(std::shared_ptr<RouterAgentImpl> impl) : impl_(std::move(impl)) {}
  ~RouterAgentHandle() override { impl_->request_stop(); }

  bearer::Authoriser authoriser() override {
    return [impl = impl_](bearer::JoinRequest request) { return authorise(impl, std::move(request)); };
  }
  void run() override { impl_->run(); }
  net::awaitable<void> stop() override {
    impl_->request_stop();
    while (!impl_->is_idle()) co_await net::sleep_for(std::chrono::milliseconds(5));
  }
  RouterAgentStatus status() const override { return impl_->status(); }

 private:
  const std::shared_ptr<RouterAgentImpl> impl_;
};

}  // namespace

Result<std::unique_ptr<RouterAgent>> RouterAgent::open(net::Executor executor, const Clock& clock,
                                                       const BootClock& boot_clock, store::Store& store,
                                                       bearer::Bearer& bearer, RouterAgentOptions options) {
  CAHN_TRY(auto ownership, Ownership::read(options.ownership));
  if (options.identity.chain.empty() ||
      ownership.key() != credential::did_key(options.identity.chain.front().public_key())) {
    return fail(AssuranceError::wrong_key, "the ownership credential is not for this router's key");
  }
  CAHN_TRY(auto tls, crypto::TlsContext::client({options.identity, crypto::PeerCheck::provisional, {}}));
  CAHN_TRY(auto table, AccessTable::open(store, boot_clock, options.table));
  net::Executor strand = boost::asio::make_strand(executor);
  return std::make_unique<RouterAgentHandle>(std::make_shared<RouterAgentImpl>(
      std::move(strand), std::move(options), std::move(tls), std::move(table), clock, std::move(ownership), bearer));
}

}  // namespace cahn::assurance
