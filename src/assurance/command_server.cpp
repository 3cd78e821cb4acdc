#include "assurance/command_server.h"

#include <algorithm>
#include <boost/asio/strand.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "assurance/command_messages.h"
#include "assurance/command_signer.h"
#include "assurance/listeners.h"
#include "assurance/router_peer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "credential/json.h"

namespace cahn::assurance {
namespace {

struct Counters {
  metrics::Gauge routers{"cahn_routers_connected", "Routers in step with this registrar."};
  metrics::Counter refused{"cahn_routers_refused_total", "Connections that were not of a router of our owner."};
  metrics::Counter sent{"cahn_commands_sent_total", "Commands sent, once a router."};
  metrics::Counter repeated{"cahn_commands_repeated_total", "Commands sent again for want of an acknowledgement."};
  metrics::Counter failed{"cahn_commands_failed_total", "Commands a router could not carry out."};
  metrics::Timer acknowledged{"cahn_command_ack_seconds", "From a published change to a router's acknowledgement."};
};

Counters& counters() {
  static Counters instance;
  return instance;
}

class CommandServerImpl : public std::enable_shared_from_this<CommandServerImpl> {
 public:
  CommandServerImpl(net::Executor executor, const Clock& clock, CommandServerOptions options, Ownership ownership,
                    std::vector<Access> state, std::uint64_t number)
      : executor_(std::move(executor)),
        clock_(clock),
        options_(std::move(options)),
        ownership_(std::move(ownership)),
        signer_(clock, options_.command_key, ownership_.key(), options_.epoch, options_.lease),
        number_(number) {
    for (auto& access : state) {
      device_of_number_[access.number] = access.device;
      std::string device = access.device;
      state_.insert_or_assign(std::move(device), std::move(access));
    }
  }

  Result<void> start();
  void publish(std::vector<Access> changes);
  std::uint16_t port() const { return server_->port(); }
  std::vector<RouterStatus> routers() const;
  std::shared_ptr<void> on_ack(std::function<void(const CommandServer::Acknowledgement&)> listener) {
    return listeners_.add(std::move(listener));
  }
  net::awaitable<void> stop();
  void forsake() { stopping_ = true; }

 private:
  using Peer = std::shared_ptr<RouterPeer>;

  static net::awaitable<void> serve_if_there(std::shared_ptr<CommandServerImpl> self,
                                             std::shared_ptr<net::FrameConnection> connection) {
    if (self) co_await self->serve(std::move(connection));
  }
  net::awaitable<void> serve(std::shared_ptr<net::FrameConnection> connection);
  net::awaitable<Result<Peer>> introduce(std::shared_ptr<net::FrameConnection> connection);
  net::awaitable<void> close_if_silent(std::shared_ptr<net::FrameConnection> connection,
                                       std::shared_ptr<std::atomic<bool>> introduced);
  net::awaitable<Result<void>> converse(Peer peer);
  Result<void> handle(const Peer& peer, const Message& message);
  Result<void> answer_sync(const Peer& peer, const Sync& sync);
  void take_acknowledgement(const Peer& peer, const Ack::Item& item);
  void set_outstanding_again(const Peer& peer, std::uint64_t number);
  void enter(const Peer& peer);
  void leave(const Peer& peer);
  net::awaitable<void> tend(std::shared_ptr<CommandServerImpl> self);
  net::awaitable<void> renew(std::shared_ptr<CommandServerImpl> self, Peer peer);
  void record(const char* type, const nlohmann::json& what) const;
  void count_synced() const;

  const net::Executor executor_;
  const Clock& clock_;
  const CommandServerOptions options_;
  const Ownership ownership_;
  const CommandSigner signer_;
  std::unique_ptr<net::FrameServer> server_;
  Listeners<CommandServer::Acknowledgement> listeners_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> tasks_ = 0;

  std::mutex publishing_;  // keeps the order of changes; taken before mutex_
  mutable std::mutex mutex_;
  std::map<std::string, Access> state_;
  std::map<std::uint64_t, std::string> device_of_number_;  // of the last Access of each device
  std::uint64_t number_;
  std::set<Peer> peers_;
};

Result<void> CommandServerImpl::start() {
  net::ServerOptions server;
  server.name = "commands";
  server.address = options_.address;
  server.port = options_.port;
  CAHN_TRY(server.tls, crypto::TlsContext::server({options_.identity, crypto::PeerCheck::provisional, true, {}}));
  net::FrameLimits limits;
  limits.max_frame = max_message;
  limits.handshake = std::chrono::ceil<std::chrono::seconds>(options_.handshake);
  limits.idle = std::max(std::chrono::ceil<std::chrono::seconds>(options_.keep_alive * 4), std::chrono::seconds(1));
  // Weak: the server must not keep its owner, which keeps it.
  const auto accept = [weak = weak_from_this()](std::shared_ptr<net::FrameConnection> connection) {
    return serve_if_there(weak.lock(), std::move(connection));
  };
  CAHN_TRY(server_, net::FrameServer::start(executor_, std::move(server), limits, accept));
  tasks_ = 1;
  const net::Executor strand = boost::asio::make_strand(executor_);
  net::spawn(strand, tend(shared_from_this()), "command server's watch");
  return {};
}

// What was said to whom, and when: L610-612, for the console and for audit. The road to the router does not wait for
// it.
void CommandServerImpl::record(const char* type, const nlohmann::json& what) const {
  if (options_.log == nullptr) return;
  store::Batch batch;
  batch.events.push_back({type, to_bytes(credential::canonical(what))});
  options_.log->commit(std::move(batch), [](const Result<store::Committed>& committed) {
    if (!committed) log::error("COMMAND_LOG", "a command is not in the log", {{"error", committed.error().message}});
  });
}

void CommandServerImpl::publish(std::vector<Access> changes) {
  if (changes.empty()) return;
  const std::scoped_lock order(publishing_);
  std::vector<Peer> peers;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& access : changes) {
      number_ = std::max(number_, access.number);
      auto& known = state_[access.device];
      device_of_number_.erase(known.number);
      device_of_number_[access.number] = access.device;
      known = access;
    }
    peers.assign(peers_.begin(), peers_.end());
  }
  const auto frames = signer_.commands(changes);
  if (!frames) {
    log::error("COMMAND_SIGN", "commands could not be signed; routers will not renew their leases on the old state",
               {{"error", frames.error().message}});
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  for (const auto& one : *frames) {
    const auto frame = std::make_shared<const Bytes>(one.frame);
    const std::scoped_lock lock(mutex_);
    for (const auto& peer : peers) peer->send_commands(frame, one.numbers, now);
  }
  for (const auto& one : *frames) {
    counters().sent.add(static_cast<double>(one.numbers.size() * peers.size()));
    record("command", {{"at", rfc3339(clock_.now(), true)},
                       {"numbers", {one.numbers.front().first, one.numbers.back().first}},
                       {"routers", peers.size()},
                       {"message", as_text(one.frame)}});
  }
}

std::vector<RouterStatus> CommandServerImpl::routers() const {
  const std::scoped_lock lock(mutex_);
  std::vector<RouterStatus> all;
  for (const auto& peer : peers_) {
    all.push_back({peer->router(), peer->connection().session().peer_address, peer->connected_at(), peer->synced,
                   peer->number, peer->outstanding.size()});
  }
  return all;
}

void CommandServerImpl::count_synced() const {
  const auto synced = std::ranges::count_if(peers_, [](const Peer& peer) { return peer->synced; });
  counters().routers.set(static_cast<double>(synced));
}

net::awaitable<void> CommandServerImpl::serve(std::shared_ptr<net::FrameConnection> connection) {
  const auto self = shared_from_this();
  const auto introduced = std::make_shared<std::atomic<bool>>(false);
  net::spawn(executor_, close_if_silent(connection, introduced), "a router's introduction");
  const auto peer = co_await introduce(connection);
  *introduced = true;
  if (!peer) {
    counters().refused.add();
    log::warning("ROUTER_REFUSED", "a connection to the command server is refused",
                 {{"address", connection->session().peer_address},
                  {"code", std::string(peer.error().code.name())},
                  {"reason", peer.error().message}});
    connection->send(write_message(Refused{peer.error().message}));
    co_return;
  }
  enter(*peer);
  const auto ended = co_await converse(*peer);
  leave(*peer);
  if (ended || stopping_) co_return;
  log::info("ROUTER_LEFT", "a router's connection is over",
            {{"router", (*peer)->router()}, {"reason", ended.error().message}});
  if (!(ended.error().code == net::NetError::peer_closed)) {
    connection->send(write_message(Refused{ended.error().message}));
  }
}

net::awaitable<void> CommandServerImpl::close_if_silent(std::shared_ptr<net::FrameConnection> connection,
                                                        std::shared_ptr<std::atomic<bool>> introduced) {
  const auto until = std::chrono::steady_clock::now() + options_.handshake;
  while (!*introduced && !stopping_ && std::chrono::steady_clock::now() < until) {
    co_await net::sleep_for(std::min<std::chrono::milliseconds>(options_.handshake, std::chrono::milliseconds(100)));
  }
  if (!*introduced) connection->close();
}

// L524: accepted if the same person signed both credentials, and the keys are those shown in TLS on this connection.
net::awaitable<Result<std::shared_ptr<RouterPeer>>> CommandServerImpl::introduce(
    std::shared_ptr<net::FrameConnection> connection) {
  {
    const std::scoped_lock lock(mutex_);
    if (peers_.size() >= options_.max_routers) co_return fail(AssuranceError::unavailable, "too many routers");
  }
  const auto frame = co_await connection->receive();
  if (!frame) co_return fail(frame.error());
  const auto message = read_message(*frame);
  if (!message) co_return fail(message.error());
  const auto* hello = std::get_if<Hello>(&*message);
  if (hello == nullptr) co_return fail(AssuranceError::unexpected, "a router's first message is a hello");

  const auto certificate = connection->session().peer();
  if (!certificate) co_return fail(AssuranceError::no_certificate, "the router showed no certificate");
  const Time now = clock_.now();
  CAHN_CO_TRY(auto theirs, Ownership::read(hello->ownership));
  CAHN_CO_CHECK(check_common_ownership(ownership_, theirs, certificate->public_key(), now));
  if (options_.domain) {
    const auto path = crypto::verify_chain(*certificate, connection->session().peer_chain, *options_.domain, now);
    if (!path) co_return fail(AssuranceError::wrong_owner, "the router is not of our domain: " + path.error().message);
  }
  Ownership claimed = theirs;
  const auto owner = co_await options_.owner_check(std::move(claimed));
  if (!owner) co_return fail(owner.error());

  Welcome welcome{ownership_.text(), options_.commander, options_.network, options_.epoch};
  connection->send(write_message(welcome));
  co_return std::make_shared<RouterPeer>(std::move(connection), std::move(theirs), now);
}

void CommandServerImpl::enter(const Peer& peer) {
  std::vector<Peer> earlier;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& other : peers_) {
      if (other->router() == peer->router()) earlier.push_back(other);
    }
    peer->last_renewal = peer->last_ping = std::chrono::steady_clock::now();
    peers_.insert(peer);
  }
  // The router has come back before we saw it go.
  for (const auto& other : earlier) other->connection().close();
}

void CommandServerImpl::leave(const Peer& peer) {
  const std::scoped_lock lock(mutex_);
  peers_.erase(peer);
  count_synced();
}

net::awaitable<Result<void>> CommandServerImpl::converse(Peer peer) {
  for (;;) {
    const auto frame = co_await peer->connection().receive();
    if (!frame) co_return fail(frame.error());
    const auto message = read_message(*frame);
    if (!message) co_return fail(message.error());
    CAHN_CO_CHECK(handle(peer, *message));
  }
}

Result<void> CommandServerImpl::handle(const Peer& peer, const Message& message) {
  if (std::holds_alternative<Ping>(message)) return {};
  if (const auto* sync = std::get_if<Sync>(&message)) return answer_sync(peer, *sync);
  if (const auto* ack = std::get_if<Ack>(&message)) {
    for (const auto& item : ack->items) take_acknowledgement(peer, item);
    return {};
  }
  if (const auto* synced = std::get_if<Synced>(&message)) {
    const std::scoped_lock lock(mutex_);
    peer->synced = true;
    peer->number = std::max(peer->number, synced->number);
    count_synced();
    return {};
  }
  if (const auto* refused = std::get_if<Refused>(&message)) {
    return fail(AssuranceError::refused_by_peer, "the router refuses us: " + refused->reason);
  }
  return fail(AssuranceError::unexpected, "a message that only a registrar may send");
}

Result<void> CommandServerImpl::answer_sync(const Peer& peer, const Sync& sync) {
  std::vector<Access> entries;
  std::uint64_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    peer->begin_state(sync.nonce);
    for (const auto& [device, access] : state_) entries.push_back(access);
    number = number_;
  }
  // Signing a large state takes a while; what is published meanwhile waits in the peer.
  CAHN_TRY(const auto frames, signer_.state(sync, entries, number));
  const std::scoped_lock lock(mutex_);
  peer->send_state(frames);
  peer->last_renewal = std::chrono::steady_clock::now();
  return {};
}

void CommandServerImpl::take_acknowledgement(const Peer& peer, const Ack::Item& item) {
  if (item.id != command_id(options_.epoch, item.number)) return;  // of another life of this registrar
  if (!item.done) {
    counters().failed.add();
    log::warning("COMMAND_FAILED", "a router could not carry a command out; it is repeated",
                 {{"router", peer->router()}, {"number", std::to_string(item.number)}, {"reason", item.reason}});
    return set_outstanding_again(peer, item.number);
  }
  std::optional<RouterPeer::Outstanding> known;
  {
    const std::scoped_lock lock(mutex_);
    known = peer->acknowledged(item.number);
  }
  if (!known) return;
  const auto after = std::chrono::steady_clock::now() - known->published;
  counters().acknowledged.observe(std::chrono::duration<double>(after).count());
  listeners_.call({peer->router(), item.number, known->device, after});
  record("command_ack", {{"at", rfc3339(clock_.now(), true)}, {"number", item.number}, {"router", peer->router()}});
}

// A part of a state that did not take effect becomes a command of its own, so that it is repeated until it does.
void CommandServerImpl::set_outstanding_again(const Peer& peer, std::uint64_t number) {
  std::vector<Access> again;
  {
    const std::scoped_lock lock(mutex_);
    const auto device = device_of_number_.find(number);
    if (peer->outstanding.contains(number) || device == device_of_number_.end()) return;
    again.push_back(state_.at(device->second));
  }
  const auto frames = signer_.commands(again);
  if (!frames) return;
  const auto now = std::chrono::steady_clock::now();
  const std::scoped_lock lock(mutex_);
  peer->outstanding[number] = {again.front().device, std::make_shared<const Bytes>(frames->front().frame), now, now};
}

net::awaitable<void> CommandServerImpl::renew(std::shared_ptr<CommandServerImpl> self, Peer peer) {
  const auto valid = peer->ownership().check_validity(clock_.now());
  auto owner = valid ? Result<void>() : fail(valid.error());
  if (owner) {
    Ownership claimed = peer->ownership();
    owner = co_await options_.owner_check(std::move(claimed));
  }
  // While our own claim node cannot say, the router keeps the lease it has.
  const bool unsure = !owner && owner.error().code == AssuranceError::unavailable;
  if (!owner && !unsure) {
    log::warning("ROUTER_DISOWNED", "a router is no longer ours",
                 {{"router", peer->router()}, {"reason", owner.error().message}});
    peer->connection().send(write_message(Refused{owner.error().message}));
    peer->connection().close();
  }
  // Not between a change of the state and its being sent: the router would think it had missed something.
  const std::scoped_lock lock(self->publishing_, self->mutex_);
  peer->renewing = false;
  if (!owner || peer->phase != RouterPeer::Phase::live) co_return;
  if (const auto lease = signer_.lease(peer->nonce, number_)) peer->connection().send(*lease);
}

net::awaitable<void> CommandServerImpl::tend(std::shared_ptr<CommandServerImpl> self) {
  const auto renewal = std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease) / 4;
  const auto step = std::clamp(std::min({options_.repeat, options_.keep_alive, renewal}) / 4,
                               std::chrono::milliseconds(5), std::chrono::milliseconds(100));
  const Bytes ping = write_message(Ping{});
  while (!stopping_) {
    const auto now = std::chrono::steady_clock::now();
    std::vector<Peer> to_renew;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& peer : peers_) {
        counters().repeated.add(static_cast<double>(peer->repeat(now, options_.repeat)));
        if (now - peer->last_ping >= options_.keep_alive) {
          peer->last_ping = now;
          peer->connection().send(ping);
        }
        if (!peer->renewing && peer->synced && now - peer->last_renewal >= renewal) {
          peer->renewing = true;
          peer->last_renewal = now;
          to_renew.push_back(peer);
        }
      }
    }
    for (const auto& peer : to_renew) net::spawn(executor_, renew(shared_from_this(), peer), "renewing a lease");
    co_await net::sleep_for(step);
  }
  --self->tasks_;
}

net::awaitable<void> CommandServerImpl::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  co_await server_->stop();
  while (tasks_ > 0) co_await net::sleep_for(std::chrono::milliseconds(5));
}

class CommandServerHandle final : public CommandServer {
 public:
  explicit CommandServerHandle(std::shared_ptr<CommandServerImpl> impl) : impl_(std::move(impl)) {}
  ~CommandServerHandle() override { impl_->forsake(); }

  void publish(std::vector<Access> changes) override { impl_->publish(std::move(changes)); }
  std::uint16_t port() const override { return impl_->port(); }
  std::vector<RouterStatus> routers() const override { return impl_->routers(); }
  std::shared_ptr<void> on_ack(std::function<void(const Acknowledgement&)> listener) override {
    return impl_->on_ack(std::move(listener));
  }
  net::awaitable<void> stop() override { return impl_->stop(); }

 private:
  const std::shared_ptr<CommandServerImpl> impl_;
};

Result<Ownership> check_own_credentials(const CommandServerOptions& options) {
  CAHN_TRY(auto ownership, Ownership::read(options.ownership));
  CAHN_TRY(const auto commander, Ownership::read(options.commander));
  if (options.identity.chain.empty() ||
      ownership.key() != credential::did_key(options.identity.chain.front().public_key())) {
    return fail(AssuranceError::wrong_key, "the ownership credential is not for this registrar's key");
  }
  if (!options.command_key || commander.key() != credential::did_key(options.command_key->public_key())) {
    return fail(AssuranceError::wrong_key, "the commander credential is not for the key that signs commands");
  }
  if (commander.person() != ownership.person() || commander.signer() != ownership.signer()) {
    return fail(AssuranceError::wrong_owner, "the registrar's two credentials are not of one person and key");
  }
  return ownership;
}

}  // namespace

Result<std::unique_ptr<CommandServer>> CommandServer::start(net::Executor executor, const Clock& clock,
                                                            CommandServerOptions options, std::vector<Access> state,
                                                            std::uint64_t number) {
  CAHN_TRY(auto ownership, check_own_credentials(options));
  auto impl = std::make_shared<CommandServerImpl>(std::move(executor), clock, std::move(options), std::move(ownership),
                                                  std::move(state), number);
  CAHN_CHECK(impl->start());
  return std::make_unique<CommandServerHandle>(std::move(impl));
}

}  // namespace cahn::assurance
