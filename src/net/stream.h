// One TCP connection, in the clear or under TLS, as coroutines read and write it. Inside `net` only.
//
// OpenSSL works on the socket directly (a BIO over recv and send) and not through asio::ssl::stream: that keeps some 70
// KiB of buffers for every connection, this keeps none while a connection is idle.
//
// Time: each side has a deadline. When the one for reading passes, reads fail with `timeout` (and something can still
// be said to the peer); when the one for writing passes, the connection is closed. Threads: everything on the socket's
// executor, which must be a strand; `peer_address` and such may be read from anywhere.

#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/tls.h"
#include "net/async.h"
#include "net/http.h"

struct ssl_st;

namespace cahn::net {

using boost::asio::ip::tcp;
using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline no_deadline = Deadline::max();

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  enum class Side { read, write };

  explicit Stream(tcp::socket connected);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // From here on under TLS; the handshake follows. `name` (client only): for SNI and the context's name check.
  Result<void> use_tls_server(const crypto::TlsContext&);
  Result<void> use_tls_client(const crypto::TlsContext&, const std::string& host);
  awaitable<Result<void>> handshake();
  Result<std::vector<crypto::Certificate>> peer_chain() const;
  Bytes tls_unique() const;
  Bytes stapled_status() const;

  void set_deadline(Side, Deadline);
  void set_deadline(Side side, std::chrono::steady_clock::duration from_now) {
    set_deadline(side, std::chrono::steady_clock::now() + from_now);
  }

  // Until something can be read; needs no buffer. Errors: timeout, stopped (closed here).
  awaitable<Result<void>> wait_readable();
  // At least one octet, or 0 at the peer's orderly end. Errors: timeout, peer_closed, tls, stopped.
  awaitable<Result<std::size_t>> read_some(std::span<std::uint8_t> into);
  // As read_some, but never waits: nullopt when nothing is there.
  Result<std::optional<std::size_t>> read_now(std::span<std::uint8_t> into);
  awaitable<Result<void>> write_all(ByteView);

  // Says goodbye (close_notify, FIN) and closes.
  void finish();
  // As finish, but first throws away what the peer still sends, within bounds: closing on unread octets makes the
  // kernel send RST, and the peer would lose the answer that was sent to it.
  awaitable<void> finish_lingering();
  // Says that nothing more comes from here (FIN); what the peer sends is still read. In the clear only.
  void end_writing();
  // Closes so that the peer learns that something was lost (RST), not as at an orderly end.
  void reset();
  void close();
  bool is_open() const { return !closed_; }

  const Executor& executor() const { return executor_; }
  tcp::socket& socket() { return socket_; }

 private:
  enum class Attempt { done, want_read, want_write, failed };

  Attempt try_read(std::span<std::uint8_t> into, std::size_t& count);
  Attempt try_write(ByteView, std::size_t& count);
  Attempt try_handshake();
  Attempt judge_tls(int returned);
  Attempt fail_with(NetError, std::string message);
  awaitable<Result<void>> wait_for(Attempt);
  std::unexpected<Error> failure() const;
  void send_goodbye();
  void arm_timer();
  void on_timer();
  Result<void> make_ssl(const crypto::TlsContext&);

  struct FreeSsl {
    void operator()(ssl_st*) const;
  };

  Executor executor_;
  tcp::socket socket_;
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
  boost::asio::steady_timer timer_;
  std::array<Deadline, 2> deadlines_{no_deadline, no_deadline};
  Deadline armed_for_ = no_deadline;
  bool closed_ = false;
  bool read_late_ = false;
  bool write_late_ = false;
  bool established_ = false;  // TLS handshake done
  std::optional<Error> error_;
};

// Whether an address stays on this host.
bool is_loopback(const boost::asio::ip::address&);
// The text of an address; an IPv4 address seen through an IPv6 socket is shown as IPv4.
std::string address_text(const boost::asio::ip::address&);

}  // namespace cahn::net
