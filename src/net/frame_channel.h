// Frames over one Stream, for both sides. Inside `net` only.

#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "net/frame.h"
#include "net/gate.h"
#include "net/inbox.h"
#include "net/stream.h"

namespace cahn::net {

class FrameChannel final : public FrameConnection {
 public:
  FrameChannel(std::shared_ptr<Stream>, Session, FrameLimits);
  ~FrameChannel() override;
  FrameChannel(const FrameChannel&) = delete;
  FrameChannel& operator=(const FrameChannel&) = delete;

  const Session& session() const override { return session_; }
  awaitable<Result<Bytes>> receive() override;
  bool send(Bytes) override;
  void close() override;
  // close(), and until what was queued is sent or the time for that is over.
  awaitable<void> close_and_wait();

 private:
  std::shared_ptr<FrameChannel> self();
  static awaitable<Result<Bytes>> receive_on_strand(std::shared_ptr<FrameChannel>);
  static awaitable<void> write_queue(std::shared_ptr<FrameChannel>);
  Bytes next_batch();
  void end();

  const std::shared_ptr<Stream> stream_;
  const Session session_;
  const FrameLimits limits_;
  const std::shared_ptr<Gate> ended_;
  Inbox inbox_;  // on the strand

  std::mutex mutex_;  // guards what follows
  std::deque<Bytes> queue_;
  bool writing_ = false;
  bool closing_ = false;
};

}  // namespace cahn::net
