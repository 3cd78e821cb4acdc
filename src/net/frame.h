// Messages over a lasting TLS connection in both directions: a frame is a 4-octet big-endian length and that many
// octets. The command protocol between registrar and routers runs on this.
//
//   0        4                    4+n
//   | length n (uint32) | payload   |      n ≤ max_frame, else the connection is closed
//
// Threads: one reader and one writer at a time; `send` may be called from any thread and queues (bounded).

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
  // The next frame; peer_closed, timeout, too_large otherwise.
  virtual awaitable<Result<Bytes>> receive() = 0;
  // Queues a frame for sending and returns at once; false when closed or the queue is full (then it closes).
  virtual bool send(Bytes) = 0;
  virtual void close() = 0;
};

class FrameServer {
 public:
  using Accept = std::function<awaitable<void>(std::shared_ptr<FrameConnection>)>;
  // `accept` runs as a coroutine per connection, on the connection's strand; the connection closes when it returns.
  static Result<std::unique_ptr<FrameServer>> start(Executor, ServerOptions, FrameLimits, Accept accept);
  virtual ~FrameServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual awaitable<void> stop() = 0;
};

}  // namespace cahn::net
