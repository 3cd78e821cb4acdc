#include "bearer/dot1x/hostapd_monitor.h"

#include <gtest/gtest.h>

#include "tests/unit/bearer/fake_hostapd.h"

namespace cahn::bearer::dot1x {
namespace {

class ListeningToHostapd : public testing::Test {
 protected:
  ListeningToHostapd() { std::filesystem::create_directory(sockets_); }

  void listen() {
    const auto note = [this](const std::string& what) {
      return [this, what](const Station& station) { add(what + " " + station.port + " " + station.address); };
    };
    monitor_ = HostapdMonitor::start(sockets_, folder_.path(), {"port1", "port2"},
                                     {.attached = [this](const std::string& port) { add("attached " + port); },
                                      .lost = [this](const std::string& port) { add("lost " + port); },
                                      .joined = note("joined"),
                                      .left = note("left")});
  }
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    heard_.push_back(std::move(line));
  }
  std::ptrdiff_t count(const std::string& line) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count(heard_, line);
  }
  bool hears(const std::string& line, std::ptrdiff_t times = 1) {
    return test::eventually([&] { return count(line) == times; });
  }

  test::TemporaryFolder folder_;
  std::filesystem::path sockets_ = folder_.path() / "hostapd";
  std::mutex mutex_;
  std::vector<std::string> heard_;
  std::unique_ptr<HostapdMonitor> monitor_;
};

TEST_F(ListeningToHostapd, HearsWhoJoinsAndLeavesOnWhichPort) {
  test::FakeHostapd one(sockets_ / "port1"), two(sockets_ / "port2");
  listen();
  ASSERT_TRUE(hears("attached port1"));
  ASSERT_TRUE(hears("attached port2"));
  one.tell("<3>AP-STA-CONNECTED 02:00:00:00:00:AA");
  two.tell("<3>AP-STA-DISCONNECTED 02:00:00:00:00:bb");
  EXPECT_TRUE(hears("joined port1 02:00:00:00:00:aa"));
  EXPECT_TRUE(hears("left port2 02:00:00:00:00:bb"));
}

TEST_F(ListeningToHostapd, TakesNothingElseForAJoin) {
  test::FakeHostapd one(sockets_ / "port1"), two(sockets_ / "port2");
  listen();
  ASSERT_TRUE(hears("attached port1"));
  for (const char* event :
       {"AP-STA-CONNECTED 02:00:00:00:00:aa", "<3>AP-STA-CONNECTED", "<3>AP-STA-CONNECTED 02:00:00:00:00",
        "<3>AP-STA-CONNECTED-X 02:00:00:00:00:aa", "<3>CTRL-EVENT-EAP-SUCCESS 02:00:00:00:00:aa",
        "<3>X AP-STA-CONNECTED 02:00:00:00:00:aa", "<", "", "<3>"})
    one.tell(event);
  one.tell("<3>AP-STA-DISCONNECTED 02:00:00:00:00:aa");
  ASSERT_TRUE(hears("left port1 02:00:00:00:00:aa"));
  EXPECT_EQ(count("joined port1 02:00:00:00:00:aa"), 0);
}

TEST_F(ListeningToHostapd, NoticesTheEndAndComesBack) {
  test::FakeHostapd two(sockets_ / "port2");
  auto one = std::make_unique<test::FakeHostapd>(sockets_ / "port1");
  listen();
  ASSERT_TRUE(hears("attached port1"));
  ASSERT_TRUE(hears("attached port2"));
  one.reset();
  EXPECT_TRUE(hears("lost port1"));
  test::FakeHostapd again(sockets_ / "port1");
  EXPECT_TRUE(hears("attached port1", 2));
  EXPECT_EQ(count("lost port2"), 0);
}

TEST_F(ListeningToHostapd, LetsGoOfAllWhenItIsTold) {
  test::FakeHostapd one(sockets_ / "port1"), two(sockets_ / "port2");
  listen();
  ASSERT_TRUE(hears("attached port1"));
  ASSERT_TRUE(hears("attached port2"));
  monitor_->drop_all();
  EXPECT_TRUE(hears("lost port1"));
  EXPECT_TRUE(hears("lost port2"));
  EXPECT_TRUE(hears("attached port1", 2));
}

}  // namespace
}  // namespace cahn::bearer::dot1x
