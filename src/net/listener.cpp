#include "net/listener.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/log.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

std::atomic<std::uint64_t> next_session_id = 1;

constexpr auto pause_after_accept_error = 100ms;
constexpr auto wait_for_cancelled = 1s;

}  // namespace

// --- one connection

Accepted::Accepted(std::shared_ptr<Stream> connected, std::shared_ptr<Registry> registered_in, asio::ip::address from)
    : stream(std::move(connected)), registry_(std::move(registered_in)), address_(std::move(from)) {
  session.id = next_session_id.fetch_add(1, std::memory_order_relaxed);
  session.peer_address = address_text(address_);
}

Accepted::~Accepted() { registry_->leave(session.id, address_); }

// --- all connections

Registry::Registry(const Executor& executor, const ServerOptions& options)
    : max_total_(options.limits.max_connections),
      max_per_address_(options.limits.max_connections_per_address),
      empty_(std::make_shared<Gate>(executor)),
      connections_("cahn_connections", "Open connections of a server", {{"server", options.name}}) {}

std::shared_ptr<Accepted> Registry::admit(std::shared_ptr<Stream> stream, const asio::ip::address& address) {
  std::shared_ptr<Accepted> accepted;  // outlives the lock: its destructor takes it
  const std::lock_guard lock(mutex_);
  if (draining_ || accepted_.size() >= max_total_) return nullptr;
  auto& from_there = per_address_[address];
  if (from_there >= max_per_address_) return nullptr;
  accepted = std::make_shared<Accepted>(std::move(stream), shared_from_this(), address);
  ++from_there;
  accepted_.emplace(accepted->session.id, accepted);
  connections_.set(static_cast<double>(accepted_.size()));
  return accepted;
}

void Registry::leave(std::uint64_t id, const asio::ip::address& address) {
  const std::lock_guard lock(mutex_);
  accepted_.erase(id);
  if (const auto it = per_address_.find(address); it != per_address_.end() && --it->second == 0) per_address_.erase(it);
  connections_.set(static_cast<double>(accepted_.size()));
  if (draining_ && accepted_.empty()) empty_->open();
}

std::vector<std::shared_ptr<Accepted>> Registry::everyone() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Accepted>> all;
  all.reserve(accepted_.size());
  for (const auto& [id, weak] : accepted_) {
    if (auto accepted = weak.lock()) all.push_back(std::move(accepted));
  }
  return all;
}

void Registry::drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    if (accepted_.empty()) empty_->open();
  }
  for (auto& accepted : everyone()) {
    const auto executor = accepted->stream->executor();
    asio::post(executor, [accepted = std::move(accepted)] {
      accepted->draining = true;
      if (accepted->on_drain) accepted->on_drain();
    });
  }
}

void Registry::abort() {
  for (auto& accepted : everyone()) {
    const auto executor = accepted->stream->executor();
    asio::post(executor, [accepted = std::move(accepted)] {
      accepted->stream->close();
      accepted->cancel.emit(asio::cancellation_type::terminal);
    });
  }
}

// --- the listener

Listener::Listener(const Executor& executor, ServerOptions options, std::chrono::seconds handshake, Serve serve)
    : options_(std::move(options)),
      handshake_(handshake),
      serve_(std::move(serve)),
      executor_(executor),
      strand_(fresh_strand(executor)),
      acceptor_(strand_),
      registry_(std::make_shared<Registry>(executor, options_)),
      tls_(options_.tls),
      refused_limit_("cahn_connections_refused_total", "Connections that a server closed unserved",
                     {{"server", options_.name}, {"why", "limit"}}),
      refused_handshake_("cahn_connections_refused_total", "Connections that a server closed unserved",
                         {{"server", options_.name}, {"why", "handshake"}}) {}

Result<std::shared_ptr<Listener>> Listener::open(const Executor& executor, ServerOptions options,
                                                 std::chrono::seconds handshake, Serve serve, Cleartext cleartext) {
  auto listener = std::make_shared<Listener>(executor, std::move(options), handshake, std::move(serve));
  CAHN_CHECK(listener->bind(cleartext));
  spawn(listener->strand_, listener->accept_loop(), "accept");
  return listener;
}

Result<void> Listener::bind(Cleartext cleartext) {
  error_code bad;
  auto address = asio::ip::make_address(options_.address, bad);
  if (bad) return fail(NetError::unreachable, options_.address + " is not an IP address");
  if (!options_.tls && cleartext == Cleartext::on_loopback && !is_loopback(address)) {
    return fail(NetError::tls, "plain HTTP is served on loopback only, not on " + options_.address);
  }
  error_code failed;
  acceptor_.open(address.is_v6() ? tcp::v6() : tcp::v4(), failed);
  if (failed && address.is_v6() && address.is_unspecified()) {  // a host without IPv6
    address = asio::ip::address_v4::any();
    failed = {};
    acceptor_.open(tcp::v4(), failed);
  }
  if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
  if (!failed && address.is_v6()) acceptor_.set_option(asio::ip::v6_only(!address.is_unspecified()), failed);
  const tcp::endpoint endpoint(address, options_.port);
  if (!failed) acceptor_.bind(endpoint, failed);
  if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) {
    const auto code = failed == asio::error::address_in_use ? NetError::address_in_use : NetError::unreachable;
    return fail(
        code, "listening on " + options_.address + " port " + std::to_string(options_.port) + ": " + failed.message());
  }
  port_ = acceptor_.local_endpoint(failed).port();
  return {};
}

void Listener::replace_tls(crypto::TlsContext context) {
  const std::lock_guard lock(tls_mutex_);
  if (tls_) tls_ = std::move(context);  // a plain server stays one
}

std::optional<crypto::TlsContext> Listener::tls() const {
  const std::lock_guard lock(tls_mutex_);
  return tls_;
}

void Listener::close_acceptor() {
  stopping_ = true;
  asio::post(strand_, [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_.close(ignored);
  });
}

awaitable<void> Listener::stop(std::chrono::milliseconds grace) {
  const auto self = shared_from_this();
  close_acceptor();
  registry_->drain();
  const bool all_done = co_await registry_->empty()->wait(grace);
  if (all_done) co_return;
  registry_->abort();
  co_await registry_->empty()->wait(wait_for_cancelled);
}

void Listener::abort() {
  close_acceptor();
  registry_->drain();
  registry_->abort();
}

void Listener::note_refusal(std::string_view why, const std::string& address, const std::string& detail) {
  if (const auto held_back = refusals_.pass()) {
    log::info("NET_CONNECTION_REFUSED", "a connection was closed unserved",
              {{"server", options_.name},
               {"why", std::string(why)},
               {"peer", address},
               {"detail", detail},
               {"not_shown", std::to_string(*held_back)}});
  }
}

awaitable<void> Listener::accept_loop() {
  const auto self = shared_from_this();
  while (!stopping_) {
    const Executor connection_strand = fresh_strand(executor_);
    auto [code, socket] = co_await acceptor_.async_accept(connection_strand, asio::as_tuple(asio::use_awaitable));
    if (stopping_) break;
    if (!code) {
      admit(std::move(socket));
    } else if (code != asio::error::connection_aborted) {
      // Out of descriptors or memory: what there is goes on, and so shall we once there is room again.
      if (const auto held_back = accept_errors_.pass()) {
        log::warning("NET_ACCEPT_FAILED", "no connection can be taken at the moment",
                     {{"server", options_.name}, {"why", code.message()}, {"not_shown", std::to_string(*held_back)}});
      }
      co_await sleep_for(pause_after_accept_error);
    }
  }
}

void Listener::admit(tcp::socket socket) {
  error_code gone;
  const auto peer = socket.remote_endpoint(gone);
  if (gone) return;
  auto stream = std::make_shared<Stream>(std::move(socket));
  auto accepted = registry_->admit(stream, peer.address());
  if (!accepted) {
    refused_limit_.add();
    note_refusal("limit", address_text(peer.address()), "too many connections");
    stream->close();
    return;
  }
  accepted->session.peer_port = peer.port();
  asio::co_spawn(stream->executor(), serve(shared_from_this(), std::move(accepted)), asio::detached);
}

awaitable<void> Listener::serve(std::shared_ptr<Listener> self, std::shared_ptr<Accepted> accepted) {
  try {
    accepted->on_drain = [stream = accepted->stream.get()] { stream->close(); };
    const bool ready = co_await self->shake_hands(accepted);
    accepted->on_drain = nullptr;
    if (ready) {
      auto serving = self->serve_(accepted);
      co_await std::move(serving);
    }
  } catch (const std::exception& e) {
    log::error("NET_CONNECTION_FAILED", "serving a connection ended with an exception",
               {{"server", self->options_.name}, {"what", e.what()}});
  }
  accepted->stream->close();
}

awaitable<bool> Listener::shake_hands(std::shared_ptr<Accepted> accepted) {
  const auto context = tls();
  if (!context) co_return true;
  auto& stream = *accepted->stream;
  stream.set_deadline(Stream::Side::read, handshake_);
  auto shaken = stream.use_tls_server(*context);
  if (shaken) shaken = co_await stream.handshake();
  if (!shaken) {
    refused_handshake_.add();
    note_refusal("handshake", accepted->session.peer_address, shaken.error().message);
    co_return false;
  }
  auto chain = stream.peer_chain();
  if (!chain) {
    refused_handshake_.add();
    note_refusal("certificate", accepted->session.peer_address, chain.error().message);
    co_return false;
  }
  accepted->session.peer_chain = *std::move(chain);
  accepted->session.own_leaf = context->own_leaf();
  accepted->session.tls_unique = stream.tls_unique();
  stream.set_deadline(Stream::Side::read, no_deadline);
  co_return true;
}

}  // namespace cahn::net
