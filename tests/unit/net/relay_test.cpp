// A relay between real sockets. Clients and targets are plain blocking sockets, so that each octet, end and reset is
// seen.

#include "net/relay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <random>
#include <thread>

namespace cahn::net {
namespace {

using namespace std::chrono_literals;

// One blocking socket; every wait is bounded, so that a broken relay fails a test and does not hang it.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {
    const timeval patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  static std::unique_ptr<Peer> to(std::uint16_t port, const char* from = "127.0.0.1") {
    const int made = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, from, &address.sin_addr);
    EXPECT_EQ(::bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return std::make_unique<Peer>(made);
  }
  ~Peer() {
    if (socket_ >= 0) ::close(socket_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Exactly so many octets, or fewer at the end.
  std::string receive(std::size_t count) {
    std::string text;
    while (text.size() < count) {
      char piece[16384];
      const auto got = ::recv(socket_, piece, std::min(sizeof piece, count - text.size()), 0);
      last_error_ = got < 0 ? errno : 0;
      if (got <= 0) break;
      text.append(piece, static_cast<std::size_t>(got));
    }
    return text;
  }
  std::string receive_to_end() { return receive(std::size_t{1} << 30); }
  bool at_end() { return receive(1).empty() && last_error_ == 0; }
  bool was_reset() { return receive(1).empty() && last_error_ == ECONNRESET; }
  int socket() const { return socket_; }
  void end() { ::shutdown(socket_, SHUT_WR); }
  void reset() {
    const linger abrupt{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    ::close(std::exchange(socket_, -1));
  }
  // Sends `text` until the other side takes no more for a while; how much went.
  std::size_t send_what_goes(std::string_view text) {
    std::size_t sent = 0;
    while (sent < text.size()) {
      pollfd ready{socket_, POLLOUT, 0};
      if (::poll(&ready, 1, 1000) != 1) break;
      const auto count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
    return sent;
  }

 private:
  int socket_;
  int last_error_ = 0;
};

// A listening socket on 127.0.0.1.
class Target {
 public:
  enum class Listens { yes, no };  // no: the port is taken, and connecting is refused

  explicit Target(Listens listens = Listens::yes) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (listens == Listens::yes) EXPECT_EQ(::listen(socket_, 1024), 0);
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Target() { ::close(socket_); }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  std::unique_ptr<Peer> accept() {
    pollfd ready{socket_, POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 30'000), 1) << "nobody came";
    return std::make_unique<Peer>(::accept(socket_, nullptr, nullptr));
  }
  // Null when `client` was turned away instead.
  std::unique_ptr<Peer> accept_unless_ended(Peer& client) {
    pollfd ready[] = {{socket_, POLLIN, 0}, {client.socket(), POLLIN, 0}};
    EXPECT_GE(::poll(ready, 2, 30'000), 1);
    return (ready[0].revents & POLLIN) != 0 ? accept() : nullptr;
  }
  Endpoint endpoint() const { return {"127.0.0.1", port_}; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

class Fixed final : public RelayTargets {
 public:
  explicit Fixed(std::vector<Endpoint> where) : where_(std::move(where)) {}
  std::vector<Endpoint> targets() override { return where_; }
  void tried(const Endpoint& endpoint, bool connected, const std::string&) override {
    const std::lock_guard lock(mutex_);
    tried_.emplace_back(endpoint.port, connected);
  }
  std::vector<std::pair<std::uint16_t, bool>> tried() {
    const std::lock_guard lock(mutex_);
    return tried_;
  }

 private:
  const std::vector<Endpoint> where_;
  std::mutex mutex_;
  std::vector<std::pair<std::uint16_t, bool>> tried_;
};

class RelayTest : public testing::Test {
 protected:
  RelayTest() { runtime_.start(); }
  ~RelayTest() override { stop(); }
  std::uint16_t relay(std::vector<Endpoint> where, RelayOptions options = {}) {
    options.name = "test";
    options.address = "127.0.0.1";
    targets_ = std::make_shared<Fixed>(std::move(where));
    auto started = Relay::start(runtime_.executor(), std::move(options), targets_);
    EXPECT_TRUE(started) << started.error().message;
    relay_ = *std::move(started);
    return relay_->port();
  }
  void stop(std::chrono::milliseconds grace = 0ms) {
    if (relay_) run_blocking<void>(runtime_, [&] { return relay_->stop(grace); });
    relay_.reset();
  }

  Runtime runtime_{2};
  std::shared_ptr<Fixed> targets_;
  std::unique_ptr<Relay> relay_;
};

// Octets of every value that repeat only after a prime number of them.
std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string once(65521, 0), text;
  for (char& c : once) c = static_cast<char>(random());
  text.reserve(size + once.size());
  while (text.size() < size) text += once;
  text.resize(size);
  return text;
}

TEST_F(RelayTest, PassesEveryOctetBothWaysUnchanged) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  const std::string there = noise(3'000'001), back = noise(2'000'003);
  std::thread sending([&] {
    EXPECT_TRUE(client->send(there));
    client->end();
  });
  std::thread answering([&] {
    EXPECT_TRUE(server->send(back));
    server->end();
  });
  std::thread reading([&] { EXPECT_TRUE(server->receive_to_end() == there); });
  EXPECT_TRUE(client->receive_to_end() == back);
  sending.join();
  answering.join();
  reading.join();
}

TEST_F(RelayTest, LetsOneWayEndAndTheOtherGoOn) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  client->send("question");
  client->end();
  EXPECT_EQ(server->receive_to_end(), "question");
  server->send("a long ");
  EXPECT_EQ(client->receive(7), "a long ");
  server->send("answer");
  server->end();
  EXPECT_EQ(client->receive_to_end(), "answer");
}

TEST_F(RelayTest, LetsTheServerEndFirst) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  server->end();
  EXPECT_TRUE(client->at_end());
  client->send("still here");
  client->end();
  EXPECT_EQ(server->receive_to_end(), "still here");
}

TEST_F(RelayTest, PassesAResetOfTheClientOn) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  client->send("x");
  EXPECT_EQ(server->receive(1), "x");
  client->reset();
  EXPECT_TRUE(server->was_reset());
}

TEST_F(RelayTest, PassesAResetOfTheServerOn) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  server->send("x");
  EXPECT_EQ(client->receive(1), "x");
  server->reset();
  EXPECT_TRUE(client->was_reset());
}

// N-529: what the reader does not take stays with the writer, not with the relay.
TEST_F(RelayTest, HoldsLittleForAReaderThatDoesNotRead) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  const std::string much = noise(std::size_t{200} << 20);
  const std::size_t went = client->send_what_goes(much);
  EXPECT_LT(went, std::size_t{64} << 20) << "only the kernel's buffers and 16 KiB of ours";
  std::thread reading([&] { EXPECT_TRUE(server->receive_to_end() == std::string_view(much).substr(0, went)); });
  client->end();
  reading.join();
}

TEST_F(RelayTest, GoesToTheNextTargetWhenOneDoesNotAnswer) {
  const Target gone(Target::Listens::no);
  Target target;
  const Endpoint nobody = gone.endpoint();
  const auto port = relay({nobody, target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  client->send("x");
  EXPECT_EQ(server->receive(1), "x");
  const std::vector<std::pair<std::uint16_t, bool>> expected = {{nobody.port, false}, {target.endpoint().port, true}};
  EXPECT_EQ(targets_->tried(), expected);
}

TEST_F(RelayTest, ResetsAConnectionThatNobodyTakes) {
  const Target gone(Target::Listens::no);
  EXPECT_TRUE(Peer::to(relay({gone.endpoint()}))->was_reset());
}

TEST_F(RelayTest, ResetsAConnectionWhenThereIsNoTargetAtAll) { EXPECT_TRUE(Peer::to(relay({}))->was_reset()); }

TEST_F(RelayTest, BoundsTheConnectionsOfOneAddress) {
  Target target;
  RelayOptions options;
  options.max_connections_per_address = 2;
  const auto port = relay({target.endpoint()}, options);
  const auto first = Peer::to(port), second = Peer::to(port);
  const auto served = target.accept(), served_too = target.accept();
  EXPECT_TRUE(Peer::to(port)->at_end()) << "the third of one address";
  const auto other = Peer::to(port, "127.0.0.2");
  const auto served_other = target.accept();
  other->send("x");
  EXPECT_EQ(served_other->receive(1), "x");
}

TEST_F(RelayTest, BoundsTheConnectionsOfAll) {
  Target target;
  RelayOptions options;
  options.max_connections = 2;
  const auto port = relay({target.endpoint()}, options);
  const auto first = Peer::to(port), second = Peer::to(port, "127.0.0.2");
  const auto served = target.accept(), served_too = target.accept();
  EXPECT_TRUE(Peer::to(port, "127.0.0.3")->at_end());
}

TEST_F(RelayTest, MakesRoomWhenAConnectionEnds) {
  Target target;
  RelayOptions options;
  options.max_connections = 1;
  const auto port = relay({target.endpoint()}, options);
  for (int i = 0; i < 20; ++i) {
    // The relay learns of an end a moment after we do: until then the next one is turned away.
    std::unique_ptr<Peer> client, server;
    while (!server) {
      client = Peer::to(port);
      client->send("x");
      client->end();
      server = target.accept_unless_ended(*client);
    }
    EXPECT_EQ(server->receive_to_end(), "x");
    server->end();
    EXPECT_TRUE(client->at_end());
  }
}

TEST_F(RelayTest, ResetsBothSidesOfAnIdleConnection) {
  Target target;
  RelayOptions options;
  options.idle = 50ms;
  const auto port = relay({target.endpoint()}, options);
  const auto client = Peer::to(port);
  const auto server = target.accept();
  EXPECT_TRUE(client->was_reset());
  EXPECT_TRUE(server->was_reset());
}

TEST_F(RelayTest, CarriesHundredsOfConnectionsAtOnce) {
  Target target;
  RelayOptions options;
  options.max_connections_per_address = 1000;
  const auto port = relay({target.endpoint()}, options);
  std::vector<std::unique_ptr<Peer>> clients, servers;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(Peer::to(port));
    servers.push_back(target.accept());
  }
  for (std::size_t i = 0; i < clients.size(); ++i) EXPECT_TRUE(clients[i]->send(std::to_string(i) + "\n"));
  std::set<std::string> seen;
  for (auto& server : servers) {
    std::string line;
    while (!line.ends_with('\n')) {
      const std::string octet = server->receive(1);
      ASSERT_FALSE(octet.empty());
      line += octet;
    }
    seen.insert(line);
  }
  EXPECT_EQ(seen.size(), clients.size());
}

TEST_F(RelayTest, StopsByResettingWhatIsLeftAfterTheGrace) {
  Target target;
  const auto port = relay({target.endpoint()});
  const auto client = Peer::to(port);
  const auto server = target.accept();
  // Blocked on both ways: neither side reads.
  client->send_what_goes(noise(std::size_t{20} << 20));
  stop(10ms);
  server->receive_to_end();
  EXPECT_EQ(client->receive(1), "");
}

TEST_F(RelayTest, StopsAtOnceWhenNothingIsUnderWay) {
  Target target;
  relay({target.endpoint()});
  stop(1h);
}

TEST_F(RelayTest, SaysWhenItCannotListen) {
  Target taken;
  RelayOptions options;
  options.name = "test";
  options.address = "127.0.0.1";
  options.port = taken.endpoint().port;
  const auto targets = std::make_shared<Fixed>(std::vector<Endpoint>{});
  EXPECT_EQ(Relay::start(runtime_.executor(), options, targets).error().code, NetError::address_in_use);
  options.address = "not an address";
  EXPECT_EQ(Relay::start(runtime_.executor(), options, targets).error().code, NetError::unreachable);
}

}  // namespace
}  // namespace cahn::net
