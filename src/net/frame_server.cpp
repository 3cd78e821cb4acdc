#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/frame.h"
#include "net/frame_channel.h"
#include "net/listener.h"

namespace cahn::net {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds grace{2000};

awaitable<void> serve_frames(FrameServer::Accept accept, FrameLimits limits, std::shared_ptr<Accepted> accepted) {
  auto channel = std::make_shared<FrameChannel>(accepted->stream, accepted->session, limits);
  if (accepted->draining) co_return;
  accepted->on_drain = [weak = std::weak_ptr(channel)] {
    if (const auto alive = weak.lock()) alive->close();
  };
  auto task = accept(channel);
  auto token = asio::bind_cancellation_slot(accepted->cancel.slot(), asio::use_awaitable);
  co_await asio::co_spawn(accepted->stream->executor(), std::move(task), token);
  co_await channel->close_and_wait();
}

class ListeningFrameServer final : public FrameServer {
 public:
  explicit ListeningFrameServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  ~ListeningFrameServer() override { listener_->abort(); }
  ListeningFrameServer(const ListeningFrameServer&) = delete;
  ListeningFrameServer& operator=(const ListeningFrameServer&) = delete;

  std::uint16_t port() const override { return listener_->port(); }
  awaitable<void> stop() override {
    const auto listener = listener_;
    co_await listener->stop(grace);
  }

 private:
  std::shared_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<FrameServer>> FrameServer::start(Executor executor, ServerOptions options, FrameLimits limits,
                                                        Accept accept) {
  CAHN_TRY(auto listener, Listener::open(executor, std::move(options), limits.handshake,
                                         [accept = std::move(accept), limits](std::shared_ptr<Accepted> accepted) {
                                           return serve_frames(accept, limits, std::move(accepted));
                                         }));
  return std::make_unique<ListeningFrameServer>(std::move(listener));
}

}  // namespace cahn::net
