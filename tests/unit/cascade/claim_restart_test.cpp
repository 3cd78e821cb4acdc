// The log is the truth: a node that starts on it decides as the one that stopped did.

#include <gtest/gtest.h>

#include "tests/unit/cascade/node_world.h"

namespace cahn::cascade {
namespace {

using namespace std::chrono_literals;
using test::did_of;

class NodeRestarted : public test::NodeWorld {
 protected:
  // A bit of everything, some of it in the worst order.
  void live() {
    const auto early = say("bob", "Trust", {bob, did_of("heater")});
    bind_people();
    say("ann", "UserRight", {bob, "connect-devices"});
    maker_claim_ = say("ann", "Trust", {ann, did_of("maker")});
    for (const auto* device : {"lamp", "heater", "kettle", "radio"}) ASSERT_TRUE(observe(device, "maker", device));
    say("ann", "Trust", {ann, did_of("lamp")}, When{morning, morning + 1h});
    say("ann", "ManufacturerKey", {did_of("maker"), did_of("sales"), "purchase"});
    say("sales", "Purchase", {did_of("kettle"), ann, "kettle"});
    post(forged("ann", "Trust", {ann, did_of("radio")}));
    clock_.advance(1s);
    say("bob", "Distrust", {bob, did_of("radio")});
    say("ann", "OwnerDeclaration", {did_of("radio"), "radio"});
    say("stranger", "Distrust", {bob, did_of("lamp")});
    const auto mistake = say("ann", "Distrust", {ann, did_of("maker")});
    say("ann", "Retraction", {mistake});
    const auto before = store_->last_position();
    clock_.advance(1h);
    folded(before + 1);
    EXPECT_TRUE(node_->snapshot()->device(did_of("heater")).permit) << early;
    EXPECT_TRUE(node_->snapshot()->device(did_of("kettle")).permit);
    EXPECT_FALSE(node_->snapshot()->device(did_of("lamp")).permit);
    EXPECT_FALSE(node_->snapshot()->device(did_of("radio")).permit);
  }

  std::map<std::string, Verdict> decisions() const {
    std::map<std::string, Verdict> all;
    const auto snapshot = node_->snapshot();
    for (const auto& did : snapshot->devices()) all[did] = snapshot->device(did);
    for (const auto* name : {"maker", "sales", "lamp"})
      all[std::string("maker ") + name] = snapshot->manufacturer(did_of(name));
    return all;
  }
  std::vector<std::string> statuses() const {
    std::vector<std::string> all;
    for (const auto& claim : node_->list(0, 1000)) {
      all.push_back(claim.id + std::to_string(static_cast<int>(claim.state)) + claim.reason + claim.person +
                    (claim.counts ? "+" : "-"));
    }
    return all;
  }
};

TEST_F(NodeRestarted, DecidesAsBeforeWithTheSameReasonsAndClaims) {
  live();
  const auto decided = decisions();
  const auto told = statuses();
  const auto position = node_->snapshot()->position();
  close();
  open();
  EXPECT_EQ(decisions(), decided);
  EXPECT_EQ(statuses(), told);
  EXPECT_EQ(node_->snapshot()->position(), position);
}

TEST_F(NodeRestarted, WritesNothingOfItsOwnToTheLog) {
  // Decision 45: rebuild issues nothing.
  live();
  const auto position = store_->last_position();
  close();
  open();
  EXPECT_EQ(store_->last_position(), position);
}

TEST_F(NodeRestarted, NoticesWhatExpiredWhileItWasDown) {
  make_the_lamp_welcome();
  clock_.advance(1s);
  say("ann", "Trust", {ann, did_of("lamp")}, When{clock_.now(), clock_.now() + 1h});
  ASSERT_TRUE(lamp().permit);
  const auto before = store_->last_position();
  close();
  clock_.advance(2h);
  open();
  folded(before + 1);
  EXPECT_FALSE(lamp().permit);
}

TEST_F(NodeRestarted, KnowsTheClaimsItHasAndGoesOnFromThere) {
  make_the_lamp_welcome();
  const auto bytes = credential("ann", "Trust", {ann, did_of("radio")});
  const auto first = submit(bytes).value();
  close();
  open();
  const auto again = submit(bytes);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->known_already);
  EXPECT_EQ(again->position, first.position);
  clock_.advance(1s);
  say("ann", "Distrust", {ann, did_of("lamp")});
  EXPECT_FALSE(lamp().permit) << "answers given before a restart are touched by changes after it";
}

TEST_F(NodeRestarted, FoldsWhatWasAcknowledgedButNotYetFolded) {
  // As after a kill: the receipt was given, the fold had not come to it. Here it is in the log before the node opens.
  make_the_lamp_welcome();
  node_.reset();
  clock_.advance(1s);
  store::Batch batch;
  batch.events.push_back({"claim", credential("ann", "Distrust", {ann, did_of("lamp")})});
  batch.events.push_back({"of_another_room", to_bytes("whatever it says")});
  ASSERT_TRUE(store_->commit_and_wait(std::move(batch)));
  open();
  EXPECT_FALSE(lamp().permit);
  EXPECT_EQ(node_->snapshot()->position(), store_->last_position());
}

TEST_F(NodeRestarted, PassesOverEventsThatCannotBeRead) {
  make_the_lamp_welcome();
  node_.reset();
  store::Batch batch;
  for (const auto* type : {"claim", "device_observed", "clock"})
    batch.events.push_back({type, to_bytes("{\"device\":1")});
  ASSERT_TRUE(store_->commit_and_wait(std::move(batch)));
  open();
  EXPECT_TRUE(lamp().permit);
}

}  // namespace
}  // namespace cahn::cascade
