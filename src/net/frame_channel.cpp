#include "net/frame_channel.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/log.h"
#include "net/connect.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Side = Stream::Side;

constexpr std::size_t header_size = 4;
constexpr std::size_t batch_size = std::size_t{64} << 10;
constexpr std::size_t first_reserve = std::size_t{64} << 10;
constexpr auto time_to_flush = 2s;

std::size_t read_length(ByteView header) {
  return (std::size_t{header[0]} << 24) | (std::size_t{header[1]} << 16) | (std::size_t{header[2]} << 8) | header[3];
}

void append_length(Bytes& out, std::size_t length) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(length >> shift));
}

}  // namespace

FrameChannel::FrameChannel(std::shared_ptr<Stream> stream, Session session, FrameLimits limits)
    : stream_(std::move(stream)),
      session_(std::move(session)),
      limits_(limits),
      ended_(std::make_shared<Gate>(stream_->executor())) {}

FrameChannel::~FrameChannel() {
  asio::post(stream_->executor(), [stream = stream_] { stream->finish(); });
}

std::shared_ptr<FrameChannel> FrameChannel::self() {
  return std::static_pointer_cast<FrameChannel>(shared_from_this());
}

// --- receiving

awaitable<Result<Bytes>> FrameChannel::receive() {
  auto work = receive_on_strand(self());
  const auto executor = co_await asio::this_coro::executor;
  if (executor == stream_->executor()) {
    auto frame = co_await std::move(work);
    co_return frame;
  }
  auto frame = co_await asio::co_spawn(stream_->executor(), std::move(work), asio::use_awaitable);
  co_return frame;
}

awaitable<Result<Bytes>> FrameChannel::receive_on_strand(std::shared_ptr<FrameChannel> self) {
  auto& stream = *self->stream_;
  auto& inbox = self->inbox_;
  stream.set_deadline(Side::read, self->limits_.idle);
  if (inbox.empty()) {
    inbox.release();
    const auto readable = co_await stream.wait_readable();
    if (!readable) {
      self->end();
      co_return fail(readable.error());
    }
  }
  Bytes payload;
  std::optional<std::size_t> length;
  for (;;) {
    if (!length && inbox.view().size() >= header_size) {
      length = read_length(inbox.view());
      inbox.consume(header_size);
      if (*length > self->limits_.max_frame) {
        self->end();
        co_return fail(NetError::too_large, "the peer announced a frame of " + std::to_string(*length) + " octets");
      }
      // Memory follows what has come, not what was announced.
      payload.reserve(std::min(*length, first_reserve));
    }
    if (length) {
      const auto part = inbox.view().first(std::min(inbox.view().size(), *length - payload.size()));
      payload.insert(payload.end(), part.begin(), part.end());
      inbox.consume(part.size());
      if (payload.size() == *length) co_return payload;
    }
    const auto got = co_await stream.read_some(inbox.room());
    if (!got || *got == 0) {
      self->end();
      if (!got) co_return fail(got.error());
      co_return fail(NetError::peer_closed, "the peer closed the connection");
    }
    inbox.add(*got);
  }
}

// --- sending

bool FrameChannel::send(Bytes payload) {
  if (payload.size() > limits_.max_frame) {
    log::error("NET_FRAME_TOO_LARGE", "a frame over the limit was not sent",
               {{"octets", std::to_string(payload.size())}});
    return false;
  }
  bool overflow = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return false;
    overflow = queue_.size() >= limits_.max_queued;
    if (overflow) {
      closing_ = true;
      queue_.clear();
    } else {
      queue_.push_back(std::move(payload));
      if (std::exchange(writing_, true)) return true;
    }
  }
  if (overflow) {
    log::warning("NET_FRAME_QUEUE_FULL", "a peer does not take what is sent to it and was cut off",
                 {{"peer", session_.peer_address}});
    asio::post(stream_->executor(), [self = self()] { self->end(); });
    return false;
  }
  asio::co_spawn(stream_->executor(), write_queue(self()), asio::detached);  // may run at once: not under the mutex
  return true;
}

// As many frames as fit one write: thousands of small ones cost few system calls and TLS records.
Bytes FrameChannel::next_batch() {
  const std::lock_guard lock(mutex_);
  Bytes batch;
  while (!queue_.empty() && (batch.empty() || batch.size() + header_size + queue_.front().size() <= batch_size)) {
    const auto& payload = queue_.front();
    append_length(batch, payload.size());
    batch.insert(batch.end(), payload.begin(), payload.end());
    queue_.pop_front();
  }
  if (batch.empty()) writing_ = false;
  return batch;
}

awaitable<void> FrameChannel::write_queue(std::shared_ptr<FrameChannel> self) {
  for (;;) {
    const auto batch = self->next_batch();
    if (batch.empty()) break;
    bool closing = false;
    {
      const std::lock_guard lock(self->mutex_);
      closing = self->closing_;
    }
    if (!closing) self->stream_->set_deadline(Side::write, self->limits_.idle);
    const auto written = co_await self->stream_->write_all(batch);
    if (!written) {
      self->end();
      co_return;
    }
  }
  bool closing = false;
  {
    const std::lock_guard lock(self->mutex_);
    closing = self->closing_ && !self->writing_;
  }
  if (closing) {
    self->end();
  } else {
    self->stream_->set_deadline(Side::write, no_deadline);
  }
}

// --- the end

void FrameChannel::close() {
  bool flushing = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    flushing = writing_;
  }
  asio::post(stream_->executor(), [self = self(), flushing] {
    if (flushing) {
      self->stream_->set_deadline(Side::write, time_to_flush);
    } else {
      self->end();
    }
  });
}

awaitable<void> FrameChannel::close_and_wait() {
  const auto keep = self();
  close();
  co_await ended_->wait(time_to_flush);
}

void FrameChannel::end() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  stream_->finish();
  ended_->open();
}

namespace {

awaitable<Result<std::shared_ptr<FrameConnection>>> open_channel(Endpoint endpoint, crypto::TlsContext tls,
                                                                 FrameLimits limits) {
  auto connecting = connect(endpoint, std::move(tls), limits.handshake);
  auto stream = co_await std::move(connecting);
  if (!stream) co_return fail(stream.error());
  auto chain = (*stream)->peer_chain();
  if (!chain) co_return fail(NetError::tls, "the server's certificate: " + chain.error().message);
  Session session;
  session.peer_address = endpoint.host;
  session.peer_port = endpoint.port;
  session.peer_chain = *std::move(chain);
  std::shared_ptr<FrameConnection> channel =
      std::make_shared<FrameChannel>(*std::move(stream), std::move(session), limits);
  co_return channel;
}

}  // namespace

awaitable<Result<std::shared_ptr<FrameConnection>>> FrameConnection::open(Endpoint endpoint,
                                                                          const crypto::TlsContext& tls,
                                                                          FrameLimits limits) {
  return open_channel(std::move(endpoint), tls, limits);  // copies the context before anything is awaited
}

}  // namespace cahn::net
