// The join proxy between pledges and a real registrar. What a relay does with octets is tested in tests/unit/net.

#include "brski/proxy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <set>
#include <vector>

#include "requests.h"

namespace cahn::brski {
namespace {

using namespace std::chrono_literals;
using discovery::Candidate;
using test::Device;
using test::need;
using test::Road;

Candidate found(const net::Endpoint& endpoint, int strength = 0) {
  Candidate candidate;
  candidate.service.address = endpoint.host;
  candidate.service.port = endpoint.port;
  candidate.strength = strength;
  candidate.found_by = "test";
  return candidate;
}

// A port of 127.0.0.1 that is taken, so that nobody else gets it, and where nobody listens.
class Nobody {
 public:
  Nobody() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Nobody() { ::close(socket_); }
  Nobody(const Nobody&) = delete;
  Nobody& operator=(const Nobody&) = delete;
  net::Endpoint endpoint() const { return {"127.0.0.1", port_}; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

class JoinProxy : public testing::Test {
 protected:
  ~JoinProxy() override {
    if (proxy_) net::run_blocking<void>(road_.runtime(), [this] { return proxy_->stop(); });
  }
  void start(std::vector<net::Endpoint> registrars = {}, std::size_t per_address = 100) {
    ProxyOptions options;
    options.relay.address = "127.0.0.1";
    options.relay.max_connections_per_address = per_address;
    options.relay.connect = 5min;
    options.registrars = std::move(registrars);
    options.clock = &clock_;
    proxy_ = need(Proxy::start(road_.runtime().executor(), std::move(options)));
  }
  net::Endpoint endpoint() const { return {"127.0.0.1", proxy_->port()}; }
  Result<NetworkCredential> onboard(const std::string& serial) {
    const auto pledge = need(Pledge::open(road_.pledge_options(road_.born(serial))));
    return road_.onboard(*pledge, {endpoint()});
  }

  // As a pledge does: again, when a server's own time limit was too short for fifty handshakes on a busy machine.
  Result<NetworkCredential> onboard_in_the_end(Pledge& pledge) {
    auto got = road_.onboard(pledge, {endpoint()});
    for (int again = 0; again < 20 && !got && is_of_the_connection(got.error()); ++again)
      got = road_.onboard(pledge, {endpoint()});
    return got;
  }
  static bool is_of_the_connection(const Error& error) {
    using enum net::NetError;
    return error.code == timeout || error.code == tls || error.code == peer_closed;
  }

  // Stands still, so that what failed stays set aside however slow the test is.
  ManualClock clock_{Time(std::chrono::hours(24 * 365 * 56))};
  Road road_;
  std::unique_ptr<Proxy> proxy_;
};

TEST_F(JoinProxy, LetsAPledgeBootstrapThroughIt) {
  start({road_.registrar_endpoint()});
  const auto got = onboard("1");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->network, "lab network");
}

TEST_F(JoinProxy, LetsFiftyPledgesBootstrapAtOnce) {
  start({road_.registrar_endpoint()});
  constexpr int count = 50;
  std::vector<std::unique_ptr<Pledge>> pledges;
  for (int i = 0; i < count; ++i) {
    PledgeOptions options = road_.pledge_options(road_.born(std::to_string(i)));
    options.limits.connect = options.limits.response = 5min;
    pledges.push_back(need(Pledge::open(std::move(options))));
  }
  std::vector<std::future<Result<NetworkCredential>>> results;
  for (auto& pledge : pledges)
    results.push_back(std::async(std::launch::async, [this, p = pledge.get()] { return onboard_in_the_end(*p); }));
  std::set<std::string> serials;
  for (auto& result : results) {
    const auto got = result.get();
    ASSERT_TRUE(got) << got.error().message;
    serials.insert(got->ldevid.serial_hex());
  }
  EXPECT_EQ(serials.size(), std::size_t{count});
}

// RFC 8995 4: "passes streams of bytes onward without examination": the pledge sees the registrar itself.
TEST_F(JoinProxy, DoesNotEndTheTlsOfThePledge) {
  start({road_.registrar_endpoint()});
  const auto chain = road_.run<Result<std::vector<crypto::Certificate>>>(
      [this]() -> net::awaitable<Result<std::vector<crypto::Certificate>>> {
        const auto tls = need(crypto::TlsContext::client({.check = crypto::PeerCheck::provisional}));
        auto connection = co_await net::HttpConnection::open(endpoint(), &tls);
        if (!connection) co_return fail(connection.error());
        co_return (*connection)->peer_chain();
      });
  ASSERT_TRUE(chain) << chain.error().message;
  EXPECT_EQ(chain->front(), road_.registrar_identity().chain.front());
}

TEST_F(JoinProxy, GoesToTheNextRegistrarWhenOneIsDown) {
  const Nobody down;
  start({down.endpoint(), road_.registrar_endpoint()});
  for (const char* serial : {"1", "2"}) {
    const auto got = onboard(serial);
    EXPECT_TRUE(got) << got.error().message;
  }
  EXPECT_EQ(proxy_->registrars().front(), road_.registrar_endpoint().authority())
      << "the one that is down is the last resort now";
}

TEST_F(JoinProxy, UsesARegistrarAsSoonAsItIsFound) {
  start();
  EXPECT_TRUE(proxy_->registrars().empty());
  EXPECT_FALSE(onboard("1"));
  proxy_->offer({found(road_.registrar_endpoint())});
  const auto got = onboard("2");
  EXPECT_TRUE(got) << got.error().message;
}

TEST_F(JoinProxy, PrefersTheConfiguredRegistrarToAnyThatIsFound) {
  start({road_.registrar_endpoint()});
  const Nobody boaster;
  proxy_->offer({found(boaster.endpoint(), 2'000'000'000)});
  EXPECT_EQ(proxy_->registrars().front(), road_.registrar_endpoint().authority());
  EXPECT_EQ(proxy_->registrars().size(), 2u);
}

TEST_F(JoinProxy, TriesOnlyAFewRegistrarsForOneConnection) {
  const std::vector<Nobody> down(6);
  std::vector<net::Endpoint> all;
  for (const Nobody& one : down) all.push_back(one.endpoint());
  all.push_back(road_.registrar_endpoint());
  start(all);
  EXPECT_FALSE(onboard("1"));
  const auto got = onboard("2");
  EXPECT_TRUE(got) << "those that failed come last now: " << got.error().message;
}

TEST_F(JoinProxy, BoundsTheConnectionsOfOnePledge) {
  start({road_.registrar_endpoint()}, 1);
  const auto tls = need(crypto::TlsContext::client({.check = crypto::PeerCheck::provisional}));
  const auto open = [&] {
    return road_.run<Result<std::unique_ptr<net::HttpConnection>>>(
        [&] { return net::HttpConnection::open(endpoint(), &tls); });
  };
  const auto first = open();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(open());
}

TEST_F(JoinProxy, ChoosesAPortOfItsOwn) {
  start({road_.registrar_endpoint()});
  ProxyOptions options;
  options.relay.address = "127.0.0.1";
  const auto other = need(Proxy::start(road_.runtime().executor(), std::move(options)));
  EXPECT_NE(other->port(), proxy_->port());
  net::run_blocking<void>(road_.runtime(), [&] { return other->stop(); });
}

}  // namespace
}  // namespace cahn::brski
