// What HTTP and frame servers share: bind, accept, count, shake hands, and stop. Inside `net` only.

#pragma once

#include <atomic>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/metrics.h"
#include "net/gate.h"
#include "net/http.h"
#include "net/stream.h"
#include "net/throttle.h"

namespace cahn::net {

class Registry;

// One accepted connection. Whoever still works for it (also a handler that outlived its answer) holds it.
struct Accepted {
  Accepted(std::shared_ptr<Stream> connected, std::shared_ptr<Registry> registered_in, boost::asio::ip::address from);
  ~Accepted();
  Accepted(const Accepted&) = delete;
  Accepted& operator=(const Accepted&) = delete;

  const std::shared_ptr<Stream> stream;
  Session session;
  // On the strand only:
  bool draining = false;           // answer what is under way, then close
  std::function<void()> on_drain;  // set by who serves; called once draining is set
  boost::asio::cancellation_signal cancel;

 private:
  std::shared_ptr<Registry> registry_;
  boost::asio::ip::address address_;
};

// The connections of one server.
class Registry : public std::enable_shared_from_this<Registry> {
 public:
  Registry(const Executor& executor, const ServerOptions& options);
  // Null when over a limit or stopping; the caller then closes.
  std::shared_ptr<Accepted> admit(std::shared_ptr<Stream>, const boost::asio::ip::address&);
  // No more are admitted; those there are asked to come to their end.
  void drain();
  // Closes all that is left and cancels what works for it.
  void abort();
  const std::shared_ptr<Gate>& empty() const { return empty_; }  // opens when draining and nobody is left

 private:
  friend struct Accepted;
  void leave(std::uint64_t id, const boost::asio::ip::address&);
  std::vector<std::shared_ptr<Accepted>> everyone();

  const std::size_t max_total_, max_per_address_;
  const std::shared_ptr<Gate> empty_;
  metrics::Gauge connections_;
  std::mutex mutex_;  // guards what follows
  bool draining_ = false;
  std::unordered_map<std::uint64_t, std::weak_ptr<Accepted>> accepted_;
  std::map<boost::asio::ip::address, std::size_t> per_address_;
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  // Runs for each connection after its handshake, on its strand; the connection closes when it returns.
  using Serve = std::function<awaitable<void>(std::shared_ptr<Accepted>)>;
  // Without TLS of our own: what we say ourselves stays on this host; what is passed on unseen is protected by others.
  enum class Cleartext { on_loopback, passed_on };

  static Result<std::shared_ptr<Listener>> open(const Executor&, ServerOptions, std::chrono::seconds handshake, Serve,
                                                Cleartext = Cleartext::on_loopback);
  Listener(const Executor&, ServerOptions, std::chrono::seconds handshake, Serve);

  std::uint16_t port() const { return port_; }
  const ServerOptions& options() const { return options_; }
  void replace_tls(crypto::TlsContext);
  awaitable<void> stop(std::chrono::milliseconds grace);
  void abort();  // without waiting

 private:
  Result<void> bind(Cleartext);
  void close_acceptor();
  std::optional<crypto::TlsContext> tls() const;
  awaitable<void> accept_loop();
  void admit(tcp::socket);
  static awaitable<void> serve(std::shared_ptr<Listener>, std::shared_ptr<Accepted>);
  awaitable<bool> shake_hands(std::shared_ptr<Accepted>);
  void note_refusal(std::string_view why, const std::string& address, const std::string& detail);

  const ServerOptions options_;
  const std::chrono::seconds handshake_;
  const Serve serve_;
  const Executor executor_, strand_;
  tcp::acceptor acceptor_;
  const std::shared_ptr<Registry> registry_;
  std::uint16_t port_ = 0;
  mutable std::mutex tls_mutex_;
  std::optional<crypto::TlsContext> tls_;
  std::atomic<bool> stopping_ = false;
  metrics::Counter refused_limit_, refused_handshake_;
  Throttle refusals_, accept_errors_;
};

}  // namespace cahn::net
