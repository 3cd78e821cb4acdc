// Frames over a lasting connection, in both directions.

#include "net/frame.h"

#include <atomic>
#include <future>

#include "tests/unit/net/net_fixture.h"

namespace cahn::net {
namespace {

using crypto::PeerCheck;

class FrameTest : public NetTest {
 protected:
  ~FrameTest() override { stop_frames(); }
  void serve_frames(FrameServer::Accept accept, FrameLimits limits = {}) {
    ServerOptions options;
    options.name = "frames";
    options.tls = pki_.server_context(PeerCheck::anchors, true);
    auto server = FrameServer::start(runtime_.executor(), std::move(options), limits, std::move(accept));
    ASSERT_TRUE(server.has_value()) << server.error().message;
    frames_ = *std::move(server);
  }
  void stop_frames() {
    if (!frames_) return;
    run([this]() -> awaitable<void> { co_await frames_->stop(); });
    frames_.reset();
  }
  std::shared_ptr<FrameConnection> open(FrameLimits limits = {}) {
    auto opened = run([&]() -> awaitable<Result<std::shared_ptr<FrameConnection>>> {
      Endpoint endpoint{"localhost", frames_->port()};
      auto connection = co_await FrameConnection::open(endpoint, client_context_, limits);
      co_return connection;
    });
    return opened ? *opened : nullptr;
  }
  Result<Bytes> receive(const std::shared_ptr<FrameConnection>& connection) {
    return run([&]() -> awaitable<Result<Bytes>> {
      auto frame = co_await connection->receive();
      co_return frame;
    });
  }
  // TLS 1.3: a client learns that its certificate was refused only when it reads.
  bool is_turned_away() {
    const auto connection = open();
    return connection == nullptr || !receive(connection).has_value();
  }
  static awaitable<void> echo(std::shared_ptr<FrameConnection> connection) {
    for (;;) {
      auto frame = co_await connection->receive();
      if (!frame) co_return;
      connection->send(*std::move(frame));
    }
  }

  crypto::TlsContext client_context_ = pki_.client_context(PeerCheck::anchors, &pki_.client());
  std::unique_ptr<FrameServer> frames_;
};

TEST_F(FrameTest, CarriesFramesBothWaysInOrder) {
  serve_frames(&FrameTest::echo);
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(connection->send(to_bytes("frame " + std::to_string(i))));
  for (int i = 0; i < 2000; ++i) {
    const auto frame = receive(connection);
    ASSERT_TRUE(frame.has_value()) << frame.error().message;
    ASSERT_EQ(to_string(*frame), "frame " + std::to_string(i));
  }
}

TEST_F(FrameTest, CarriesEmptyFramesAndTheLargestOnes) {
  serve_frames(&FrameTest::echo);
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  const Bytes largest(FrameLimits().max_frame, 0x5a);
  ASSERT_TRUE(connection->send({}));
  ASSERT_TRUE(connection->send(largest));
  EXPECT_EQ(receive(connection).value(), Bytes());
  EXPECT_EQ(receive(connection).value(), largest);
  EXPECT_FALSE(connection->send(Bytes(largest.size() + 1))) << "never sent, as the peer would close";
  ASSERT_TRUE(connection->send(to_bytes("still open")));
  EXPECT_EQ(receive(connection).value(), to_bytes("still open"));
}

TEST_F(FrameTest, ShowsBothSidesTheirPeer) {
  std::promise<crypto::Certificate> seen;
  serve_frames([&](std::shared_ptr<FrameConnection> connection) -> awaitable<void> {
    seen.set_value(*connection->session().peer());
    co_await connection->receive();
  });
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(seen.get_future().get(), pki_.client().leaf());
  EXPECT_EQ(connection->session().peer(), pki_.server().leaf());
}

TEST_F(FrameTest, LetsNobodyInWithoutACertificateOfItsAuthority) {
  std::atomic<int> accepted = 0;
  serve_frames([&](std::shared_ptr<FrameConnection> connection) -> awaitable<void> {
    ++accepted;
    co_await connection->receive();
  });
  const TestPki strangers;
  client_context_ = strangers.client_context(PeerCheck::provisional, &strangers.client());
  EXPECT_TRUE(is_turned_away());
  client_context_ = anchored_;
  EXPECT_TRUE(is_turned_away());
  EXPECT_EQ(accepted, 0);
}

TEST_F(FrameTest, ClosesOnAFrameThatIsAnnouncedTooLarge) {
  std::promise<ErrorCode> outcome;
  FrameLimits limits;
  limits.max_frame = 1000;
  serve_frames(
      [&](std::shared_ptr<FrameConnection> connection) -> awaitable<void> {
        const auto frame = co_await connection->receive();
        outcome.set_value(frame ? ErrorCode(NetError::stopped) : frame.error().code);
      },
      limits);
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  ASSERT_TRUE(connection->send(Bytes(1001)));
  EXPECT_EQ(outcome.get_future().get(), NetError::too_large);
  EXPECT_EQ(receive(connection).error().code, NetError::peer_closed);
}

TEST_F(FrameTest, ClosesAConnectionWhoseQueueOverflows) {
  // The peer never reads: what is sent piles up to the bound and no further.
  serve_frames([](std::shared_ptr<FrameConnection>) -> awaitable<void> { co_await sleep_for(std::chrono::hours(1)); });
  FrameLimits limits;
  limits.max_queued = 20;
  const auto connection = open(limits);
  ASSERT_NE(connection, nullptr);
  bool refused = false;
  for (int i = 0; i < 100'000 && !refused; ++i) refused = !connection->send(Bytes(1 << 20));
  EXPECT_TRUE(refused);
  EXPECT_FALSE(connection->send(to_bytes("x"))) << "closed for good";
  EXPECT_EQ(receive(connection).error().code, NetError::stopped);
}

TEST_F(FrameTest, ClosesAPeerThatSaysNothing) {
  std::promise<ErrorCode> outcome;
  FrameLimits limits;
  limits.idle = std::chrono::seconds(1);
  serve_frames(
      [&](std::shared_ptr<FrameConnection> connection) -> awaitable<void> {
        for (;;) {
          const auto frame = co_await connection->receive();
          if (frame) continue;
          outcome.set_value(frame.error().code);
          co_return;
        }
      },
      limits);
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  ASSERT_TRUE(connection->send(to_bytes("one word")));
  EXPECT_EQ(outcome.get_future().get(), NetError::timeout);
  EXPECT_EQ(receive(connection).error().code, NetError::peer_closed);
}

TEST_F(FrameTest, SendsWhatIsQueuedBeforeItCloses) {
  serve_frames([](std::shared_ptr<FrameConnection> connection) -> awaitable<void> {
    for (int i = 0; i < 500; ++i) connection->send(Bytes(1000, static_cast<std::uint8_t>(i)));
    co_return;  // and the connection closes
  });
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  for (int i = 0; i < 500; ++i) {
    const auto frame = receive(connection);
    ASSERT_TRUE(frame.has_value()) << i << ": " << frame.error().message;
    ASSERT_EQ(*frame, Bytes(1000, static_cast<std::uint8_t>(i)));
  }
  EXPECT_EQ(receive(connection).error().code, NetError::peer_closed);
}

TEST_F(FrameTest, WakesAReceiverWhenItCloses) {
  serve_frames(&FrameTest::echo);
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  auto waiting = std::async(std::launch::async, [&] { return receive(connection); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  connection->close();
  EXPECT_EQ(waiting.get().error().code, NetError::stopped);
  EXPECT_FALSE(connection->send(to_bytes("x")));
}

TEST_F(FrameTest, MayBeSentToFromManyThreads) {
  serve_frames(&FrameTest::echo);
  const auto connection = open();
  ASSERT_NE(connection, nullptr);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) connection->send(Bytes(100));
    });
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(receive(connection).has_value());
}

TEST_F(FrameTest, EndsItsConnectionsWhenTheServerStops) {
  std::atomic<int> came = 0, left = 0;
  serve_frames([&](std::shared_ptr<FrameConnection> connection) -> awaitable<void> {
    ++came;
    const auto frame = co_await connection->receive();
    EXPECT_FALSE(frame.has_value());
    ++left;
  });
  std::vector<std::shared_ptr<FrameConnection>> connections;
  for (int i = 0; i < 5; ++i) {
    connections.push_back(open());
    ASSERT_NE(connections.back(), nullptr);
  }
  while (came < 5) std::this_thread::yield();
  stop_frames();
  EXPECT_EQ(left, 5) << "all were let go in order";
  for (const auto& connection : connections) EXPECT_EQ(receive(connection).error().code, NetError::peer_closed);
}

}  // namespace
}  // namespace cahn::net
