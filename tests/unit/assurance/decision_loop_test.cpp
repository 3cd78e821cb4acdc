#include "assurance/decision_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "crypto/csr.h"
#include "pki/domain_ca.h"
#include "tests/unit/assurance/fake_claim_node.h"
#include "tests/unit/assurance/parties.h"
#include "tests/unit/base/temporary_folder.h"

namespace cahn::assurance {
namespace {

using std::chrono::milliseconds;
using test::eventually;
using test::must;
using test::Pki;
using test::stays;

class FakeSink final : public AccessSink {
 public:
  void publish(std::vector<Access> changes) override {
    const std::scoped_lock lock(mutex_);
    for (auto& access : changes) published_.push_back(std::move(access));
  }
  std::vector<Access> published() const {
    const std::scoped_lock lock(mutex_);
    return published_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Access> published_;
};

// A store whose disk is full when the test says so.
class FailingStore final : public store::Store {
 public:
  explicit FailingStore(std::unique_ptr<store::Store> real) : real_(std::move(real)) {}
  void commit(store::Batch batch, std::function<void(Result<store::Committed>)> done) override {
    if (!full) return real_->commit(std::move(batch), std::move(done));
    std::thread([done = std::move(done)] { done(fail(store::StoreError::unavailable, "the disk is full")); }).detach();
  }
  Result<std::vector<store::Event>> read(store::Position from, std::size_t limit) const override {
    return real_->read(from, limit);
  }
  store::Position last_position() const override { return real_->last_position(); }
  std::shared_ptr<void> follow(std::function<void()> wake) override { return real_->follow(std::move(wake)); }
  Result<std::optional<Bytes>> get(std::string_view table, std::string_view key) const override {
    return real_->get(table, key);
  }
  Result<std::vector<std::pair<std::string, Bytes>>> scan(std::string_view table, std::string_view prefix,
                                                          std::size_t limit, std::string_view after) const override {
    return real_->scan(table, prefix, limit, after);
  }
  std::atomic<bool> full = false;

 private:
  const std::unique_ptr<store::Store> real_;
};

// The claim node is a fake; store, registry and CA are the real ones.
class DecisionLoopTest : public testing::Test {
 protected:
  DecisionLoopTest() {
    runtime_.start();
    store_ = must(store::Store::open(folder_ / "registrar.db"));
    registry_ = must(pki::DeviceRegistry::open(*store_));
    ca_store_ = must(store::Store::open(folder_ / "ca.db"));
    pki::DomainCaOptions ca;
    ca.owner_name = "owner's CA";
    ca.key_uri = "file:" + (folder_ / "ca.pem").string();
    ca_ = must(pki::DomainCa::open(*ca_store_, clock_, ca));
  }
  ~DecisionLoopTest() override { stop(); }

  void start(milliseconds sweep = std::chrono::hours(1)) {
    loop_ = must(DecisionLoop::open(runtime_.executor(), node_, *registry_, *ca_, *store_, clock_,
                                    {.network = "home", .segment = "trusted", .sweep = sweep}));
    loop_->run(sink_);
  }
  void stop() {
    if (loop_) net::run_blocking<void>(runtime_, [&] { return loop_->stop(); });
    loop_.reset();
  }

  // Voucher and LDevID for a device; returns the LDevID's serial.
  std::string enrol(const test::Identity& device) {
    const std::string did = test::did_of(device);
    const auto key = must(crypto::generate_key(crypto::KeyType::p256));
    const crypto::Name subject{{"serialNumber", *device.certificate.subject_serial_number()}};
    pki::IssueRequest request{must(crypto::Csr::from_der(must(crypto::make_csr({.subject = subject}, *key)))),
                              pki::Profile::ldevid,
                              subject,
                              {},
                              {},
                              {}};
    const auto issued =
        must(net::run_blocking<Result<pki::IssuedCertificate>>(runtime_, [&] { return ca_->issue(request); }));
    must_do([&] {
      return registry_->record_voucher(did, test::did_of(pki_.manufacturer()), device.certificate, clock_.now());
    });
    must_do([&] { return registry_->record_ldevid(did, issued.certificate); });
    return issued.certificate.serial_hex();
  }
  void must_do(std::function<net::awaitable<Result<void>>()> task) {
    const auto done = net::run_blocking<Result<void>>(runtime_, std::move(task));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::size_t count() { return sink_.published().size(); }
  std::optional<Answer> answer() {
    const auto decision = loop_->current(did_);
    return decision ? std::optional(decision->answer) : std::nullopt;
  }

  net::Runtime runtime_{2};
  test::TemporaryFolder folder_;
  ManualClock clock_{Pki::now()};
  const Pki pki_;
  const test::Identity device_ = pki_.device("SN-1");
  const std::string did_ = test::did_of(device_);
  test::FakeClaimNode node_;
  std::unique_ptr<store::Store> store_, ca_store_;
  std::unique_ptr<pki::DeviceRegistry> registry_;
  std::unique_ptr<pki::DomainCa> ca_;
  FakeSink sink_;
  std::unique_ptr<DecisionLoop> loop_;
  const cascade::Verdict yes_{true, "an owner trusts it", {"c1"}}, no_{false, "its SBOM is vulnerable", {"c2"}};
};

TEST_F(DecisionLoopTest, AChangedVerdictBecomesALoggedDecision) {
  start();
  node_.set(did_, yes_);
  ASSERT_TRUE(eventually([&] { return answer() == Answer::permit; }));
  node_.set(did_, no_);
  ASSERT_TRUE(eventually([&] { return answer() == Answer::deny; }));
  const auto history = must(loop_->history(0, 100)).decisions;
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0].number, 1U);
  EXPECT_EQ(history[0].reason, yes_.reason);
  EXPECT_EQ(history[0].claims, yes_.claims);
  EXPECT_EQ(history[0].segment, "trusted");
  EXPECT_EQ(history[1].number, 2U);
  EXPECT_EQ(history[1].answer, Answer::deny);
  EXPECT_EQ(history[1].network, "home");
  EXPECT_EQ(history[1].taken_at, clock_.now());
}

TEST_F(DecisionLoopTest, RoutersHearOfADeviceOnlyOnceItHasAnLDevID) {
  start();
  node_.set(did_, yes_);
  ASSERT_TRUE(eventually([&] { return answer() == Answer::permit; }));
  EXPECT_EQ(count(), 0U);
  const auto serial = enrol(device_);
  ASSERT_TRUE(eventually([&] { return count() == 1; }));
  const auto access = sink_.published()[0];
  EXPECT_EQ(access.answer, Answer::permit);
  EXPECT_EQ(access.device, did_);
  EXPECT_EQ(access.serial_number, "SN-1");
  EXPECT_EQ(access.number, 2U);
  ASSERT_EQ(access.ldevids.size(), 1U);
  EXPECT_EQ(access.ldevids[0].serial_hex, serial);
  EXPECT_EQ(access.ldevids[0].issuer, ca_->certificate().subject_text());
}

TEST_F(DecisionLoopTest, ADenialPutsEveryLDevIDOnHoldAndAPermitReleasesThem) {
  start();
  node_.set(did_, yes_);
  const auto first = enrol(device_), second = enrol(device_);
  ASSERT_TRUE(eventually([&] { return !sink_.published().empty() && sink_.published().back().ldevids.size() == 2; }));
  node_.set(did_, no_);
  ASSERT_TRUE(eventually([&] {
    return ca_->revocation(first) == crypto::RevocationReason::certificate_hold &&
           ca_->revocation(second) == crypto::RevocationReason::certificate_hold;
  }));
  EXPECT_EQ(sink_.published().back().answer, Answer::deny);
  node_.set(did_, yes_);
  ASSERT_TRUE(eventually([&] { return !ca_->revocation(first) && !ca_->revocation(second); }));
  EXPECT_EQ(sink_.published().back().answer, Answer::permit);
}

// Decision 51: a hold is reversible, a compromise is not.
TEST_F(DecisionLoopTest, WhatIsRevokedForGoodIsNeverHandedToRouters) {
  start();
  node_.set(did_, yes_);
  const auto lost = enrol(device_);
  ASSERT_TRUE(eventually([&] { return count() == 1; }));
  must_do([&] { return ca_->revoke(lost, crypto::RevocationReason::key_compromise); });
  const auto fresh = enrol(device_);
  ASSERT_TRUE(eventually([&] { return count() >= 2 && sink_.published().back().ldevids.back().serial_hex == fresh; }));
  EXPECT_EQ(sink_.published().back().ldevids.size(), 1U);
  node_.set(did_, no_);
  node_.set(did_, yes_);
  ASSERT_TRUE(eventually([&] { return !ca_->revocation(fresh); }));
  EXPECT_EQ(ca_->revocation(lost), crypto::RevocationReason::key_compromise);
}

TEST_F(DecisionLoopTest, AnotherReasonForTheSameAnswerIsLoggedAndNotSent) {
  start();
  node_.set(did_, yes_);
  enrol(device_);
  ASSERT_TRUE(eventually([&] { return count() == 1; }));
  node_.set(did_, {true, "it was purchased", {"c3"}});
  ASSERT_TRUE(eventually([&] { return loop_->current(did_)->reason == "it was purchased"; }));
  EXPECT_TRUE(stays([&] { return count() == 1; }));
}

TEST_F(DecisionLoopTest, TheSweepFindsWhatNoEventTold) {
  start(milliseconds(20));
  enrol(device_);
  node_.set(did_, yes_, false);
  ASSERT_TRUE(eventually([&] { return answer() == Answer::permit; }));
  node_.set(did_, no_, false);
  ASSERT_TRUE(eventually([&] { return answer() == Answer::deny; }));
  const auto decided = loop_->last_number();
  EXPECT_TRUE(stays([&] { return loop_->last_number() == decided; }));  // and decides nothing twice
}

TEST_F(DecisionLoopTest, TheSweepRestoresAHoldThatSomebodyReleased) {
  start(milliseconds(20));
  node_.set(did_, no_);
  const auto serial = enrol(device_);
  ASSERT_TRUE(eventually([&] { return ca_->revocation(serial).has_value(); }));
  must_do([&] { return ca_->release(serial); });
  EXPECT_TRUE(eventually([&] { return ca_->revocation(serial).has_value(); }));
}

TEST_F(DecisionLoopTest, ARestartActsOnWhatChangedMeanwhileAndOnNothingElse) {
  start();
  node_.set(did_, yes_);
  enrol(device_);
  ASSERT_TRUE(eventually([&] { return count() == 1; }));
  const auto other = pki_.device("SN-2");
  node_.set(test::did_of(other), yes_);
  ASSERT_TRUE(eventually([&] { return loop_->current(test::did_of(other)).has_value(); }));
  const auto epoch = loop_->epoch();
  const auto number = loop_->last_number();
  const auto state = loop_->state();
  ASSERT_EQ(state.size(), 1U);
  stop();

  node_.set(did_, no_, false);
  loop_ = must(DecisionLoop::open(runtime_.executor(), node_, *registry_, *ca_, *store_, clock_,
                                  {.network = "home", .segment = "trusted"}));
  EXPECT_EQ(loop_->epoch(), epoch);
  EXPECT_EQ(loop_->last_number(), number);
  EXPECT_EQ(loop_->state(), state);
  loop_->run(sink_);
  ASSERT_TRUE(eventually([&] { return count() == 2; }));
  EXPECT_EQ(sink_.published().back().answer, Answer::deny);
  EXPECT_EQ(sink_.published().back().number, number + 1);
  EXPECT_EQ(loop_->last_number(), number + 1);
}

TEST_F(DecisionLoopTest, ManyChangesAtOnceAreDecidedAndSentTogether) {
  constexpr int count_of_devices = 40;
  std::vector<std::string> devices;
  for (int i = 0; i < count_of_devices; ++i) {
    const auto device = pki_.device("SN-" + std::to_string(100 + i));
    devices.push_back(test::did_of(device));
    enrol(device);
  }
  start();
  for (const auto& device : devices) node_.set(device, yes_);
  ASSERT_TRUE(eventually([&] {
    return std::ranges::all_of(devices, [&](const auto& device) {
      const auto decision = loop_->current(device);
      return decision && decision->answer == Answer::permit;
    });
  }));
  std::uint64_t last = 0;
  for (const auto& access : sink_.published()) {
    EXPECT_GT(access.number, last);
    last = access.number;
  }
}

TEST_F(DecisionLoopTest, ListenersHearOfADecisionAfterTheRouters) {
  std::atomic<std::size_t> sent_before = 99;
  start();
  node_.set(did_, no_);
  enrol(device_);
  ASSERT_TRUE(eventually([&] { return count() == 1; }));
  const auto handle = loop_->on_decision([&](const Decision& decision) {
    if (decision.answer == Answer::permit) sent_before = count();
  });
  node_.set(did_, yes_);
  ASSERT_TRUE(eventually([&] { return sent_before != 99; }));
  EXPECT_EQ(sent_before, 2U);
}

// Fail closed: a full disk must not keep a device on the network, nor let one in unlogged.
TEST_F(DecisionLoopTest, WithoutALogDenialsAreCarriedOutAndPermitsAreNot) {
  auto failing = std::make_unique<FailingStore>(std::move(store_));
  FailingStore& disk = *failing;
  store_ = std::move(failing);
  registry_ = must(pki::DeviceRegistry::open(*store_));
  const auto other = pki_.device("SN-2");
  enrol(device_);
  enrol(other);
  start(milliseconds(20));
  node_.set(did_, yes_);
  node_.set(test::did_of(other), no_);
  ASSERT_TRUE(
      eventually([&] { return answer() == Answer::permit && loop_->current(test::did_of(other)).has_value(); }));
  disk.full = true;
  node_.set(did_, no_);
  node_.set(test::did_of(other), yes_);
  ASSERT_TRUE(eventually([&] { return answer() == Answer::deny; }));
  EXPECT_EQ(sink_.published().back().device, did_);
  EXPECT_TRUE(stays([&] { return loop_->current(test::did_of(other))->answer == Answer::deny; }));
  disk.full = false;
  ASSERT_TRUE(eventually([&] { return loop_->current(test::did_of(other))->answer == Answer::permit; }));
  // The denial is logged belatedly.
  ASSERT_TRUE(eventually([&] {
    const auto history = must(loop_->history(0, 10'000)).decisions;
    return std::ranges::any_of(history,
                               [&](const Decision& d) { return d.device == did_ && d.answer == Answer::deny; });
  }));
}

TEST(ADecision, IsReadAsWritten) {
  Decision decision{.number = 7,
                    .device = "did:key:z6Mk",
                    .network = "home",
                    .answer = Answer::permit,
                    .segment = "trusted",
                    .reason = "wäre \"gut\"",
                    .claims = {"a", "b"},
                    .taken_at = Pki::now() + std::chrono::microseconds(5),
                    .review_at = Pki::now() + std::chrono::hours(1)};
  const auto read = must(read_decision(write_decision(decision)));
  EXPECT_EQ(read.number, decision.number);
  EXPECT_EQ(read.reason, decision.reason);
  EXPECT_EQ(read.claims, decision.claims);
  EXPECT_EQ(read.taken_at, decision.taken_at);
  EXPECT_EQ(read.review_at, decision.review_at);
  EXPECT_EQ(read.answer, Answer::permit);
  EXPECT_FALSE(read_decision(to_bytes(std::string_view("{\"number\":1}"))));
}

}  // namespace
}  // namespace cahn::assurance
