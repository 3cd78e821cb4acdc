// The claim node from its door: signed credentials in, decisions out.

#include "cascade/claim_node.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/metrics.h"
#include "tests/unit/cascade/node_world.h"

namespace cahn::cascade {
namespace {

using namespace std::chrono_literals;
using test::did_of;

class Node : public test::NodeWorld {};

// --- the door ---

TEST_F(Node, GivesAReceiptThatNamesTheClaimByItsContent) {
  const auto bytes = credential("ann", "Trust", {ann, did_of("maker")});
  const auto receipt = submit(bytes);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->id, credential::Credential::parse(as_text(bytes))->content_hash());
  EXPECT_EQ(receipt->position, 1U);
  EXPECT_FALSE(receipt->known_already);
  const auto stored = store_->read(1, 1).value();
  ASSERT_EQ(stored.size(), 1U) << "a receipt is given for what is durable";
  EXPECT_EQ(stored[0].payload, bytes) << "the log holds the bytes as received (decision 46)";
}

TEST_F(Node, AClaimPostedAgainIsKnownAndNotStoredTwice) {
  const auto bytes = credential("ann", "Trust", {ann, did_of("maker")});
  const auto first = submit(bytes).value();
  folded(first.position);
  const auto second = submit(bytes);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->known_already);
  EXPECT_EQ(second->id, first.id);
  EXPECT_EQ(second->position, first.position);
  EXPECT_EQ(store_->last_position(), 1U);
}

TEST_F(Node, TheSameClaimInOtherWhiteSpaceIsTheSameClaim) {
  const auto bytes = credential("ann", "Trust", {ann, did_of("maker")});
  const auto first = submit(bytes).value();
  const auto second = submit(to_bytes(nlohmann::json::parse(bytes).dump(4)));
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->known_already);
  EXPECT_EQ(second->id, first.id);
}

TEST_F(Node, OneClaimPostedByManyAtOnceIsStoredOnce) {
  const auto bytes = credential("ann", "Trust", {ann, did_of("maker")});
  std::atomic<int> fresh = 0, known = 0;
  std::vector<std::jthread> posters;
  for (int i = 0; i < 8; ++i) {
    posters.emplace_back([&] {
      const auto receipt = submit(bytes);
      if (receipt) ++(receipt->known_already ? known : fresh);
    });
  }
  posters.clear();
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(known, 7);
  EXPECT_EQ(store_->last_position(), 1U);
}

TEST_F(Node, WhatIsNoCredentialIsTurnedAwayAndNotStored) {
  const auto text = to_string(credential("ann", "Trust", {ann, did_of("maker")}));
  const std::vector<std::string> bad{"",
                                     "not json",
                                     "{}",
                                     "[]",
                                     text.substr(0, text.size() / 2),
                                     "{\"issuer\":\"x\"," + text.substr(1),
                                     std::string(200, '[')};
  for (const auto& bytes : bad) {
    const auto refused = submit(to_bytes(bytes));
    ASSERT_FALSE(refused) << bytes;
    EXPECT_EQ(refused.error().code, ClaimError::malformed) << bytes;
  }
  EXPECT_EQ(store_->last_position(), 0U);
}

TEST_F(Node, WhatIsTooLargeIsTurnedAwayAndNotStored) {
  const auto refused = submit(Bytes(options_.max_claim + 1, ' '));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ClaimError::too_large);
  EXPECT_EQ(store_->last_position(), 0U);
}

TEST_F(Node, TooManyPendingClaimsAreTurnedAwayBeforeAnythingIsStored) {
  close();
  options_.max_pending = 2;
  open();
  // A listener that does not return holds the engine up, so that what is received stays pending.
  bind_people();
  std::promise<void> entered, leave;
  auto held = leave.get_future().share();
  std::atomic<bool> first = true;
  const auto listening = node_->on_change([&](const auto&) {
    if (first.exchange(false)) {
      entered.set_value();
      held.wait();
    }
  });
  std::jthread observer([&] { EXPECT_TRUE(observe("lamp", "maker")); });
  entered.get_future().wait();
  EXPECT_TRUE(submit(credential("ann", "Trust", {ann, did_of("a")})));
  const auto waiting = submit(credential("ann", "Trust", {ann, did_of("b")}));
  ASSERT_TRUE(waiting);
  EXPECT_EQ(status(waiting->id).state, ClaimState::received);
  ASSERT_EQ(node_->list(waiting->position - 1, 10).size(), 1U);
  const auto before = store_->last_position();
  const auto refused = submit(credential("ann", "Trust", {ann, did_of("c")}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ClaimError::overloaded);
  EXPECT_EQ(store_->last_position(), before);
  leave.set_value();
  folded(before);
  EXPECT_TRUE(submit(credential("ann", "Trust", {ann, did_of("d")}))) << "room again once they are folded";
}

// --- refusals after receipt ---

TEST_F(Node, ABrokenSignatureIsStoredThenRefused) {
  bind_people();
  const auto id = post(forged("ann", "Trust", {ann, did_of("maker")}));
  EXPECT_EQ(status(id).state, ClaimState::refused);
  EXPECT_FALSE(status(id).counts);
  EXPECT_TRUE(status(id).reason.starts_with("bad signature")) << status(id).reason;
  EXPECT_FALSE(node_->snapshot()->manufacturer(did_of("maker")).permit);
}

TEST_F(Node, ACredentialWithoutProofIsRefused) {
  bind_people();
  auto document = nlohmann::json::parse(credential("ann", "Trust", {ann, did_of("maker")}));
  document.erase("proof");
  const auto id = post(to_bytes(document.dump()));
  EXPECT_EQ(status(id).state, ClaimState::refused);
  EXPECT_FALSE(node_->snapshot()->manufacturer(did_of("maker")).permit);
}

TEST_F(Node, AnUnknownIssuerIsRefusedAndCountsOnceBound) {
  const auto id = say("ann", "Trust", {ann, did_of("maker")});
  EXPECT_EQ(status(id).state, ClaimState::refused);
  EXPECT_TRUE(status(id).reason.starts_with("unknown issuer")) << status(id).reason;
  EXPECT_FALSE(node_->snapshot()->manufacturer(did_of("maker")).permit);
  bind_people();
  EXPECT_EQ(status(id).state, ClaimState::accepted);
  EXPECT_TRUE(node_->snapshot()->manufacturer(did_of("maker")).permit);
}

TEST_F(Node, AnIssuerWithoutTheRightIsRefusedAndChangesNothing) {
  make_the_lamp_welcome();
  const auto id = say("bob", "Distrust", {bob, did_of("lamp")});
  EXPECT_EQ(status(id).state, ClaimState::refused);
  EXPECT_EQ(status(id).reason, "bob@example.org lacks the right connect-devices");
  EXPECT_TRUE(lamp().permit);
}

TEST_F(Node, ACommandIsNotTakenForAFact) {
  const auto id = say("node", "DeviceTrustCommand", {did_of("lamp"), did_of("node")});
  EXPECT_EQ(status(id).state, ClaimState::refused);
  EXPECT_NE(status(id).reason.find("command"), std::string::npos);
}

TEST_F(Node, AnUnknownIdIsUnknown) { EXPECT_EQ(node_->status(std::string(64, '0')).error().code, ClaimError::unknown); }

TEST_F(Node, AStatusTellsTheWholeStoryOfAClaim) {
  make_the_lamp_welcome();
  const auto claim = status(lamp_claim_);
  EXPECT_EQ(claim.state, ClaimState::accepted);
  EXPECT_TRUE(claim.counts);
  EXPECT_EQ(claim.relation, "Trust");
  EXPECT_EQ(claim.issuer, did_of("ann"));
  EXPECT_EQ(claim.person, ann);
  EXPECT_EQ(claim.received_at, morning);
  EXPECT_NE(claim.notation.find("Trust(" + ann + ", " + did_of("lamp") + ")"), std::string::npos) << claim.notation;
}

// --- decisions ---

TEST_F(Node, ADeviceTrustedByAnOwnerWhoTrustsItsMakerIsPermittedAndNamesBothClaims) {
  make_the_lamp_welcome();
  EXPECT_EQ(lamp().claims, (std::vector{lamp_claim_, maker_claim_}));
  EXPECT_EQ(node_->snapshot()->devices(), std::vector{did_of("lamp")});
}

TEST_F(Node, ADeviceNeverObservedIsDenied) {
  bind_people();
  say("ann", "Trust", {ann, did_of("lamp")});
  EXPECT_FALSE(lamp().permit);
  EXPECT_NE(lamp().reason.find("has not been seen"), std::string::npos);
}

TEST_F(Node, ADistrustCutsADeviceAndRetractingItRestores) {
  make_the_lamp_welcome();
  clock_.advance(1s);
  const auto distrust = say("ann", "Distrust", {ann, did_of("lamp")});
  EXPECT_FALSE(lamp().permit);
  EXPECT_EQ(lamp().claims, std::vector{distrust});
  say("ann", "Retraction", {distrust});
  EXPECT_TRUE(lamp().permit);
}

TEST_F(Node, TrustingAgainRestoresADistrustedDevice) {
  make_the_lamp_welcome();
  clock_.advance(1s);
  say("ann", "Distrust", {ann, did_of("lamp")});
  clock_.advance(1s);
  const auto again = say("ann", "Trust", {ann, did_of("lamp")});
  EXPECT_TRUE(lamp().permit);
  EXPECT_EQ(lamp().claims.front(), again);
}

TEST_F(Node, RetractingTheTrustInAMakerCutsItsDevices) {
  make_the_lamp_welcome();
  say("ann", "Retraction", {maker_claim_});
  EXPECT_FALSE(lamp().permit);
  EXPECT_NE(lamp().reason.find("no entitled person trusts the maker"), std::string::npos);
}

TEST_F(Node, ABoughtDeviceIsPermittedToABuyerWhoTrustsTheMaker) {
  bind_people();
  say("ann", "Trust", {ann, did_of("maker")});
  ASSERT_TRUE(observe("lamp", "maker"));
  EXPECT_FALSE(lamp().permit);
  const auto sale = say("maker", "Purchase", {did_of("lamp"), ann, "urn:example:lamp"});
  EXPECT_TRUE(lamp().permit) << lamp().reason;
  EXPECT_EQ(lamp().claims.front(), sale);
}

TEST_F(Node, AnotherNodeInTheProcessHasItsOwnFacts) {
  make_the_lamp_welcome();
  auto store = store::Store::open(folder_ / "other.db", clock_);
  ASSERT_TRUE(store);
  const auto other = ClaimNode::open(**store, clock_, options_);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_FALSE((*other)->snapshot()->manufacturer(did_of("maker")).permit);
  EXPECT_TRUE(node_->snapshot()->manufacturer(did_of("maker")).permit);
}

TEST_F(Node, CommonOwnershipNamesTheOwnersWhoTrustAKeyThemselves) {
  bind_people();
  EXPECT_TRUE(node_->snapshot()->people_trusting(did_of("router")).empty());
  say("bob", "Trust", {bob, did_of("router")});
  EXPECT_TRUE(node_->snapshot()->people_trusting(did_of("router")).empty()) << "Bob owns nothing here";
  const auto trust = say("ann", "Trust", {ann, did_of("router")});
  EXPECT_EQ(node_->snapshot()->people_trusting(did_of("router")), std::vector{ann});
  say("ann", "Retraction", {trust});
  EXPECT_TRUE(node_->snapshot()->people_trusting(did_of("router")).empty());
}

// --- observations ---

TEST_F(Node, AnObservationIsInTheSnapshotWhenItCompletesAndStoredOnce) {
  ASSERT_TRUE(observe("lamp", "maker"));
  EXPECT_EQ(node_->snapshot()->devices(), std::vector{did_of("lamp")});
  const auto stored = store_->last_position();
  ASSERT_TRUE(observe("lamp", "maker"));
  EXPECT_EQ(store_->last_position(), stored);
}

TEST_F(Node, AnObservationNamesKeys) {
  const auto refused = net::run_blocking<Result<void>>(
      runtime_, [this] { return node_->observe_device("lamp", did_of("maker"), "42"); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ClaimError::malformed);
  EXPECT_EQ(store_->last_position(), 0U);
}

TEST_F(Node, AnObservationIsOfText) {
  const auto refused = observe("lamp", "maker", "\xff\xfe");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ClaimError::malformed);
  EXPECT_EQ(store_->last_position(), 0U);
}

// --- time ---

TEST_F(Node, AClaimThatEndsCutsTheDeviceByAClockEventInTheLog) {
  bind_people();
  say("ann", "Trust", {ann, did_of("maker")});
  say("ann", "Trust", {ann, did_of("lamp")}, When{morning, morning + 1h});
  ASSERT_TRUE(observe("lamp", "maker"));
  ASSERT_TRUE(lamp().permit);
  const auto before = store_->last_position();
  clock_.advance(1h);
  folded(before + 1);
  EXPECT_FALSE(lamp().permit);
  const auto events = store_->read(before + 1, 10).value();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, "clock");
}

TEST_F(Node, AClaimOfLaterBeginsByAClockEvent) {
  bind_people();
  say("ann", "Trust", {ann, did_of("maker")}, When{morning + 1h, std::nullopt});
  EXPECT_FALSE(node_->snapshot()->manufacturer(did_of("maker")).permit);
  const auto before = store_->last_position();
  clock_.advance(1h);
  folded(before + 1);
  EXPECT_TRUE(node_->snapshot()->manufacturer(did_of("maker")).permit);
}

// --- listeners and threads ---

TEST_F(Node, ListenersHearExactlyTheDevicesWhoseVerdictChanged) {
  make_the_lamp_welcome();
  say("ann", "Trust", {ann, did_of("other-maker")});
  ASSERT_TRUE(observe("heater", "maker"));
  ASSERT_TRUE(observe("kettle", "other-maker"));
  say("ann", "Trust", {ann, did_of("kettle")});
  std::vector<DecisionChange> heard;  // on the engine's thread, before folded() completes
  auto listening =
      node_->on_change([&](const auto& changes) { heard.insert(heard.end(), changes.begin(), changes.end()); });

  clock_.advance(1s);
  say("ann", "Distrust", {ann, did_of("lamp")});
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_EQ(heard[0].device, did_of("lamp"));
  EXPECT_FALSE(heard[0].verdict.permit);
  EXPECT_EQ(heard[0].position, store_->last_position());

  heard.clear();
  say("ann", "Distrust", {ann, did_of("maker")});
  ASSERT_EQ(heard.size(), 1U) << "the lamp is distrusted as before; the kettle is of another maker";
  EXPECT_EQ(heard[0].device, did_of("heater"));

  heard.clear();
  say("bob", "Distrust", {bob, did_of("kettle")});
  EXPECT_TRUE(heard.empty()) << "Bob's word does not count";

  listening.reset();
  say("ann", "Distrust", {ann, did_of("kettle")});
  EXPECT_TRUE(heard.empty()) << "who let go of the handle hears nothing";
}

TEST_F(Node, AListenerSeesTheChangeInTheSnapshotAlready) {
  make_the_lamp_welcome();
  std::atomic<int> agreed = 0, heard = 0;
  const auto listening = node_->on_change([&](const auto& changes) {
    for (const auto& change : changes) {
      ++heard;
      if (node_->snapshot()->device(change.device) == change.verdict) ++agreed;
    }
  });
  clock_.advance(1s);
  say("ann", "Distrust", {ann, did_of("lamp")});
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(agreed, 1);
}

TEST_F(Node, WhatOneThreadAssertsAnotherThreadIsAnswered) {
  // Decision 37: incremental tables are private to a thread, so that an answer asked for elsewhere would be a stale
  // one.
  make_the_lamp_welcome();
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> permits = 0, denies = 0;
  std::jthread asker([&] {
    while (!done) ++(lamp().permit ? permits : denies);
  });
  for (int round = 0; round < 20; ++round) {
    clock_.advance(1s);
    say("ann", round % 2 == 0 ? "Distrust" : "Trust", {ann, did_of("lamp")});
    const auto seen = std::async(std::launch::async, [this] { return lamp().permit; }).get();
    EXPECT_EQ(seen, round % 2 == 1) << "round " << round;
  }
  while (permits == 0) std::this_thread::yield();
  done = true;
}

TEST_F(Node, ASnapshotHeldStaysAsItWas) {
  make_the_lamp_welcome();
  const auto held = node_->snapshot();
  const auto position = held->position();
  clock_.advance(1s);
  say("ann", "Distrust", {ann, did_of("lamp")});
  EXPECT_TRUE(held->device(did_of("lamp")).permit);
  EXPECT_EQ(held->position(), position);
  EXPECT_FALSE(lamp().permit);
}

TEST_F(Node, ManyClaimsAtOnceAreAllFoldedInTheOrderOfTheLog) {
  make_the_lamp_welcome();
  constexpr int count = 200;
  std::vector<Bytes> claims;
  for (int i = 0; i < count; ++i) {
    clock_.advance(1s);
    claims.push_back(credential("ann", i % 2 == 0 ? "Distrust" : "Trust", {ann, did_of("lamp")}));
  }
  std::atomic<store::Position> last = 0;
  std::atomic<int> next = 0;
  std::vector<std::jthread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = next++; i < count; i = next++) {
        const auto receipt = submit(claims[i]);
        ASSERT_TRUE(receipt) << receipt.error().message;
        auto seen = last.load();
        while (seen < receipt->position && !last.compare_exchange_weak(seen, receipt->position)) {
        }
      }
    });
  }
  posters.clear();
  folded(last);
  EXPECT_TRUE(lamp().permit) << "the last word is Trust, in whatever order they arrived";
  EXPECT_EQ(node_->list(0, 1000).size(), count + 4U);
}

// A store whose commits wait for the test's word.
class HeldStore final : public store::Store {
 public:
  explicit HeldStore(store::Store& real) : real_(real) {}

  void commit(store::Batch batch, std::function<void(Result<store::Committed>)> done) override {
    const std::lock_guard lock(mutex_);
    held_.emplace_back(std::move(batch), std::move(done));
    arrived_.notify_all();
  }
  // Waits for `count` commits, then lets them through, or fails them.
  void let_go(std::size_t count, bool works) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return held_.size() >= count; });
    auto held = std::exchange(held_, {});
    lock.unlock();
    for (auto& [batch, done] : held) {
      if (works) {
        real_.commit(std::move(batch), std::move(done));
      } else {
        done(fail(store::StoreError::unavailable, "the disk is full"));
      }
    }
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return held_.size() >= count; });
  }
  Result<std::vector<store::Event>> read(store::Position from, std::size_t limit) const override {
    return real_.read(from, limit);
  }
  store::Position last_position() const override { return real_.last_position(); }
  std::shared_ptr<void> follow(std::function<void()> wake) override { return real_.follow(std::move(wake)); }
  Result<std::optional<Bytes>> get(std::string_view table, std::string_view key) const override {
    return real_.get(table, key);
  }
  Result<std::vector<std::pair<std::string, Bytes>>> scan(std::string_view table, std::string_view prefix,
                                                          std::size_t limit, std::string_view after) const override {
    return real_.scan(table, prefix, limit, after);
  }

 private:
  store::Store& real_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::pair<store::Batch, std::function<void(Result<store::Committed>)>>> held_;
};

class NodeOnASlowDisk : public Node {
 protected:
  NodeOnASlowDisk() : held_(*store_) {
    node_.reset();
    node_ = ClaimNode::open(held_, clock_, options_).value();
  }
  ~NodeOnASlowDisk() override { node_.reset(); }
  std::future<Result<ClaimReceipt>> submitting(Bytes bytes) {
    return std::async(std::launch::async, [this, bytes = std::move(bytes)] { return submit(bytes); });
  }

  HeldStore held_;
};

TEST_F(NodeOnASlowDisk, GivesNoReceiptBeforeTheClaimIsDurable) {
  const auto bytes = credential("ann", "Trust", {ann, did_of("maker")});
  auto first = submitting(bytes);
  held_.wait_for(1);
  auto again = submitting(bytes);
  EXPECT_EQ(first.wait_for(50ms), std::future_status::timeout);
  EXPECT_EQ(again.wait_for(50ms), std::future_status::timeout) << "nor to who posts the same meanwhile";
  const auto id = credential::Credential::parse(as_text(bytes))->content_hash();
  EXPECT_FALSE(node_->status(id)) << "nor does it show";
  held_.let_go(1, true);
  EXPECT_EQ(first.get()->position, 1U);
  EXPECT_TRUE(again.get()->known_already);
}

TEST_F(NodeOnASlowDisk, SaysSoWhenAClaimCannotBeStoredAndTakesItTheNextTime) {
  const auto bytes = credential("ann", "Trust", {ann, did_of("maker")});
  auto failing = submitting(bytes);
  held_.let_go(1, false);
  const auto refused = failing.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ClaimError::unavailable);
  auto working = submitting(bytes);
  held_.let_go(1, true);
  const auto receipt = working.get();
  ASSERT_TRUE(receipt);
  EXPECT_FALSE(receipt->known_already);
}

TEST_F(Node, RulesThatGiveNoAnswerDenyUntilTheyDo) {
  // Fail closed; and what could not be answered is asked again when a fact changes, touched or not.
  const auto rules = folder_ / "rules";
  std::filesystem::create_directory(rules);
  std::filesystem::copy_file("rules/facts.pl", rules / "facts.pl");
  std::ofstream(rules / "policy.pl") << ":- table maker_answer/2 as incremental.\n"
                                        ":- table device_answer/2 as incremental.\n"
                                        "maker_answer(_, deny(no, [])).\n"
                                        "device_answer(D, permit(yes, [])) :-\n"
                                        "    ( trust(D, _, _, _) -> true ; throw(not_yet) ).\n";
  close();
  options_.rules_directory = rules.string();
  open();
  ASSERT_TRUE(observe("lamp", "maker"));
  EXPECT_FALSE(lamp().permit);
  EXPECT_NE(lamp().reason.find("not_yet"), std::string::npos) << lamp().reason;
  bind_people();
  say("ann", "Trust", {ann, did_of("lamp")});
  EXPECT_TRUE(lamp().permit) << lamp().reason;
}

TEST_F(Node, CountsClaimsByWhatBecameOfThem) {
  bind_people();
  say("stranger", "Trust", {ann, did_of("maker")});
  const auto page = metrics::render();
  EXPECT_NE(page.find("cahn_claims{state=\"accepted\"} 2"), std::string::npos) << page;
  EXPECT_NE(page.find("cahn_claims{state=\"refused\"} 1"), std::string::npos);
  EXPECT_NE(page.find("cahn_claim_fold_seconds_count"), std::string::npos);
}

TEST_F(Node, RulesThatDoNotLoadKeepTheNodeFromOpening) {
  auto store = store::Store::open(folder_ / "other.db", clock_);
  ASSERT_TRUE(store);
  options_.rules_directory = (folder_ / "nowhere").string();
  const auto refused = ClaimNode::open(**store, clock_, options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ClaimError::bad_rules);
}

}  // namespace
}  // namespace cahn::cascade
