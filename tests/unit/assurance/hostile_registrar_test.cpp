// What a router does when whoever answers at the registrar's address is not its registrar, or sends what it may not.

#include <gtest/gtest.h>

#include "assurance/command_messages.h"
#include "assurance/command_signer.h"
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

class AHostileRegistrar : public testing::Test {
 protected:
  // What the registrar sends once the router is in step with `state_`, given the router's nonce.
  using Script = std::function<std::vector<Bytes>(const std::string& nonce)>;

  AHostileRegistrar() {
    runtime_.start();
    ownership_ = ann_.vouch_for(registrar_.certificate.public_key());
    commander_ = ann_.vouch_for(command_key_->public_key());
  }
  ~AHostileRegistrar() override {
    if (agent_) net::run_blocking<void>(runtime_, [&] { return agent_->stop(); });
    if (server_) net::run_blocking<void>(runtime_, [&] { return server_->stop(); });
  }

  void run(Script script) {
    script_ = std::move(script);
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.tls = must(crypto::TlsContext::server({registrar_.tls(), crypto::PeerCheck::provisional, true, {}}));
    server_ =
        must(net::FrameServer::start(runtime_.executor(), std::move(options), {},
                                     [this](std::shared_ptr<net::FrameConnection> c) { return serve(std::move(c)); }));
    RouterAgentOptions router;
    router.identity = router_.tls();
    router.ownership = ann_.vouch_for(router_.certificate.public_key());
    const auto port = server_->port();
    router.find_registrars = [port]() -> net::awaitable<std::vector<net::Endpoint>> {
      std::vector<net::Endpoint> found;
      found.push_back({"127.0.0.1", port});
      co_return found;
    };
    router.retry_first = router.retry_most = milliseconds(20);
    router.lease_watch = milliseconds(10);
    store_ = must(store::Store::open(folder_ / "router.db"));
    agent_ = must(RouterAgent::open(runtime_.executor(), clock_, boot_clock_, *store_, bearer_, std::move(router)));
    agent_->run();
  }

  net::awaitable<void> serve(std::shared_ptr<net::FrameConnection> connection) {
    if (!co_await connection->receive()) co_return;
    connection->send(write_message(Welcome{ownership_, commander_, "home", "e1"}));
    const auto frame = co_await connection->receive();
    if (!frame) co_return;
    const auto message = read_message(*frame);
    const auto* sync = message ? std::get_if<Sync>(&*message) : nullptr;
    if (sync == nullptr) {
      note(message ? *message : Message(Ping{}));
      co_return;
    }
    if (send_state_) {
      for (auto& part : must(signer_.state(*sync, state_, 10))) connection->send(std::move(part));
    }
    for (auto& frame_of_script : script_(sync->nonce)) connection->send(std::move(frame_of_script));
    for (;;) {
      const auto heard = co_await connection->receive();
      if (!heard) break;
      if (const auto read = read_message(*heard)) note(*read);
    }
    ++ended_;
  }
  void note(Message message) {
    const std::scoped_lock lock(mutex_);
    heard_.push_back(std::move(message));
  }
  template <typename M>
  std::vector<M> heard() {
    const std::scoped_lock lock(mutex_);
    std::vector<M> found;
    for (const auto& message : heard_) {
      if (const auto* one = std::get_if<M>(&message)) found.push_back(*one);
    }
    return found;
  }
  bool may_join(const Access& access) {
    const auto authoriser = agent_->authoriser();
    auto request = join_of(access);
    return net::run_blocking<bearer::JoinAnswer>(runtime_, [&] { return authoriser(request); }).permit;
  }
  // The router closed the connection because of `why`, and nothing of what was sent took effect.
  void expect_refused(const std::string& why) {
    ASSERT_TRUE(eventually([&] { return ended_ > 0; }));
    EXPECT_TRUE(eventually([&] { return agent_->status().last_error.find(why) != std::string::npos; }))
        << agent_->status().last_error;
    EXPECT_TRUE(may_join(permit(1, 1)));
    EXPECT_FALSE(may_join(permit(2, 2)));
    EXPECT_EQ(bearer_.all_cuts(), 0);
    EXPECT_TRUE(heard<Ack>().empty());
  }

  Bytes command(const Access& access, const crypto::PrivateKey& key, const std::string& registrar,
                const std::string& epoch = "e1") {
    return must(
        sign_command({command_id(epoch, access.number), registrar, epoch, seconds(60), access}, key, Pki::now()));
  }
  Bytes lease(const std::string& nonce, std::uint64_t number, const crypto::PrivateKey& key) {
    Lease lease;
    lease.registrar = registrar_did_;
    lease.epoch = "e1";
    lease.nonce = nonce;
    lease.number = number;
    lease.lease = std::chrono::hours(2);
    return must(sign_message(lease, key, Pki::now()));
  }

  net::Runtime runtime_{2};
  test::TemporaryFolder folder_;
  ManualClock clock_{Pki::now()};
  test::ManualBootClock boot_clock_;
  const Owner ann_;
  const test::Identity registrar_ = test::self_signed("registrar"), router_ = test::self_signed("router");
  const std::string registrar_did_ = test::did_of(registrar_);
  const crypto::PrivateKeyPtr command_key_ = must(crypto::generate_key(crypto::KeyType::ed25519));
  const crypto::PrivateKeyPtr other_key_ = must(crypto::generate_key(crypto::KeyType::ed25519));
  const CommandSigner signer_{clock_, command_key_, registrar_did_, "e1", std::chrono::hours(1)};
  std::vector<Access> state_{permit(1, 9), deny(2, 10)};
  std::string ownership_, commander_;
  bool send_state_ = true;
  Script script_;
  std::unique_ptr<net::FrameServer> server_;
  std::unique_ptr<store::Store> store_;
  test::FakeBearer bearer_;
  std::unique_ptr<RouterAgent> agent_;
  std::mutex mutex_;
  std::vector<Message> heard_;
  std::atomic<int> ended_ = 0;
};

TEST_F(AHostileRegistrar, IsToldApartFromAnHonestOneByTheseTests) {
  // The same machinery, nothing hostile: so the refusals below are for what they are about.
  run([&](const std::string& nonce) {
    return std::vector<Bytes>{command(deny(1, 11), *command_key_, registrar_did_), lease(nonce, 11, *command_key_)};
  });
  ASSERT_TRUE(eventually([&] { return heard<Ack>().size() == 1; })) << agent_->status().last_error;
  EXPECT_EQ(heard<Ack>()[0].items[0].id, command_id("e1", 11));
  EXPECT_TRUE(heard<Ack>()[0].items[0].done);
  EXPECT_EQ(bearer_.cuts(permit(1, 1).device), 1);
  EXPECT_TRUE(eventually([&] { return agent_->status().lease_left == std::chrono::hours(2); }));
}

TEST_F(AHostileRegistrar, ThatRepeatsACommandGetsItAcknowledgedAgain) {
  run([&](const std::string&) {
    const auto one = command(permit(2, 11), *command_key_, registrar_did_);
    return std::vector<Bytes>{one, one, one};
  });
  ASSERT_TRUE(eventually([&] {
    std::size_t items = 0;
    for (const auto& ack : heard<Ack>()) items += ack.items.size();
    return items == 3;
  }));
  EXPECT_TRUE(may_join(permit(2, 11)));
  EXPECT_EQ(bearer_.invitations(permit(2, 11).device), 1);
}

TEST_F(AHostileRegistrar, ThatReplaysAnOldCommandChangesNothing) {
  run([&](const std::string&) {
    return std::vector<Bytes>{command(permit(2, 5), *command_key_, registrar_did_)};  // denied by number 10 since
  });
  ASSERT_TRUE(eventually([&] { return !heard<Ack>().empty(); }));
  EXPECT_FALSE(may_join(permit(2, 5)));
}

TEST_F(AHostileRegistrar, ThatCommandsByAnotherKeyIsRefused) {
  run([&](const std::string&) { return std::vector<Bytes>{command(permit(2, 11), *other_key_, registrar_did_)}; });
  expect_refused("not signed by the key that may command here");
}

TEST_F(AHostileRegistrar, ThatCommandsInTheNameOfAnotherIsRefused) {
  run([&](const std::string&) {
    return std::vector<Bytes>{command(permit(2, 11), *command_key_, test::did_of(router_))};
  });
  expect_refused("in the name of another registrar");
}

TEST_F(AHostileRegistrar, ThatCommandsFromAnotherLifeIsRefused) {
  run([&](const std::string&) {
    return std::vector<Bytes>{command(permit(2, 11), *command_key_, registrar_did_, "e0")};
  });
  expect_refused("another life");
}

// Decision 35.
TEST_F(AHostileRegistrar, ThatSendsAFactAsACommandIsRefused) {
  run([&](const std::string&) {
    credential::NewCredential fact;
    fact.statement = {"Trust", {ann_.person, permit(2, 11).device}};
    fact.valid_from = Pki::now();
    return std::vector<Bytes>{write_message(Command{must(credential::issue(fact, *command_key_))})};
  });
  expect_refused("is no command");
}

TEST_F(AHostileRegistrar, ThatSendsABatchByAnotherKeyIsRefused) {
  run([&](const std::string&) {
    Batch batch;
    batch.registrar = registrar_did_;
    batch.epoch = "e1";
    batch.lease = seconds(60);
    batch.entries = {permit(2, 11), deny(1, 12)};
    return std::vector<Bytes>{must(sign_message(batch, *other_key_, Pki::now()))};
  });
  expect_refused("not signed by the key that may command here");
}

TEST_F(AHostileRegistrar, ThatReplaysTheLeaseOfAnotherConnectionIsRefused) {
  run([&](const std::string&) { return std::vector<Bytes>{lease(std::string(32, 'a'), 10, *command_key_)}; });
  expect_refused("another connection");
}

TEST_F(AHostileRegistrar, ThatLeasesAStateTheRouterHasNotIsAskedForItFirst) {
  run([&](const std::string& nonce) { return std::vector<Bytes>{lease(nonce, 99, *command_key_)}; });
  ASSERT_TRUE(eventually([&] { return !heard<Sync>().empty(); }));
  EXPECT_LE(agent_->status().lease_left, std::chrono::hours(1));
}

TEST_F(AHostileRegistrar, ThatCommandsBeforeTheStateIsRefused) {
  send_state_ = false;
  run([&](const std::string&) { return std::vector<Bytes>{command(permit(2, 11), *command_key_, registrar_did_)}; });
  ASSERT_TRUE(eventually([&] { return ended_ > 0; }));
  EXPECT_FALSE(may_join(permit(2, 11)));
}

TEST_F(AHostileRegistrar, ThatCallsAStateUnchangedWhichTheRouterNeverHadIsRefused) {
  send_state_ = false;
  run([&](const std::string& nonce) {
    Sync pretended{"e1", 10, state_digest(state_), nonce};
    return must(signer_.state(pretended, state_, 10));
  });
  ASSERT_TRUE(eventually([&] { return ended_ > 0; }));
  EXPECT_FALSE(may_join(permit(1, 9)));
  EXPECT_EQ(agent_->status().lease_left.count(), 0);
}

TEST_F(AHostileRegistrar, ThatLeavesAPartOutOfAStateIsRefused) {
  send_state_ = false;
  state_.clear();
  for (int i = 1; i <= int(max_entries) + 50; ++i) state_.push_back(permit(i, std::uint64_t(i)));
  run([&](const std::string& nonce) {
    Sync asked;
    asked.nonce = nonce;
    auto parts = must(signer_.state(asked, state_, 10));
    EXPECT_EQ(parts.size(), 2U);
    parts.erase(parts.begin());
    return parts;
  });
  ASSERT_TRUE(eventually([&] { return ended_ > 0; }));
  EXPECT_FALSE(may_join(state_.back()));
}

// The checks of L524 the other way round.
class SomebodyElse : public AHostileRegistrar {
 protected:
  void expect_not_obeyed(const std::string& why) {
    run([](const std::string&) { return std::vector<Bytes>(); });
    ASSERT_TRUE(eventually([&] { return agent_->status().last_error.find(why) != std::string::npos; }))
        << agent_->status().last_error;
    EXPECT_TRUE(eventually([&] { return !heard<Refused>().empty(); }));
    EXPECT_FALSE(may_join(permit(1, 1)));
  }
};

TEST_F(SomebodyElse, WhoIsAnotherPersonsRegistrarIsNotObeyed) {
  const Owner bob("mailto:bob@example.org");
  ownership_ = bob.vouch_for(registrar_.certificate.public_key());
  expect_not_obeyed("belongs to mailto:bob");
}

TEST_F(SomebodyElse, WhoShowsTheCredentialOfAnotherRegistrarIsNotObeyed) {
  ownership_ = ann_.vouch_for(test::self_signed("real registrar").certificate.public_key());
  expect_not_obeyed("shown in TLS");
}

TEST_F(SomebodyElse, WhoNamesACommandKeyTheOwnerDidNotVouchForIsNotObeyed) {
  commander_ = Owner(ann_.person).vouch_for(command_key_->public_key());
  expect_not_obeyed("did not vouch");
}

TEST_F(SomebodyElse, WhoseCommandKeyIsNoLongerVouchedForIsNotObeyed) {
  commander_ = ann_.vouch_for(command_key_->public_key(), Pki::now() - seconds(1));
  expect_not_obeyed("expired");
}

}  // namespace
}  // namespace cahn::assurance
