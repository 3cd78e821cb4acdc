// Messages over a lasting TLS connection in both directions: a frame is a 4-octet big-endian length and that many
// octets. The command protocol between registrar and routers runs on this.
//
//   0        4                    4+n
//   | length n (uint32) | payload   |      n ≤ max_frame, else the connection is closed
//
// Threads: one receive() at a time; `send` and `close` may be called from any thread; `send` queues (bounded).

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/http.h"

namespace cahn::net {

struct FrameLimits {
  std::size_t max_frame = std::size_t{1} << 20;
  std::size_t max_queued = 10'000;  // frames; one more closes the connection
  std::chrono::seconds handshake{10};
  std::chrono::seconds idle{90};  // without any frame from the peer: closed (peers send keep-alives)
};

class FrameConnection : public std::enable_shared_from_this<FrameConnection> {
 public:
  static awaitable<Result<std::shared_ptr<FrameConnection>>> open(Endpoint, const crypto::TlsContext&,
                                                                  FrameLimits = {});
  virtual ~FrameConnection() = default;
  virtual const Session& session() const = 0;
  // The next frame; peer_closed, timeout, too_large, stopped (closed on this side) otherwise, and then the connection
  // is over.
  virtual awaitable<Result<Bytes>> receive() = 0;
  // Queues a frame for sending and returns at once; false when closed, the frame is over max_frame, or the queue is
  // full (then it closes).
  virtual bool send(Bytes) = 0;
  // What is queued is still sent, for a short while; then the connection closes.
  virtual void close() = 0;
};

class FrameServer {
 public:
  using Accept = std::function<awaitable<void>(std::shared_ptr<FrameConnection>)>;
  // `accept` runs as a coroutine per connection, on the connection's strand; the connection closes when it returns.
  static Result<std::unique_ptr<FrameServer>> start(Executor, ServerOptions, FrameLimits, Accept accept);
  virtual ~FrameServer() = default;
  virtual std::uint16_t port() const = 0;
  // Stops accepting and closes every connection as close() does; waits, for a short while, for `accept` to return.
  virtual awaitable<void> stop() = 0;
};

}  // namespace cahn::net
