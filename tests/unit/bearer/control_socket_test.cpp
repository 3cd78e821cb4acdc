#include "bearer/dot1x/control_socket.h"

#include <gtest/gtest.h>

#include "tests/unit/bearer/fake_hostapd.h"

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;

class ConversationWithHostapd : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "port1";
};

TEST_F(ConversationWithHostapd, AsksAndIsAnswered) {
  test::FakeHostapd hostapd(path_);
  hostapd.reply("STATUS", "state=ENABLED\n");
  auto socket = ControlSocket::connect(path_, folder_.path());
  ASSERT_TRUE(socket.has_value()) << socket.error().message;
  EXPECT_EQ(socket->ask("STATUS").value(), "state=ENABLED\n");
  EXPECT_EQ(socket->ask("NEW_STA 02:00:00:00:00:aa").value(), "OK\n");
  EXPECT_TRUE(hostapd.was_told("NEW_STA 02:00:00:00:00:aa"));
}

TEST_F(ConversationWithHostapd, TakesNoEventForAnAnswer) {
  test::FakeHostapd hostapd(path_);
  auto socket = ControlSocket::connect(path_, folder_.path());
  ASSERT_EQ(socket->ask("ATTACH").value(), "OK\n");
  hostapd.tell("<3>AP-STA-CONNECTED 02:00:00:00:00:aa");
  EXPECT_EQ(socket->ask("NOTE").value(), "OK\n");
}

TEST_F(ConversationWithHostapd, FailsWhereNobodyIsAndAfterTheEnd) {
  EXPECT_EQ(ControlSocket::connect(path_, folder_.path()).error().code, BearerError::unavailable);
  auto hostapd = std::make_unique<test::FakeHostapd>(path_);
  auto socket = ControlSocket::connect(path_, folder_.path());
  ASSERT_TRUE(socket.has_value());
  hostapd.reset();
  EXPECT_EQ(socket->ask("PING", 200ms).error().code, BearerError::unavailable);
}

TEST_F(ConversationWithHostapd, FailsWithAPathThatIsTooLong) {
  EXPECT_FALSE(ControlSocket::connect(folder_.path() / std::string(108, 'x'), folder_.path()));
  EXPECT_FALSE(ControlSocket::connect(path_, folder_.path() / std::string(108, 'x')));
}

TEST_F(ConversationWithHostapd, LeavesNoSocketBehind) {
  test::FakeHostapd hostapd(path_);
  {
    const auto socket = ControlSocket::connect(path_, folder_.path());
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) files += entry.path() != path_;
  EXPECT_EQ(files, 0U);
}

TEST_F(ConversationWithHostapd, HearsNobodyElse) {
  test::FakeHostapd hostapd(path_);
  auto socket = ControlSocket::connect(path_, folder_.path());
  ASSERT_TRUE(socket.has_value());
  sockaddr_un ours{};
  socklen_t size = sizeof ours;
  ASSERT_EQ(::getsockname(socket->descriptor(), reinterpret_cast<sockaddr*>(&ours), &size), 0);
  const FileDescriptor stranger(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string_view forged = "<3>AP-STA-CONNECTED 02:00:00:00:00:aa";
  EXPECT_LT(::sendto(stranger.get(), forged.data(), forged.size(), 0, reinterpret_cast<const sockaddr*>(&ours), size),
            0);
  EXPECT_EQ(socket->receive(50ms).value(), std::nullopt);
}

}  // namespace
}  // namespace cahn::bearer::dot1x
