#include "net/relay.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "net/connect.h"
#include "net/listener.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using StreamPtr = std::shared_ptr<Stream>;

// What all connections of one relay share.
struct Shared {
  Shared(RelayOptions chosen, std::shared_ptr<RelayTargets> where)
      : options(std::move(chosen)),
        targets(std::move(where)),
        connected("cahn_relay_connections_total", "Connections that a relay took",
                  {{"relay", options.name}, {"result", "connected"}}),
        unconnected("cahn_relay_connections_total", "Connections that a relay took",
                    {{"relay", options.name}, {"result", "no_target"}}),
        octets("cahn_relay_octets_total", "Octets that a relay passed on, both ways", {{"relay", options.name}}) {}

  const RelayOptions options;
  const std::shared_ptr<RelayTargets> targets;
  metrics::Counter connected, unconnected, octets;
  Throttle no_target;
};

// One connection: two streams on one strand, and two pumps between them.
class Circuit : public std::enable_shared_from_this<Circuit> {
 public:
  Circuit(std::shared_ptr<Shared> shared, StreamPtr client, StreamPtr target)
      : shared_(std::move(shared)),
        client_(std::move(client)),
        target_(std::move(target)),
        other_way_done_(client_->executor(), Deadline::max()) {}

  // Until both ways have come to their end.
  awaitable<void> run() {
    touch();
    asio::co_spawn(client_->executor(), pump(*target_, *client_),
                   [self = shared_from_this()](std::exception_ptr failed) {
                     if (failed) self->reset();
                     self->back_ended_ = true;
                     self->other_way_done_.cancel();
                   });
    auto there = pump(*client_, *target_);
    co_await std::move(there);
    if (!back_ended_) co_await other_way_done_.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  void reset() {
    client_->reset();
    target_->reset();
  }

 private:
  void touch() {
    client_->set_deadline(Stream::Side::read, shared_->options.idle);
    target_->set_deadline(Stream::Side::read, shared_->options.idle);
  }

  awaitable<void> pump(Stream& from, Stream& to) {
    for (;;) {
      const auto readable = co_await from.wait_readable();
      if (!readable) co_return reset();
      auto passing = pass_on(from, to);
      const auto passed = co_await std::move(passing);
      if (!passed) co_return reset();
      if (*passed == 0) co_return to.end_writing();
      shared_->octets.add(static_cast<double>(*passed));
    }
  }

  // What can be read now, sent on; 0 at the orderly end. The buffer lives no longer than this.
  awaitable<Result<std::size_t>> pass_on(Stream& from, Stream& to) {
    Bytes buffer(shared_->options.buffer);
    const auto count = co_await from.read_some(buffer);
    if (!count || *count == 0) co_return count;
    touch();
    to.set_deadline(Stream::Side::write, shared_->options.idle);
    const auto written = co_await to.write_all(ByteView(buffer).first(*count));
    to.set_deadline(Stream::Side::write, no_deadline);
    if (!written) co_return fail(written.error());
    touch();
    co_return count;
  }

  const std::shared_ptr<Shared> shared_;
  const StreamPtr client_, target_;
  asio::steady_timer other_way_done_;
  bool back_ended_ = false;
};

// The first target that answers; null: none.
awaitable<StreamPtr> connect_to_any(std::shared_ptr<Shared> shared, std::shared_ptr<Accepted> accepted) {
  const auto targets = shared->targets->targets();
  std::string why = "no target is known";
  for (const Endpoint& target : targets) {
    if (!accepted->stream->is_open()) co_return nullptr;
    auto connecting = connect_here(target, std::nullopt, shared->options.connect);
    auto stream = co_await std::move(connecting);
    shared->targets->tried(target, stream.has_value(), stream ? "" : stream.error().message);
    if (stream) co_return *std::move(stream);
    why = stream.error().message;
  }
  if (const auto held_back = shared->no_target.pass()) {
    log::warning("NET_RELAY_NO_TARGET", "a connection could not be passed on",
                 {{"relay", shared->options.name},
                  {"peer", accepted->session.peer_address},
                  {"why", why},
                  {"not_shown", std::to_string(*held_back)}});
  }
  co_return nullptr;
}

awaitable<void> serve(std::shared_ptr<Shared> shared, std::shared_ptr<Accepted> accepted) {
  auto connecting = connect_to_any(shared, accepted);
  const StreamPtr target = co_await std::move(connecting);
  (target ? shared->connected : shared->unconnected).add();
  if (!target) {
    accepted->stream->reset();
    co_return;
  }
  const auto circuit = std::make_shared<Circuit>(shared, accepted->stream, target);
  accepted->cancel.slot().assign([circuit = circuit.get()](asio::cancellation_type) { circuit->reset(); });
  auto running = circuit->run();
  co_await std::move(running);
  accepted->cancel.slot().clear();
  target->close();
}

class RelayServer final : public Relay {
 public:
  explicit RelayServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~RelayServer() override { listener_->abort(); }
  RelayServer(const RelayServer&) = delete;
  RelayServer& operator=(const RelayServer&) = delete;

  std::uint16_t port() const override { return listener_->port(); }
  awaitable<void> stop(std::chrono::milliseconds grace) override {
    const auto listener = listener_;
    co_await listener->stop(grace);
  }

 private:
  std::shared_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<Relay>> Relay::start(Executor executor, RelayOptions options,
                                            std::shared_ptr<RelayTargets> targets) {
  ServerOptions server;
  server.name = options.name;
  server.address = options.address;
  server.port = options.port;
  server.limits.max_connections = options.max_connections;
  server.limits.max_connections_per_address = options.max_connections_per_address;
  const auto shared = std::make_shared<Shared>(std::move(options), std::move(targets));
  CAHN_TRY(auto listener,
           Listener::open(
               executor, std::move(server), std::chrono::seconds(0),
               [shared](std::shared_ptr<Accepted> accepted) { return serve(shared, std::move(accepted)); },
               Listener::Cleartext::passed_on));
  return std::make_unique<RelayServer>(std::move(listener));
}

}  // namespace cahn::net
