#include "net/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "net/socket_bio.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// How long, and for how many octets, a connection that is closed lets its peer go on talking.
constexpr auto linger_time = 2s;
constexpr std::size_t linger_octets = std::size_t{8} << 20;

std::string reason_of_queue() {
  const auto code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "TLS failed" : reason;
}

bool is_connection_loss(int error) {
  return error == 0 || error == ECONNRESET || error == EPIPE || error == ECONNABORTED;
}

}  // namespace

void Stream::FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Stream::Stream(tcp::socket connected)
    : executor_(connected.get_executor()), socket_(std::move(connected)), timer_(executor_) {
  boost::system::error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

Stream::~Stream() = default;

Result<void> Stream::make_ssl(const crypto::TlsContext& context) {
  ERR_clear_error();
  ssl_.reset(SSL_new(context.handle()));
  auto* bio = ssl_ ? make_socket_bio(socket_.native_handle()) : nullptr;
  if (bio == nullptr) return fail(NetError::tls, "out of memory for TLS");
  SSL_set_bio(ssl_.get(), bio, bio);
  // An idle connection keeps no record buffers; a record and what follows it come with one recv.
  SSL_set_mode(ssl_.get(),
               SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_read_ahead(ssl_.get(), 1);
  return {};
}

Result<void> Stream::use_tls_server(const crypto::TlsContext& context) {
  CAHN_CHECK(make_ssl(context));
  SSL_set_accept_state(ssl_.get());
  return {};
}

Result<void> Stream::use_tls_client(const crypto::TlsContext& context, const std::string& host) {
  CAHN_CHECK(make_ssl(context));
  SSL_set_connect_state(ssl_.get());
  const auto bare = host.substr(0, host.find('%'));  // a zone is local to this host and in no certificate
  boost::system::error_code not_an_address;
  asio::ip::make_address(bare, not_an_address);
  if (!not_an_address) {
    if (context.checks_names() && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), bare.c_str()) != 1) {
      return fail(NetError::tls, "cannot check the server's address");
    }
    return {};
  }
  auto name = host;
  if (name.ends_with('.')) name.pop_back();  // RFC 6066 3: without the trailing dot
  if (SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1)
    return fail(NetError::tls, "cannot send the server's name");
  if (context.checks_names()) {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (SSL_set1_host(ssl_.get(), name.c_str()) != 1) return fail(NetError::tls, "cannot check the server's name");
  }
  return {};
}

Result<std::vector<crypto::Certificate>> Stream::peer_chain() const {
  if (!ssl_) return std::vector<crypto::Certificate>{};
  return crypto::peer_chain(ssl_.get());
}

Bytes Stream::tls_unique() const { return ssl_ ? crypto::tls_unique(ssl_.get()) : Bytes(); }
Bytes Stream::stapled_status() const { return ssl_ ? crypto::stapled_status(ssl_.get()) : Bytes(); }

// --- deadlines

void Stream::set_deadline(Side side, Deadline deadline) {
  if (side == Side::read) read_late_ = false;
  deadlines_[static_cast<std::size_t>(side)] = deadline;
  arm_timer();
}

// Moving a deadline away costs nothing: the timer fires at the old one, sees that it is too early, and sleeps on.
void Stream::arm_timer() {
  const auto next = std::min(deadlines_[0], deadlines_[1]);
  if (closed_ || next >= armed_for_) return;
  armed_for_ = next;
  timer_.expires_at(next);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    if (const auto self = weak.lock()) self->on_timer();
  });
}

void Stream::on_timer() {
  armed_for_ = no_deadline;
  if (closed_) return;
  const auto now = std::chrono::steady_clock::now();
  if (deadlines_[static_cast<std::size_t>(Side::write)] <= now) {
    write_late_ = true;
    close();
    return;
  }
  if (auto& deadline = deadlines_[static_cast<std::size_t>(Side::read)]; deadline <= now) {
    deadline = no_deadline;
    read_late_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);  // a write that waits is woken too, and waits again
  }
  arm_timer();
}

void Stream::close() {
  if (closed_) return;
  closed_ = true;
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

// --- single attempts

Stream::Attempt Stream::fail_with(NetError code, std::string message) {
  error_ = Error{code, std::move(message)};
  return Attempt::failed;
}

std::unexpected<Error> Stream::failure() const {
  if (read_late_ || write_late_) return fail(NetError::timeout, "the peer took too long");
  if (error_) return std::unexpected(*error_);
  return fail(NetError::stopped, "the connection was closed on this side");
}

Stream::Attempt Stream::judge_tls(int returned) {
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return Attempt::want_read;
    case SSL_ERROR_WANT_WRITE:
      return Attempt::want_write;
    case SSL_ERROR_ZERO_RETURN:
      return fail_with(NetError::peer_closed, "the peer closed the connection");
    case SSL_ERROR_SYSCALL:
      if (is_connection_loss(system_error)) return fail_with(NetError::peer_closed, "the connection was cut");
      return fail_with(NetError::peer_closed, std::string("the connection failed: ") + std::strerror(system_error));
    default:
      break;
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return fail_with(NetError::peer_closed, "the connection was cut");
  }
  auto reason = reason_of_queue();
  if (const auto verdict = SSL_get_verify_result(ssl_.get()); !established_ && verdict != X509_V_OK) {
    reason += std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
  }
  return fail_with(NetError::tls, "TLS: " + reason);
}

Stream::Attempt Stream::try_handshake() {
  if (closed_ || read_late_) return Attempt::failed;
  ERR_clear_error();
  errno = 0;
  const int returned = SSL_do_handshake(ssl_.get());
  return returned == 1 ? Attempt::done : judge_tls(returned);
}

Stream::Attempt Stream::try_read(std::span<std::uint8_t> into, std::size_t& count) {
  if (closed_ || error_ || read_late_) return Attempt::failed;
  count = 0;
  errno = 0;
  if (ssl_) {
    ERR_clear_error();
    const int returned = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
    if (returned == 1) return Attempt::done;
    if (SSL_get_error(ssl_.get(), returned) == SSL_ERROR_ZERO_RETURN) return Attempt::done;  // count is 0: the end
    return judge_tls(returned);
  }
  const auto received = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
  if (received >= 0) {
    count = static_cast<std::size_t>(received);
    return Attempt::done;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Attempt::want_read;
  return fail_with(NetError::peer_closed, "the connection was cut");
}

Stream::Attempt Stream::try_write(ByteView data, std::size_t& count) {
  if (closed_ || error_) return Attempt::failed;
  count = 0;
  errno = 0;
  if (ssl_) {
    ERR_clear_error();
    const int returned = SSL_write_ex(ssl_.get(), data.data(), data.size(), &count);
    return returned == 1 ? Attempt::done : judge_tls(returned);
  }
  const auto sent = ::send(socket_.native_handle(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) {
    count = static_cast<std::size_t>(sent);
    return Attempt::done;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Attempt::want_write;
  return fail_with(NetError::peer_closed, "the connection was cut");
}

// --- coroutines

awaitable<Result<void>> Stream::wait_for(Attempt attempt) {
  const auto kind = attempt == Attempt::want_write ? tcp::socket::wait_write : tcp::socket::wait_read;
  const auto [code] = co_await socket_.async_wait(kind, asio::as_tuple(asio::use_awaitable));
  if (closed_ || (read_late_ && kind == tcp::socket::wait_read)) co_return failure();
  // A wait that was cancelled although nothing is wrong here: the attempt is made again, and waits again if it must.
  if (code && code != asio::error::operation_aborted) co_return fail(NetError::stopped, code.message());
  co_return Result<void>();
}

awaitable<Result<void>> Stream::handshake() {
  for (;;) {
    const auto attempt = try_handshake();
    if (attempt == Attempt::done) break;
    if (attempt == Attempt::failed) co_return failure();
    const auto waited = co_await wait_for(attempt);
    if (!waited) co_return waited;
  }
  established_ = true;
  co_return Result<void>();
}

awaitable<Result<void>> Stream::wait_readable() {
  if (closed_ || error_ || read_late_) co_return failure();
  if (ssl_ && SSL_has_pending(ssl_.get()) != 0) co_return Result<void>();
  const auto waited = co_await wait_for(Attempt::want_read);
  co_return waited;
}

awaitable<Result<std::size_t>> Stream::read_some(std::span<std::uint8_t> into) {
  for (;;) {
    std::size_t count = 0;
    const auto attempt = try_read(into, count);
    if (attempt == Attempt::done) co_return count;
    if (attempt == Attempt::failed) co_return failure();
    const auto waited = co_await wait_for(attempt);
    if (!waited) co_return fail(waited.error());
  }
}

Result<std::optional<std::size_t>> Stream::read_now(std::span<std::uint8_t> into) {
  std::size_t count = 0;
  const auto attempt = try_read(into, count);
  if (attempt == Attempt::done) return count;
  if (attempt == Attempt::failed) return failure();
  return std::nullopt;
}

awaitable<Result<void>> Stream::write_all(ByteView data) {
  while (!data.empty()) {
    std::size_t count = 0;
    const auto attempt = try_write(data, count);
    if (attempt == Attempt::failed) co_return failure();
    if (attempt == Attempt::done) {
      data = data.subspan(count);
      continue;
    }
    const auto waited = co_await wait_for(attempt);
    if (!waited) co_return waited;
  }
  co_return Result<void>();
}

void Stream::send_goodbye() {
  if (ssl_ && established_ && !error_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());  // one alert of some 24 octets; if even that finds no room, the FIN must do
  }
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Stream::end_writing() {
  boost::system::error_code ignored;
  if (!closed_) socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Stream::reset() {
  boost::system::error_code ignored;
  if (!closed_) socket_.set_option(tcp::socket::linger(true, 0), ignored);
  close();
}

void Stream::finish() {
  if (closed_) return;
  send_goodbye();
  close();
}

awaitable<void> Stream::finish_lingering() {
  if (closed_) co_return;
  send_goodbye();
  set_deadline(Side::write, no_deadline);
  set_deadline(Side::read, linger_time);
  std::vector<std::uint8_t> waste(std::size_t{64} << 10);
  for (std::size_t total = 0; total < linger_octets && !closed_;) {
    const auto received = ::recv(socket_.native_handle(), waste.data(), waste.size(), MSG_DONTWAIT);
    if (received == 0) break;
    if (received > 0) {
      total += static_cast<std::size_t>(received);
      continue;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) break;
    const auto waited = co_await wait_for(Attempt::want_read);
    if (!waited) break;
  }
  close();
}

// --- addresses

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

std::string address_text(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}  // namespace cahn::net
