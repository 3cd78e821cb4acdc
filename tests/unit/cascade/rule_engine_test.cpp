// The rules of rules/, asked through the engine: every way to a permit, every way to a deny, and which answers a change
// touches. Facts stand here as the trust engine would assert them.

#include "cascade/rule_engine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace cahn::cascade {
namespace {

constexpr const char* ann = "mailto:ann@example.org";
constexpr const char* bob = "mailto:bob@example.org";

using testing::Test;

class Rules : public Test {
 protected:
  void SetUp() override {
    auto opened = RuleEngine::open("rules");
    ASSERT_TRUE(opened) << opened.error().message;
    rules_ = *std::move(opened);
  }

  Touched tell(const std::string& name, std::vector<std::string> arguments, bool present = true) {
    auto touched = rules_->apply({{name, std::move(arguments)}, present});
    EXPECT_TRUE(touched) << touched.error().message;
    return touched.value_or(Touched{});
  }
  void entitle(const std::string& person) {
    tell("counts", {"network", person, "trust-manufacturers"});
    tell("counts", {"network", person, "connect-devices"});
  }
  Verdict device(const std::string& did) {
    auto verdict = rules_->device(did);
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict.value_or(Verdict{});
  }
  Verdict maker(const std::string& did) {
    auto verdict = rules_->maker(did);
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict.value_or(Verdict{});
  }
  // Ann is entitled and trusts the maker; the device was seen.
  void ann_trusts_the_maker() {
    entitle(ann);
    tell("observed", {"device", "maker", "42"});
    tell("trust", {"maker", ann, "2026-01-01T00:00:00Z", "c-maker"});
  }

  std::unique_ptr<RuleEngine> rules_;
};

using ClaimIds = std::vector<std::string>;

TEST_F(Rules, PermitAMakerThatAnEntitledPersonTrustsAndNameTheClaim) {
  ann_trusts_the_maker();
  const auto verdict = maker("maker");
  EXPECT_TRUE(verdict.permit);
  EXPECT_EQ(verdict.reason, "ann@example.org trusts the maker maker since 2026-01-01T00:00:00Z");
  EXPECT_EQ(verdict.claims, ClaimIds{"c-maker"});
}

TEST_F(Rules, DenyAMakerNobodyTrusts) {
  const auto verdict = maker("did:key:z6Mk");
  EXPECT_FALSE(verdict.permit);
  EXPECT_EQ(verdict.reason, "no entitled person trusts the maker did:key:z6Mk");
  EXPECT_TRUE(verdict.claims.empty());
}

TEST_F(Rules, DenyAMakerThatOnlyPeopleWithoutTheRightTrustAndNameThem) {
  tell("counts", {"network", bob, "connect-devices"});
  tell("trust", {"maker", bob, "2026-01-01T00:00:00Z", "c1"});
  const auto verdict = maker("maker");
  EXPECT_FALSE(verdict.permit);
  EXPECT_EQ(verdict.reason,
            "no entitled person trusts the maker maker (bob@example.org does, without the right trust-manufacturers)");
}

TEST_F(Rules, DenyAMakerThatOneEntitledPersonDistrustsHoweverManyTrustIt) {
  ann_trusts_the_maker();
  entitle(bob);
  tell("distrust", {"maker", bob, "2025-01-01T00:00:00Z", "c-no"});
  const auto verdict = maker("maker");
  EXPECT_FALSE(verdict.permit);
  EXPECT_EQ(verdict.reason, "bob@example.org distrusts the maker maker since 2025-01-01T00:00:00Z");
  EXPECT_EQ(verdict.claims, ClaimIds{"c-no"});
}

TEST_F(Rules, PassOverADistrustOfSomeoneNotEntitled) {
  ann_trusts_the_maker();
  tell("distrust", {"maker", bob, "2025-01-01T00:00:00Z", "c-no"});
  EXPECT_TRUE(maker("maker").permit);
}

TEST_F(Rules, DoNotTakeATrustedDeviceForAMaker) {
  ann_trusts_the_maker();
  tell("trust", {"device", ann, "2026-01-01T00:00:00Z", "c1"});
  EXPECT_FALSE(maker("device").permit);
}

TEST_F(Rules, DenyADeviceThatWasNotSeen) {
  ann_trusts_the_maker();
  tell("trust", {"other", ann, "2026-01-01T00:00:00Z", "c1"});
  EXPECT_FALSE(device("other").permit);
  EXPECT_EQ(device("other").reason, "the device other has not been seen by this registrar");
}

TEST_F(Rules, DenyADeviceOfATrustedMakerThatNobodyTrustsOrOwns) {
  ann_trusts_the_maker();
  EXPECT_FALSE(device("device").permit);
  EXPECT_EQ(device("device").reason, "no entitled person trusts or owns the device device");
}

TEST_F(Rules, PermitATrustedDeviceOfATrustedMaker) {
  ann_trusts_the_maker();
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c-device"});
  const auto verdict = device("device");
  EXPECT_TRUE(verdict.permit);
  EXPECT_EQ(verdict.claims, (ClaimIds{"c-device", "c-maker"}));
}

TEST_F(Rules, DenyATrustedDeviceWhoseMakerIsNotTrusted) {
  entitle(ann);
  tell("observed", {"device", "maker", "42"});
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c-device"});
  EXPECT_FALSE(device("device").permit);
  EXPECT_EQ(device("device").reason, "no entitled person trusts the maker maker");
}

TEST_F(Rules, DenyADistrustedDeviceAlthoughAnotherEntitledPersonTrustsIt) {
  ann_trusts_the_maker();
  entitle(bob);
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c-device"});
  tell("distrust", {"device", bob, "2026-03-01T00:00:00Z", "c-no"});
  EXPECT_FALSE(device("device").permit);
  EXPECT_EQ(device("device").reason, "bob@example.org distrusts the device device since 2026-03-01T00:00:00Z");
  EXPECT_EQ(device("device").claims, ClaimIds{"c-no"});
}

TEST_F(Rules, DoNotLetTheRightToTrustMakersConnectDevices) {
  ann_trusts_the_maker();
  tell("counts", {"network", bob, "trust-manufacturers"});
  tell("trust", {"device", bob, "2026-02-01T00:00:00Z", "c-device"});
  EXPECT_FALSE(device("device").permit);
  EXPECT_NE(device("device").reason.find("bob@example.org does, without the right connect-devices"), std::string::npos);
}

TEST_F(Rules, PermitADeviceThatAnEntitledPersonDeclaresToOwn) {
  ann_trusts_the_maker();
  tell("owner_declaration", {"device", ann, "lamp", "2026-02-01T00:00:00Z", "c-own"});
  EXPECT_TRUE(device("device").permit);
  EXPECT_EQ(device("device").claims, (ClaimIds{"c-own", "c-maker"}));
}

TEST_F(Rules, DenyADeviceOwnedBySomeoneNotEntitledToConnectDevices) {
  ann_trusts_the_maker();
  tell("owner_declaration", {"device", bob, "lamp", "2026-02-01T00:00:00Z", "c-own"});
  EXPECT_FALSE(device("device").permit);
}

TEST_F(Rules, PermitABoughtDeviceOfABuyerWhoTrustsTheMakerAndNameAllPremises) {
  ann_trusts_the_maker();
  tell("purchase", {"device", "maker", ann, "lamp", "2026-02-01T00:00:00Z", "c-sale"});
  tell("rests_on", {"c-sale", "c-key"});
  const auto verdict = device("device");
  EXPECT_TRUE(verdict.permit);
  EXPECT_EQ(verdict.claims, (ClaimIds{"c-sale", "c-maker", "c-key"}));
}

TEST_F(Rules, DenyABoughtDeviceOfABuyerWhoDoesNotTrustTheMaker) {
  // L580-583: others' trust in the maker is not the buyer's.
  ann_trusts_the_maker();
  entitle(bob);
  tell("purchase", {"device", "maker", bob, "lamp", "2026-02-01T00:00:00Z", "c-sale"});
  EXPECT_FALSE(device("device").permit);
}

TEST_F(Rules, DenyADeviceBoughtBySomeoneNotEntitledToConnectDevices) {
  ann_trusts_the_maker();
  tell("trust", {"maker", bob, "2026-01-01T00:00:00Z", "c-bob"});
  tell("purchase", {"device", "maker", bob, "lamp", "2026-02-01T00:00:00Z", "c-sale"});
  EXPECT_FALSE(device("device").permit);
}

TEST_F(Rules, DenyADeviceBoughtByTheBookOfAnotherMaker) {
  ann_trusts_the_maker();
  tell("trust", {"other", ann, "2026-01-01T00:00:00Z", "c-other"});
  tell("purchase", {"device", "other", ann, "lamp", "2026-02-01T00:00:00Z", "c-sale"});
  EXPECT_FALSE(device("device").permit);
}

TEST_F(Rules, NameTheGrantsThatAPermitRestsOn) {
  ann_trusts_the_maker();
  tell("counts", {"network", bob, "connect-devices"});
  tell("grounds", {bob, "connect-devices", "c-grant"});
  tell("trust", {"device", bob, "2026-02-01T00:00:00Z", "c-device"});
  EXPECT_EQ(device("device").claims, (ClaimIds{"c-device", "c-grant", "c-maker"}));
}

TEST_F(Rules, GiveTheSameReasonInWhateverOrderFactsArrived) {
  ann_trusts_the_maker();
  entitle(bob);
  tell("trust", {"device", bob, "2026-02-02T00:00:00Z", "c2"});
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c1"});
  const auto first = device("device");
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c1"}, false);
  EXPECT_NE(device("device"), first);
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c1"});
  EXPECT_EQ(device("device"), first);
}

TEST_F(Rules, TakeBackWhatRestedOnAFactThatIsGone) {
  ann_trusts_the_maker();
  tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c-device"});
  ASSERT_TRUE(device("device").permit);
  tell("trust", {"maker", ann, "2026-01-01T00:00:00Z", "c-maker"}, false);
  EXPECT_FALSE(device("device").permit);
}

TEST_F(Rules, SayThatAFactAboutADeviceTouchesThatDeviceAlone) {
  ann_trusts_the_maker();
  tell("observed", {"device2", "maker", "43"});
  device("device");
  device("device2");
  const auto touched = tell("distrust", {"device", ann, "2026-02-01T00:00:00Z", "c-no"});
  EXPECT_EQ(touched.devices, ClaimIds{"device"});
  EXPECT_TRUE(touched.makers.empty());
}

TEST_F(Rules, SayThatAFactAboutAMakerTouchesItsDevicesAndNoOthers) {
  ann_trusts_the_maker();
  tell("observed", {"device2", "maker", "43"});
  tell("observed", {"device3", "maker2", "44"});
  for (const auto* did : {"device", "device2", "device3"}) device(did);
  const auto touched = tell("distrust", {"maker", ann, "2026-02-01T00:00:00Z", "c-no"});
  EXPECT_EQ(touched.devices, (ClaimIds{"device", "device2"}));
  EXPECT_EQ(touched.makers, ClaimIds{"maker"});
}

TEST_F(Rules, SayThatARightTouchesWhatItsHolderSpokeOf) {
  ann_trusts_the_maker();
  tell("trust", {"device", bob, "2026-02-01T00:00:00Z", "c-device"});
  tell("observed", {"device2", "maker", "43"});
  EXPECT_FALSE(device("device").permit);
  device("device2");
  const auto touched = tell("counts", {"network", bob, "connect-devices"});
  EXPECT_EQ(touched.devices, ClaimIds{"device"});
  EXPECT_TRUE(device("device").permit);
}

TEST_F(Rules, KeepTouchingAfterManyChanges) {
  ann_trusts_the_maker();
  device("device");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(tell("trust", {"device", ann, "2026-02-01T00:00:00Z", "c"}, i % 2 == 0).devices, ClaimIds{"device"}) << i;
    EXPECT_EQ(device("device").permit, i % 2 == 0) << i;
  }
}

TEST_F(Rules, TakeNamesForNamesWhateverIsInThem) {
  // Text from outside is never read as Prolog.
  entitle(ann);
  const std::string hostile = "x'),halt,foo('\\ \n\xc3\xa9:- _Y";
  tell("observed", {hostile, "maker", "'"});
  tell("trust", {"maker", ann, "2026-01-01T00:00:00Z", "c1"});
  tell("trust", {hostile, ann, "2026-01-01T00:00:00Z", "c2"});
  EXPECT_TRUE(device(hostile).permit);
  EXPECT_NE(device(hostile).reason.find(hostile), std::string::npos);
}

TEST_F(Rules, AreEachNodesOwn) {
  ann_trusts_the_maker();
  std::thread([] {
    const auto other = RuleEngine::open("rules");
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_FALSE((*other)->maker("maker")->permit);
  }).join();
  EXPECT_TRUE(maker("maker").permit) << "closing one node must not take the rules from another";
}

// Rules of the test's own, in a folder.
class RulesFromElsewhere : public Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("cahn-rules-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    std::filesystem::copy_file("rules/facts.pl", folder_ / "facts.pl");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  auto open(RuleLimits limits = {}) { return RuleEngine::open(folder_, limits); }

  static constexpr const char* tables =
      ":- table maker_answer/2 as incremental.\n:- table device_answer/2 as incremental.\n";
  std::filesystem::path folder_;
};

TEST_F(RulesFromElsewhere, AreRefusedWhenTheyDoNotParse) {
  write("policy.pl", std::string(tables) + "maker_answer(_, permit(yes, [])) :- .\n");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ClaimError::bad_rules);
  EXPECT_NE(opened.error().message.find("policy.pl"), std::string::npos) << opened.error().message;
}

TEST_F(RulesFromElsewhere, AreRefusedWhenAnAnswerIsNotATable) {
  // An untabled answer would never be touched by a change.
  write("policy.pl",
        ":- table maker_answer/2 as incremental.\nmaker_answer(_, deny(no, [])).\ndevice_answer(_, deny(no, [])).\n");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("device_answer/2"), std::string::npos) << opened.error().message;
}

TEST_F(RulesFromElsewhere, AreRefusedWhenAFactIsNotIncremental) {
  write("facts.pl",
        ":- dynamic trust/4, distrust/4, purchase/6, owner_declaration/5, rests_on/2, observed/3, counts/3, "
        "grounds/3.\n");
  write("policy.pl", std::string(tables) + "maker_answer(_, deny(no, [])).\ndevice_answer(_, deny(no, [])).\n");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("trust/4"), std::string::npos) << opened.error().message;
}

TEST_F(RulesFromElsewhere, AreRefusedWhenThereAreNone) {
  std::filesystem::remove(folder_ / "facts.pl");
  EXPECT_EQ(open().error().code, ClaimError::bad_rules);
}

TEST_F(RulesFromElsewhere, ThatNeverEndGiveAnErrorInBoundedTimeAndTheNextAnswerWorks) {
  write("policy.pl", std::string(tables) +
                         "maker_answer(forever, A) :- repeat, A = 1, fail.\n"
                         "maker_answer(deep, permit(X, [])) :- grow([], X).\n"
                         "maker_answer(raises, _) :- throw(mine).\n"
                         "maker_answer(odd, maybe).\n"
                         "maker_answer(good, permit(fine, [])).\n"
                         "grow(L, X) :- grow([L|L], X).\n"
                         "device_answer(_, deny(no, [])).\n");
  const auto opened = open({.stack = std::size_t{8} << 20, .inferences = 20'000'000});
  ASSERT_TRUE(opened) << opened.error().message;
  auto& rules = **opened;
  for (const auto* hopeless : {"forever", "deep", "raises", "odd", "unheard"}) {
    const auto verdict = rules.maker(hopeless);
    ASSERT_FALSE(verdict) << hopeless;
    EXPECT_EQ(verdict.error().code, ClaimError::bad_rules);
    EXPECT_TRUE(rules.maker("good")->permit) << "after " << hopeless;
  }
}

}  // namespace
}  // namespace cahn::cascade
