// Registrar and router over real TLS. Where one side must misbehave, a raw connection plays it.

#include <gtest/gtest.h>

#include "assurance/command_messages.h"
#include "assurance/command_server.h"
#include "assurance/router_agent.h"
#include "net/frame.h"
#include "tests/unit/assurance/parties.h"
#include "tests/unit/base/temporary_folder.h"

namespace cahn::assurance {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::deny;
using test::eventually;
using test::join_of;
using test::must;
using test::Owner;
using test::permit;
using test::Pki;
using test::stays;

class CommandProtocol : public testing::Test {
 protected:
  CommandProtocol() { runtime_.start(); }
  ~CommandProtocol() override {
    stop_router();
    stop_server();
  }

  CommandServerOptions server_options() {
    CommandServerOptions options;
    options.address = "127.0.0.1";
    options.port = port_;
    options.identity = registrar_.tls();
    options.ownership = ann_.vouch_for(registrar_.certificate.public_key());
    options.command_key = command_key_;
    options.commander = ann_.vouch_for(command_key_->public_key());
    options.owner_check = configured_owners({{ann_.person, {ann_.did}}});
    options.network = "home";
    options.epoch = "e1";
    options.repeat = milliseconds(100);
    return options;
  }
  void start_server(std::vector<Access> state = {}, std::uint64_t number = 0) {
    start_server_with(server_options(), std::move(state), number);
  }
  void start_server_with(CommandServerOptions options, std::vector<Access> state = {}, std::uint64_t number = 0) {
    server_ = must(CommandServer::start(runtime_.executor(), clock_, std::move(options), std::move(state), number));
    port_ = server_->port();
    acks_handle_ = server_->on_ack([this](const CommandServer::Acknowledgement& ack) {
      const std::scoped_lock lock(mutex_);
      acks_.push_back(ack.number);
    });
  }
  void stop_server() {
    if (!server_) return;
    net::run_blocking<void>(runtime_, [&] { return server_->stop(); });
    server_.reset();
  }

  RouterAgentOptions router_options() {
    RouterAgentOptions options;
    options.identity = router_.tls();
    options.ownership = ann_.vouch_for(router_.certificate.public_key());
    options.find_registrars = [this]() -> net::awaitable<std::vector<net::Endpoint>> {
      std::vector<net::Endpoint> found;
      found.push_back({"127.0.0.1", port_.load()});
      co_return found;
    };
    options.retry_first = milliseconds(20);
    options.retry_most = milliseconds(100);
    options.lease_watch = milliseconds(10);
    return options;
  }
  void start_router() { start_router_with(router_options()); }
  void start_router_with(RouterAgentOptions options) {
    if (!router_store_) router_store_ = must(store::Store::open(folder_ / "router.db"));
    agent_ =
        must(RouterAgent::open(runtime_.executor(), clock_, boot_clock_, *router_store_, bearer_, std::move(options)));
    agent_->run();
  }
  void stop_router() {
    if (!agent_) return;
    net::run_blocking<void>(runtime_, [&] { return agent_->stop(); });
    agent_.reset();
  }

  bool in_step() {
    if (!agent_->status().connected) return false;
    const auto routers = server_->routers();
    return routers.size() == 1 && routers[0].synced;
  }
  std::size_t ack_count() {
    const std::scoped_lock lock(mutex_);
    return acks_.size();
  }
  bool may_join(const Access& access) {
    const auto authoriser = agent_->authoriser();
    auto request = join_of(access);
    return net::run_blocking<bearer::JoinAnswer>(runtime_, [&] { return authoriser(request); }).permit;
  }

  net::Runtime runtime_{2};
  test::TemporaryFolder folder_;
  ManualClock clock_{Pki::now()};
  test::ManualBootClock boot_clock_;
  const Owner ann_;
  const test::Identity registrar_ = test::self_signed("registrar"), router_ = test::self_signed("router");
  const crypto::PrivateKeyPtr command_key_ = must(crypto::generate_key(crypto::KeyType::ed25519));
  std::atomic<std::uint16_t> port_ = 0;
  std::unique_ptr<CommandServer> server_;
  std::unique_ptr<store::Store> router_store_;
  test::FakeBearer bearer_;
  std::unique_ptr<RouterAgent> agent_;
  std::mutex mutex_;
  std::vector<std::uint64_t> acks_;
  std::shared_ptr<void> acks_handle_;
};

TEST_F(CommandProtocol, ARouterOfTheSameOwnerGetsTheWholeState) {
  start_server({permit(1, 4), deny(2, 5)}, 5);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  EXPECT_TRUE(may_join(permit(1, 4)));
  EXPECT_FALSE(may_join(permit(2, 4)));
  const auto status = agent_->status();
  EXPECT_EQ(status.number, 5U);
  EXPECT_EQ(status.permitted, 1U);
  EXPECT_EQ(status.denied, 1U);
  EXPECT_EQ(status.network, "home");
  EXPECT_EQ(status.registrar, test::did_of(registrar_));
  EXPECT_EQ(server_->routers()[0].router, test::did_of(router_));
}

TEST_F(CommandProtocol, ADeviceThatIsTrustedLaterMayJoinAndIsInvitedWhenItWasDenied) {
  start_server();
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  EXPECT_FALSE(may_join(permit(1, 1)));
  server_->publish({permit(1, 1)});
  ASSERT_TRUE(eventually([&] { return ack_count() == 1; }));
  EXPECT_TRUE(may_join(permit(1, 1)));
  server_->publish({deny(1, 2)});
  server_->publish({permit(1, 3)});
  ASSERT_TRUE(eventually([&] { return ack_count() == 3; }));
  EXPECT_TRUE(may_join(permit(1, 3)));
  EXPECT_GE(bearer_.invitations(permit(1, 1).device), 1);
}

TEST_F(CommandProtocol, ARevocationIsAcknowledgedOnlyWhenTheGateIsShut) {
  start_server({permit(1, 1)}, 1);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  bearer_.hold_cuts(true);
  server_->publish({deny(1, 2)});
  ASSERT_TRUE(eventually([&] { return bearer_.cuts(deny(1, 2).device) > 0; }));
  EXPECT_FALSE(may_join(permit(1, 1)));  // answers do not wait for the gate
  EXPECT_TRUE(stays([&] { return ack_count() == 0; }));
  EXPECT_EQ(server_->routers()[0].unacknowledged, 1U);
  bearer_.hold_cuts(false);
  ASSERT_TRUE(eventually([&] { return ack_count() == 1; }));
  EXPECT_TRUE(eventually([&] { return server_->routers()[0].unacknowledged == 0; }));
}

TEST_F(CommandProtocol, ARevocationThatFailsIsRepeatedUntilItTookEffect) {
  start_server({permit(1, 1)}, 1);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  bearer_.fail_cuts(3);
  server_->publish({deny(1, 2)});
  ASSERT_TRUE(eventually([&] { return ack_count() == 1; }));
  EXPECT_GE(bearer_.cuts(deny(1, 2).device), 4);
}

TEST_F(CommandProtocol, ManyChangesAtOnceAreAllCarriedOut) {
  std::vector<Access> state, changes;
  constexpr int count = 900;  // more than one batch holds
  for (int i = 1; i <= count; ++i) state.push_back(permit(i, std::uint64_t(i)));
  for (int i = 1; i <= count; ++i) changes.push_back(deny(i, std::uint64_t(count + i)));
  start_server(state, count);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  server_->publish(changes);
  ASSERT_TRUE(eventually([&] { return ack_count() == count; })) << ack_count();
  EXPECT_EQ(agent_->status().denied, std::size_t{count});
  EXPECT_GE(bearer_.all_cuts(), count);
}

TEST_F(CommandProtocol, ARouterThatWasAwayCatchesUp) {
  start_server({permit(1, 1), permit(2, 2), permit(3, 3)}, 3);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  stop_router();
  ASSERT_TRUE(eventually([&] { return server_->routers().empty(); }));
  server_->publish({deny(1, 4)});
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  EXPECT_FALSE(may_join(permit(1, 1)));
  EXPECT_TRUE(may_join(permit(2, 2)));
  EXPECT_EQ(agent_->status().number, 4U);
  EXPECT_EQ(bearer_.cuts(permit(1, 1).device), 1);
}

TEST_F(CommandProtocol, ARegistrarThatWasAwayIsHeardAgain) {
  start_server({permit(1, 1), permit(2, 2), deny(3, 3)}, 3);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  stop_server();
  EXPECT_TRUE(may_join(permit(1, 1)));   // alone, within the lease
  EXPECT_FALSE(may_join(permit(9, 9)));  // and nobody new
  start_server({permit(1, 1), deny(2, 4), permit(3, 5)}, 5);
  ASSERT_TRUE(eventually([&] { return in_step() && agent_->status().number == 5; })) << agent_->status().last_error;
  EXPECT_EQ(bearer_.cuts(permit(2, 2).device), 1);
  EXPECT_EQ(bearer_.cuts(permit(1, 1).device), 0);
  EXPECT_TRUE(eventually([&] { return bearer_.invitations(permit(3, 5).device) == 1; }));
}

TEST_F(CommandProtocol, ADeviceTheRegistrarNoLongerKnowsIsCut) {
  start_server({permit(1, 1), permit(2, 2)}, 2);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  stop_server();
  auto options = server_options();
  options.epoch = "e2";  // restored from nothing: numbers begin anew
  start_server_with(std::move(options), {permit(1, 1)}, 1);
  ASSERT_TRUE(eventually([&] { return in_step() && agent_->status().number == 1; })) << agent_->status().last_error;
  EXPECT_EQ(bearer_.cuts(permit(2, 2).device), 1);
  EXPECT_FALSE(may_join(permit(2, 2)));
  EXPECT_TRUE(may_join(permit(1, 1)));
}

TEST_F(CommandProtocol, ACutThatFailsWhileCatchingUpIsRepeatedAsACommand) {
  start_server({permit(1, 1)}, 1);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  stop_server();
  bearer_.fail_cuts(1);
  start_server({deny(1, 2)}, 2);
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  EXPECT_TRUE(eventually([&] { return bearer_.cuts(permit(1, 1).device) >= 2; }));
  EXPECT_TRUE(eventually([&] { return server_->routers()[0].unacknowledged == 0; }));
}

TEST_F(CommandProtocol, WithoutItsRegistrarARouterFailsClosedWhenTheLeaseEnds) {
  start_server({permit(1, 1), permit(2, 2)}, 2);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  stop_server();
  boot_clock_.advance(std::chrono::hours(1) - seconds(10));
  EXPECT_TRUE(may_join(permit(1, 1)));
  EXPECT_EQ(bearer_.all_cuts(), 0);
  boot_clock_.advance(seconds(10));
  EXPECT_FALSE(may_join(permit(1, 1)));
  ASSERT_TRUE(
      eventually([&] { return bearer_.cuts(permit(1, 1).device) == 1 && bearer_.cuts(permit(2, 2).device) == 1; }));
  const int invited = bearer_.invitations(permit(1, 1).device);
  start_server({permit(1, 1), permit(2, 2)}, 2);
  ASSERT_TRUE(eventually([&] { return bearer_.invitations(permit(1, 1).device) == invited + 1; }))
      << agent_->status().last_error;
  EXPECT_TRUE(may_join(permit(1, 1)));
}

TEST_F(CommandProtocol, AFailOpenRouterCutsNobodyWhenTheLeaseEnds) {
  start_server({permit(1, 1)}, 1);
  auto options = router_options();
  options.table.fail_closed = false;
  start_router_with(std::move(options));
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  stop_server();
  boot_clock_.advance(std::chrono::hours(5));
  EXPECT_TRUE(stays([&] { return bearer_.all_cuts() == 0; }));
  EXPECT_TRUE(may_join(permit(1, 1)));
}

TEST_F(CommandProtocol, TheLeaseIsRenewedWhileTheRegistrarIsThere) {
  auto options = server_options();
  options.lease = seconds(1);  // renewed four times a second
  start_server_with(std::move(options), {permit(1, 1)}, 1);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  for (int i = 0; i < 4; ++i) {
    boot_clock_.advance(milliseconds(900));
    ASSERT_TRUE(eventually([&] { return agent_->status().lease_left == seconds(1); }));
  }
  EXPECT_EQ(bearer_.all_cuts(), 0);
}

TEST_F(CommandProtocol, ARouterThatIsNoLongerOwnedIsPutOutAtTheNextLease) {
  std::atomic<bool> owned = true;
  auto options = server_options();
  options.lease = seconds(1);
  options.owner_check = [&owned](Ownership) -> net::awaitable<Result<void>> {
    if (owned) co_return Result<void>();
    co_return fail(AssuranceError::not_an_owner, "the trust was retracted");
  };
  start_server_with(std::move(options));
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  owned = false;
  ASSERT_TRUE(eventually([&] { return agent_->status().last_error == "the trust was retracted"; }));
  EXPECT_TRUE(eventually([&] { return server_->routers().empty(); }));
  stop_router();
  stop_server();
}

TEST_F(CommandProtocol, CommandsAndAcknowledgementsAreLogged) {
  const auto log = must(store::Store::open(folder_ / "registrar.db"));
  auto options = server_options();
  options.log = log.get();
  start_server_with(std::move(options), {permit(1, 1)}, 1);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  server_->publish({deny(1, 2)});
  ASSERT_TRUE(eventually([&] { return log->last_position() == 2; }));
  const auto events = must(log->read(1, 10));
  EXPECT_EQ(events[0].type, "command");
  EXPECT_NE(as_text(events[0].payload).find("DeviceRevokeCommand"), std::string_view::npos);
  EXPECT_EQ(events[1].type, "command_ack");
  EXPECT_NE(as_text(events[1].payload).find(test::did_of(router_)), std::string_view::npos);
  stop_router();
  stop_server();
}

TEST_F(CommandProtocol, ASecondConnectionOfARouterTakesThePlaceOfTheFirst) {
  start_server({permit(1, 1)}, 1);
  start_router();
  ASSERT_TRUE(eventually([&] { return in_step(); })) << agent_->status().last_error;
  const auto at = server_->routers()[0].connected_at;
  clock_.advance(seconds(5));
  net::run_blocking<void>(runtime_, [&]() -> net::awaitable<void> {
    const auto tls = must(crypto::TlsContext::client({router_.tls(), crypto::PeerCheck::provisional, {}}));
    net::Endpoint endpoint{"127.0.0.1", port_.load()};
    const auto connection = must(co_await net::FrameConnection::open(endpoint, tls));
    connection->send(write_message(Hello{ann_.vouch_for(router_.certificate.public_key())}));
    (void)must(co_await connection->receive());
    connection->close();
  });
  EXPECT_TRUE(eventually([&] { return in_step() && server_->routers()[0].connected_at > at; }));
}

// One raw connection that says what the test wants it to say first, and what it is told.
class ARefusal : public CommandProtocol {
 protected:
  Message answer_to(const test::Identity& identity, const Bytes& first) {
    return net::run_blocking<Message>(runtime_, [&]() -> net::awaitable<Message> {
      const auto tls = must(crypto::TlsContext::client({identity.tls(), crypto::PeerCheck::provisional, {}}));
      net::Endpoint endpoint{"127.0.0.1", port_.load()};
      const auto connection = must(co_await net::FrameConnection::open(endpoint, tls));
      connection->send(first);
      const auto frame = must(co_await connection->receive());
      connection->close();
      co_return must(read_message(frame));
    });
  }
  std::string refusal_of(const test::Identity& identity, const std::string& ownership) {
    const auto answer = answer_to(identity, write_message(Hello{ownership}));
    const auto* refused = std::get_if<Refused>(&answer);
    return refused != nullptr ? refused->reason : "welcome";
  }
};

TEST_F(ARefusal, IsWhatEveryoneElseGetsWithItsReason) {
  start_server();
  const auto& key = router_.certificate.public_key();
  EXPECT_EQ(refusal_of(router_, ann_.vouch_for(key)), "welcome");
  EXPECT_NE(refusal_of(router_, Owner("mailto:bob@example.org").vouch_for(key)).find("belongs to mailto:bob"),
            std::string::npos);
  EXPECT_NE(refusal_of(router_, Owner(ann_.person).vouch_for(key)).find("key that signed"), std::string::npos);
  EXPECT_NE(refusal_of(test::self_signed("thief"), ann_.vouch_for(key)).find("shown in TLS"), std::string::npos);
  EXPECT_NE(refusal_of(router_, ann_.vouch_for(key, Pki::now() - seconds(1))).find("expired"), std::string::npos);
  EXPECT_NE(refusal_of(router_, "{}"), "welcome");
  EXPECT_TRUE(std::holds_alternative<Refused>(answer_to(router_, write_message(Ping{}))));
  EXPECT_TRUE(std::holds_alternative<Refused>(answer_to(router_, to_bytes(std::string_view("no json")))));
  EXPECT_TRUE(eventually([&] { return server_->routers().empty(); }));
}

TEST_F(ARefusal, IsWhatTheRouterOfAPersonGetsWhoDoesNotOwnTheNetwork) {
  auto options = server_options();
  options.owner_check = configured_owners({});
  start_server_with(std::move(options));
  EXPECT_NE(refusal_of(router_, ann_.vouch_for(router_.certificate.public_key())).find("does not own"),
            std::string::npos);
}

TEST_F(ARefusal, IsWhatARouterOutsideTheDomainGetsWhereThatIsDemanded) {
  const Pki pki;
  auto options = server_options();
  options.domain = pki.domain_anchors();
  start_server_with(std::move(options));
  EXPECT_NE(refusal_of(router_, ann_.vouch_for(router_.certificate.public_key())).find("domain"), std::string::npos);
  const auto& member = pki.registrar();
  EXPECT_EQ(refusal_of(member, ann_.vouch_for(member.certificate.public_key())), "welcome");
}

TEST_F(ARefusal, OfOurOwnCredentialsIsNoticedAtTheStart) {
  const auto start = [&](CommandServerOptions options) {
    const auto server = CommandServer::start(runtime_.executor(), clock_, std::move(options), {}, 0);
    return server ? ErrorCode(AssuranceError::unavailable) : server.error().code;
  };
  auto options = server_options();
  options.ownership = ann_.vouch_for(router_.certificate.public_key());
  EXPECT_EQ(start(options), AssuranceError::wrong_key);
  options = server_options();
  options.commander = ann_.vouch_for(router_.certificate.public_key());
  EXPECT_EQ(start(options), AssuranceError::wrong_key);
  options = server_options();
  options.commander = Owner(ann_.person).vouch_for(command_key_->public_key());
  EXPECT_EQ(start(options), AssuranceError::wrong_owner);
}

TEST_F(ARefusal, EndsAConnectionThatSaysNothing) {
  auto options = server_options();
  options.handshake = milliseconds(200);
  start_server_with(std::move(options));
  const auto ended = net::run_blocking<bool>(runtime_, [&]() -> net::awaitable<bool> {
    const auto tls = must(crypto::TlsContext::client({router_.tls(), crypto::PeerCheck::provisional, {}}));
    net::Endpoint endpoint{"127.0.0.1", port_.load()};
    const auto connection = must(co_await net::FrameConnection::open(endpoint, tls));
    auto frame = co_await connection->receive();
    if (frame) frame = co_await connection->receive();  // after the reason
    co_return !frame.has_value();
  });
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace cahn::assurance
