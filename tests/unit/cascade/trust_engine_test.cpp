// Who counts, and which claims are in force: every rule of trust_engine.h, shown by what reaches the rules as facts and
// by what the claim's status says. Keys and people are plain names here; proofs are the verifier's business.

#include "cascade/trust_engine.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace cahn::cascade {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const Time morning = parse_rfc3339("2026-03-01T08:00:00Z").value();
constexpr const char* ann = "mailto:ann@example.org";
constexpr const char* bob = "mailto:bob@example.org";
constexpr const char* carol = "mailto:carol@example.org";

struct When {
  Time from = morning;
  std::optional<Time> until = std::nullopt;
};

class Trust : public testing::Test {
 protected:
  void SetUp() override {
    engine_.advance(morning);
    say("service", "KeyBinding", {ann, "ann-key"});
    say("service", "KeyBinding", {bob, "bob-key"});
    say("service", "KeyBinding", {carol, "carol-key"});
  }

  // A claim whose proof held. Returns its id.
  std::string say(const std::string& key, const std::string& relation, std::vector<std::string> arguments,
                  When when = {}) {
    VerifiedClaim claim;
    claim.position = ++position_;
    claim.id = id(position_);
    claim.statement_hash = "statement of " + claim.id;
    claim.received_at = morning;
    claim.statement = {relation, std::move(arguments)};
    claim.issuer = key;
    claim.valid_from = when.from;
    claim.valid_until = when.until;
    last_ = claim;
    engine_.add(claim);
    fold_facts();
    return claim.id;
  }
  static std::string id(store::Position position) { return "claim-" + std::to_string(position); }
  void at(Time now) {
    engine_.advance(now);
    fold_facts();
  }
  void see(const std::string& device, const std::string& maker) {
    engine_.observe({device, maker, "serial of " + device});
    fold_facts();
  }
  void fold_facts() {
    for (auto& change : engine_.take_changes()) {
      auto line = change.fact.name;
      for (const auto& argument : change.fact.arguments) line += " " + argument;
      if (change.present) {
        EXPECT_TRUE(facts_.insert(line).second) << "asserted twice: " << line;
      } else {
        EXPECT_EQ(facts_.erase(line), 1U) << "retracted although it was not there: " << line;
      }
    }
  }
  // Whether there is a fact that rests on this claim.
  bool reaches_the_rules(const std::string& claim) const {
    return std::ranges::any_of(
        facts_, [&](const auto& line) { return (line + " ").find(" " + claim + " ") != std::string::npos; });
  }
  bool counts(const std::string& person, const std::string& right) const {
    return facts_.contains("counts network " + person + " " + right);
  }
  ClaimStatus status(const std::string& claim) const { return engine_.status(claim).value(); }

  TrustEngine engine_{{ann}, {"service"}};
  std::set<std::string> facts_;
  store::Position position_ = 0;
  VerifiedClaim last_;
};

TEST_F(Trust, AnOwnerHasEveryRightFromTheStart) {
  EXPECT_TRUE(counts(ann, "trust-manufacturers"));
  EXPECT_TRUE(counts(ann, "connect-devices"));
  EXPECT_TRUE(counts(ann, "grant-rights"));
  EXPECT_FALSE(counts(bob, "connect-devices"));
}

TEST_F(Trust, ATrustSignedByThePersonItselfIsAFact) {
  const auto claim = say("ann-key", "Trust", {ann, "maker"});
  EXPECT_TRUE(facts_.contains("trust maker " + std::string(ann) + " 2026-03-01T08:00:00Z " + claim));
  EXPECT_EQ(status(claim).state, ClaimState::accepted);
  EXPECT_TRUE(status(claim).counts);
  EXPECT_EQ(status(claim).reason, "");
  EXPECT_EQ(status(claim).person, ann);
}

TEST_F(Trust, ATrustInAnothersNameIsRefused) {
  const auto claim = say("bob-key", "Trust", {ann, "maker"});
  EXPECT_FALSE(reaches_the_rules(claim));
  EXPECT_EQ(status(claim).state, ClaimState::refused);
  EXPECT_EQ(status(claim).reason, "Trust of ann@example.org must be signed by them; this is a key of bob@example.org");
}

TEST_F(Trust, ADistrustInAnothersNameIsRefused) {
  EXPECT_FALSE(reaches_the_rules(say("bob-key", "Distrust", {ann, "maker"})));
}

TEST_F(Trust, AnUnknownIssuerIsRefusedUntilTheBindingArrives) {
  const auto claim = say("ann-second-key", "Trust", {ann, "maker"});
  EXPECT_FALSE(reaches_the_rules(claim));
  EXPECT_EQ(status(claim).state, ClaimState::refused);
  EXPECT_EQ(status(claim).reason, "unknown issuer: no credential binds ann-second-key to a person");
  say("service", "KeyBinding", {ann, "ann-second-key"});
  EXPECT_TRUE(reaches_the_rules(claim));
  EXPECT_EQ(status(claim).state, ClaimState::accepted);
}

TEST_F(Trust, ABindingSignedByAnyOtherKeyBindsNothing) {
  const auto binding = say("ann-key", "KeyBinding", {ann, "mallory-key"});
  EXPECT_EQ(status(binding).state, ClaimState::refused);
  EXPECT_NE(status(binding).reason.find("identity service"), std::string::npos);
  EXPECT_FALSE(reaches_the_rules(say("mallory-key", "Trust", {ann, "maker"})));
}

TEST_F(Trust, AKeyStaysWithWhomItWasBoundToFirst) {
  const auto trust = say("ann-key", "Trust", {ann, "maker"});
  const auto second = say("service", "KeyBinding", {bob, "ann-key"});
  EXPECT_TRUE(reaches_the_rules(trust));
  EXPECT_FALSE(status(second).counts);
  EXPECT_EQ(status(second).reason, "the key is bound to ann@example.org already");
}

TEST_F(Trust, WhatAKeySaidFallsWithItsBinding) {
  const auto binding = say("service", "KeyBinding", {ann, "ann-phone"});
  const auto trust = say("ann-phone", "Trust", {ann, "maker"});
  ASSERT_TRUE(reaches_the_rules(trust));
  say("service", "Retraction", {binding});
  EXPECT_FALSE(reaches_the_rules(trust));
  EXPECT_EQ(status(trust).state, ClaimState::refused);
}

TEST_F(Trust, ABindingThatExpiresTakesTheKeysWordWithIt) {
  say("service", "KeyBinding", {ann, "ann-phone"}, {morning, morning + hours(1)});
  const auto trust = say("ann-phone", "Trust", {ann, "maker"});
  ASSERT_TRUE(reaches_the_rules(trust));
  at(morning + hours(1));
  EXPECT_FALSE(reaches_the_rules(trust));
}

// --- rights ---

TEST_F(Trust, ATrustWithoutTheRightIsRefusedAndNamesTheRight) {
  const auto claim = say("bob-key", "Trust", {bob, "thing"});
  EXPECT_EQ(status(claim).state, ClaimState::refused);
  EXPECT_FALSE(status(claim).counts);
  EXPECT_EQ(status(claim).reason, "bob@example.org lacks the right trust-manufacturers or connect-devices");
}

TEST_F(Trust, TheRightThatATrustNeedsFollowsFromWhatItIsAbout) {
  see("device", "maker");
  say("ann-key", "UserRight", {bob, "connect-devices"});
  const auto device = say("bob-key", "Trust", {bob, "device"});
  const auto maker = say("bob-key", "Trust", {bob, "maker"});
  EXPECT_TRUE(status(device).counts);
  EXPECT_FALSE(status(maker).counts);
  EXPECT_EQ(status(maker).reason, "bob@example.org lacks the right trust-manufacturers");
}

TEST_F(Trust, AClaimIsLookedAtAgainWhenItsSubjectTurnsOutToBeADevice) {
  say("ann-key", "UserRight", {bob, "trust-manufacturers"});
  const auto claim = say("bob-key", "Trust", {bob, "thing"});
  EXPECT_EQ(status(claim).state, ClaimState::accepted);
  see("thing", "maker");
  EXPECT_EQ(status(claim).state, ClaimState::refused);
  EXPECT_EQ(status(claim).reason, "bob@example.org lacks the right connect-devices");
}

TEST_F(Trust, AClaimIsLookedAtAgainWhenItsSubjectTurnsOutToBeAMaker) {
  say("ann-key", "UserRight", {bob, "connect-devices"});
  const auto claim = say("bob-key", "Trust", {bob, "maker"});
  EXPECT_EQ(status(claim).state, ClaimState::accepted);
  see("device", "maker");
  EXPECT_EQ(status(claim).state, ClaimState::refused);
}

TEST_F(Trust, ARightArrivingLaterLetsTheClaimCount) {
  const auto claim = say("bob-key", "Trust", {bob, "thing"});
  say("ann-key", "UserRight", {bob, "connect-devices"});
  EXPECT_TRUE(counts(bob, "connect-devices"));
  EXPECT_EQ(status(claim).state, ClaimState::accepted);
  EXPECT_TRUE(status(claim).counts);
}

TEST_F(Trust, ARightIsTakenAwayByRetractingIt) {
  const auto grant = say("ann-key", "UserRight", {bob, "connect-devices"});
  const auto claim = say("bob-key", "Trust", {bob, "thing"});
  say("ann-key", "Retraction", {grant});
  EXPECT_FALSE(counts(bob, "connect-devices"));
  EXPECT_FALSE(status(claim).counts);
}

TEST_F(Trust, ARightGivenBySomeoneWhoMayNotGrantGivesNothing) {
  say("ann-key", "UserRight", {bob, "connect-devices"});
  const auto grant = say("bob-key", "UserRight", {carol, "connect-devices"});
  EXPECT_FALSE(counts(carol, "connect-devices"));
  EXPECT_EQ(status(grant).state, ClaimState::refused);
  EXPECT_EQ(status(grant).reason, "bob@example.org lacks the right grant-rights");
}

TEST_F(Trust, NobodyGivesThemselvesRights) {
  say("bob-key", "UserRight", {bob, "grant-rights"});
  say("bob-key", "UserRight", {bob, "connect-devices"});
  EXPECT_FALSE(counts(bob, "grant-rights"));
  EXPECT_FALSE(counts(bob, "connect-devices"));
}

TEST_F(Trust, RightsAreHandedOnAndNameTheWholeChain) {
  const auto late = say("bob-key", "UserRight", {carol, "connect-devices"});
  const auto early = say("ann-key", "UserRight", {bob, "grant-rights"});
  EXPECT_TRUE(counts(carol, "connect-devices"));
  EXPECT_TRUE(facts_.contains("grounds " + std::string(carol) + " connect-devices " + late));
  EXPECT_TRUE(facts_.contains("grounds " + std::string(carol) + " connect-devices " + early));
}

TEST_F(Trust, ARingOfGrantsHoldsNobodyUpOnceTheOwnerLetsGo) {
  const auto root = say("ann-key", "UserRight", {bob, "grant-rights"});
  say("bob-key", "UserRight", {carol, "grant-rights"});
  say("carol-key", "UserRight", {bob, "grant-rights"});
  ASSERT_TRUE(counts(carol, "grant-rights"));
  say("ann-key", "Retraction", {root});
  EXPECT_FALSE(counts(bob, "grant-rights"));
  EXPECT_FALSE(counts(carol, "grant-rights"));
}

// --- the latest word (decision 41) ---

TEST_F(Trust, ALaterDistrustTakesBackATrust) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  const auto distrust = say("ann-key", "Distrust", {ann, "device"}, {morning + seconds(1)});
  EXPECT_FALSE(reaches_the_rules(trust));
  EXPECT_TRUE(reaches_the_rules(distrust));
  EXPECT_FALSE(status(trust).counts);
  EXPECT_EQ(status(trust).state, ClaimState::accepted);
  EXPECT_EQ(status(trust).reason, "superseded by the later claim " + distrust);
}

TEST_F(Trust, AnOlderCredentialWithheldAndBroughtLaterNeverBeatsANewerOne) {
  const auto distrust = say("ann-key", "Distrust", {ann, "device"}, {morning});
  const auto withheld = say("ann-key", "Trust", {ann, "device"}, {morning - hours(1)});
  EXPECT_TRUE(reaches_the_rules(distrust));
  EXPECT_FALSE(reaches_the_rules(withheld));
}

TEST_F(Trust, OfTwoWordsOfTheSameMomentTheLaterInTheLogHolds) {
  const auto first = say("ann-key", "Trust", {ann, "device"});
  const auto second = say("ann-key", "Distrust", {ann, "device"});
  EXPECT_FALSE(reaches_the_rules(first));
  EXPECT_TRUE(reaches_the_rules(second));
}

TEST_F(Trust, APersonIsOneIssuerHoweverManyKeysTheyHave) {
  say("service", "KeyBinding", {ann, "ann-phone"});
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  const auto distrust = say("ann-phone", "Distrust", {ann, "device"}, {morning + seconds(1)});
  EXPECT_FALSE(reaches_the_rules(trust));
  EXPECT_TRUE(reaches_the_rules(distrust));
}

TEST_F(Trust, OnePersonsWordDoesNotSupersedeAnothers) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  say("bob-key", "Distrust", {bob, "device"}, {morning + seconds(1)});
  EXPECT_TRUE(reaches_the_rules(trust));
}

TEST_F(Trust, TheLatestWordOnceEndedLeavesNoWord) {
  const auto trust = say("ann-key", "Trust", {ann, "device"}, {morning - hours(2)});
  const auto shorter = say("ann-key", "Trust", {ann, "device"}, {morning, morning + hours(1)});
  at(morning + hours(1));
  EXPECT_FALSE(reaches_the_rules(shorter));
  EXPECT_FALSE(reaches_the_rules(trust)) << "an older trust must not come back when a newer one runs out";
  EXPECT_EQ(status(shorter).reason, "expired at 2026-03-01T09:00:00Z");
}

TEST_F(Trust, AClaimWithoutValidFromIsRefusedAsNobodyCouldOrderIt) {
  auto claim = last_;
  claim.id = "timeless";
  claim.statement_hash = "timeless";
  claim.valid_from.reset();
  claim.position = ++position_;
  engine_.add(claim);
  EXPECT_EQ(status("timeless").state, ClaimState::refused);
  EXPECT_NE(status("timeless").reason.find("validFrom"), std::string::npos);
}

// --- time (decision 40) ---

TEST_F(Trust, AClaimOfTomorrowCountsFromTomorrow) {
  const auto claim = say("ann-key", "Trust", {ann, "device"}, {morning + hours(24)});
  EXPECT_FALSE(reaches_the_rules(claim));
  EXPECT_EQ(status(claim).state, ClaimState::accepted);
  EXPECT_EQ(status(claim).reason, "not valid before 2026-03-02T08:00:00Z");
  ASSERT_TRUE(engine_.next_edge());
  EXPECT_EQ(*engine_.next_edge(), morning + hours(24) - seconds(60));
  at(*engine_.next_edge());
  EXPECT_TRUE(reaches_the_rules(claim));
}

TEST_F(Trust, AClaimOfAClockAMinuteAheadCountsNow) {
  EXPECT_TRUE(reaches_the_rules(say("ann-key", "Trust", {ann, "device"}, {morning + seconds(60)})));
  EXPECT_FALSE(reaches_the_rules(say("ann-key", "Trust", {ann, "device2"}, {morning + seconds(61)})));
}

TEST_F(Trust, ADistrustOfTomorrowDoesNotEndTodaysTrust) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  say("ann-key", "Distrust", {ann, "device"}, {morning + hours(24)});
  EXPECT_TRUE(reaches_the_rules(trust));
  at(morning + hours(24));
  EXPECT_FALSE(reaches_the_rules(trust));
}

TEST_F(Trust, AClaimEndsAtTheMomentItSays) {
  const auto claim = say("ann-key", "Trust", {ann, "device"}, {morning, morning + hours(1)});
  EXPECT_EQ(engine_.next_edge(), morning + hours(1));
  at(morning + hours(1) - std::chrono::microseconds(1));
  EXPECT_TRUE(reaches_the_rules(claim));
  at(morning + hours(1));
  EXPECT_FALSE(reaches_the_rules(claim));
  EXPECT_FALSE(engine_.next_edge());
}

TEST_F(Trust, AClaimThatCameTooLateNeverCounts) {
  const auto claim = say("ann-key", "Trust", {ann, "device"}, {morning - hours(2), morning - hours(1)});
  EXPECT_FALSE(reaches_the_rules(claim));
  EXPECT_EQ(status(claim).reason, "expired at 2026-03-01T07:00:00Z");
}

TEST_F(Trust, TimeNeverGoesBack) {
  const auto claim = say("ann-key", "Trust", {ann, "device"}, {morning, morning + hours(1)});
  at(morning + hours(2));
  at(morning);
  EXPECT_FALSE(reaches_the_rules(claim));
  EXPECT_FALSE(reaches_the_rules(say("ann-key", "Trust", {ann, "device2"}, {morning, morning + hours(1)})));
}

TEST_F(Trust, AStrangersClaimDoesNotMakeTheLogGrowWithTheClock) {
  say("stranger", "Trust", {ann, "device"}, {morning + hours(1), morning + hours(2)});
  EXPECT_FALSE(engine_.next_edge());
}

// --- retraction (decision 43) ---

TEST_F(Trust, ARetractionByTheIssuerTakesTheClaimBack) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  const auto retraction = say("ann-key", "Retraction", {trust});
  EXPECT_FALSE(reaches_the_rules(trust));
  EXPECT_EQ(status(trust).state, ClaimState::accepted);
  EXPECT_FALSE(status(trust).counts);
  EXPECT_EQ(status(trust).reason, "retracted by ann@example.org with claim " + retraction);
  EXPECT_TRUE(status(retraction).counts);
}

TEST_F(Trust, ARetractionByAnotherKeyOfTheSamePersonWorks) {
  say("service", "KeyBinding", {ann, "ann-phone"});
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  say("ann-phone", "Retraction", {trust});
  EXPECT_FALSE(reaches_the_rules(trust));
}

TEST_F(Trust, NobodyRetractsAnothersClaimNotEvenAnOwner) {
  const auto trust = say("bob-key", "Trust", {bob, "device"});
  const auto retraction = say("ann-key", "Retraction", {trust});
  EXPECT_TRUE(reaches_the_rules(trust));
  EXPECT_EQ(status(retraction).state, ClaimState::refused);
  EXPECT_EQ(status(retraction).reason, "only who issued a claim may retract it");
}

TEST_F(Trust, ARetractionMayComeBeforeItsTarget) {
  const auto target = id(position_ + 2);
  const auto retraction = say("ann-key", "Retraction", {target});
  EXPECT_EQ(status(retraction).reason, "the claim it retracts has not been received");
  ASSERT_EQ(say("ann-key", "Trust", {ann, "device"}), target);
  EXPECT_FALSE(reaches_the_rules(target));
  EXPECT_TRUE(status(retraction).counts);
}

TEST_F(Trust, ARetractionMayComeBeforeTheBindingThatShowsItIsOfTheSamePerson) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  say("ann-phone", "Retraction", {trust});
  EXPECT_TRUE(reaches_the_rules(trust));
  say("service", "KeyBinding", {ann, "ann-phone"});
  EXPECT_FALSE(reaches_the_rules(trust));
}

TEST_F(Trust, ARetractionOfTomorrowTakesNothingBackToday) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  const auto retraction = say("ann-key", "Retraction", {trust}, {morning + hours(24)});
  EXPECT_TRUE(reaches_the_rules(trust));
  EXPECT_EQ(status(retraction).reason, "not valid before 2026-03-02T08:00:00Z");
  at(engine_.next_edge().value());
  EXPECT_FALSE(reaches_the_rules(trust));
}

TEST_F(Trust, ARetractionIsForGood) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  const auto retraction = say("ann-key", "Retraction", {trust});
  const auto second = say("ann-key", "Retraction", {retraction});
  EXPECT_FALSE(reaches_the_rules(trust));
  EXPECT_EQ(status(second).state, ClaimState::refused);
  EXPECT_EQ(status(second).reason, "a retraction is for good");
}

TEST_F(Trust, ARetractionStaysWhenTheKeyThatSignedItIsUnboundLater) {
  const auto binding = say("service", "KeyBinding", {ann, "ann-phone"});
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  say("ann-phone", "Retraction", {trust});
  say("service", "Retraction", {binding});
  EXPECT_FALSE(reaches_the_rules(trust));
}

TEST_F(Trust, TheSameStatementUnderAnotherProofIsRetractedToo) {
  // Decision 42: another encoding of a statement is not another statement.
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  auto again = last_;
  say("ann-key", "Retraction", {trust});
  again.id = "another-proof";
  again.position = ++position_;
  engine_.add(again);
  fold_facts();
  EXPECT_FALSE(reaches_the_rules("another-proof"));
}

TEST_F(Trust, RetractingADistrustLetsTheTrustBeforeItStandAgain) {
  const auto trust = say("ann-key", "Trust", {ann, "device"});
  const auto distrust = say("ann-key", "Distrust", {ann, "device"}, {morning + seconds(1)});
  say("ann-key", "Retraction", {distrust});
  EXPECT_TRUE(reaches_the_rules(trust));
}

TEST_F(Trust, ARefusedClaimNeitherCountsNorCanBeUsedToRetract) {
  VerifiedClaim forged;
  forged.id = "forged";
  forged.statement_hash = "statement of forged";
  forged.issuer = "ann-key";
  forged.statement = {"Trust", {ann, "device"}};
  forged.valid_from = morning;
  forged.position = ++position_;
  forged.refusal = "bad signature: the proof does not hold";
  engine_.add(forged);
  fold_facts();
  EXPECT_FALSE(reaches_the_rules("forged"));
  EXPECT_EQ(status("forged").state, ClaimState::refused);
  EXPECT_EQ(status("forged").reason, "bad signature: the proof does not hold");
  const auto retraction = say("ann-key", "Retraction", {"forged"});
  EXPECT_FALSE(status(retraction).counts);
}

// --- makers and owners ---

TEST_F(Trust, APurchaseSignedByTheDevicesOwnMakerIsAFact) {
  see("device", "maker");
  const auto sale = say("maker", "Purchase", {"device", ann, "lamp"});
  EXPECT_TRUE(facts_.contains("purchase device maker " + std::string(ann) + " lamp 2026-03-01T08:00:00Z " + sale));
}

TEST_F(Trust, APurchaseWithoutADeviceTypeIsAFactToo) {
  see("device", "maker");
  EXPECT_TRUE(reaches_the_rules(say("maker", "Purchase", {"device", ann})));
}

TEST_F(Trust, APurchaseSignedByAnotherMakerIsRefused) {
  see("device", "maker");
  const auto sale = say("other-maker", "Purchase", {"device", ann, "lamp"});
  EXPECT_FALSE(reaches_the_rules(sale));
  EXPECT_EQ(status(sale).reason, "other-maker does not sell for the manufacturer of the device, maker");
}

TEST_F(Trust, APurchaseWaitsUntilItsDeviceIsSeen) {
  const auto sale = say("maker", "Purchase", {"device", ann, "lamp"});
  EXPECT_EQ(status(sale).state, ClaimState::accepted);
  EXPECT_FALSE(status(sale).counts);
  EXPECT_FALSE(reaches_the_rules(sale));
  see("device", "maker");
  EXPECT_TRUE(reaches_the_rules(sale));
  EXPECT_EQ(status(sale).state, ClaimState::accepted);
}

TEST_F(Trust, APurchaseSignedByAKeyThatSellsForTheMakerNamesThatKeysCredential) {
  see("device", "maker");
  const auto sale = say("sales-key", "Purchase", {"device", ann, "lamp"});
  EXPECT_FALSE(reaches_the_rules(sale));
  const auto key = say("maker", "ManufacturerKey", {"maker", "sales-key", "purchase"});
  EXPECT_TRUE(facts_.contains("rests_on " + sale + " " + key));
  say("maker", "Retraction", {key});
  EXPECT_FALSE(reaches_the_rules(sale));
}

TEST_F(Trust, APurchaseRestsOnAnotherCredentialOfItsKeyWhenTheFirstFalls) {
  see("device", "maker");
  const auto first = say("maker", "ManufacturerKey", {"maker", "sales-key", "purchase"});
  const auto second = say("ann-key", "ManufacturerKey", {"maker", "sales-key", "purchase"});
  const auto sale = say("sales-key", "Purchase", {"device", ann, "lamp"});
  ASSERT_TRUE(facts_.contains("rests_on " + sale + " " + first));
  say("maker", "Retraction", {first});
  EXPECT_FALSE(facts_.contains("rests_on " + sale + " " + first));
  EXPECT_TRUE(facts_.contains("rests_on " + sale + " " + second));
}

TEST_F(Trust, AKeyForAnotherRoleDoesNotSell) {
  see("device", "maker");
  say("maker", "ManufacturerKey", {"maker", "sales-key", "sbom"});
  EXPECT_FALSE(reaches_the_rules(say("sales-key", "Purchase", {"device", ann, "lamp"})));
}

TEST_F(Trust, APersonEntitledToTrustMakersMayNameTheirKeys) {
  see("device", "maker");
  say("ann-key", "ManufacturerKey", {"maker", "sales-key", "purchase"});
  EXPECT_TRUE(reaches_the_rules(say("sales-key", "Purchase", {"device", ann, "lamp"})));
}

TEST_F(Trust, OthersMayNotNameAMakersKeysUntilTheyGetTheRight) {
  see("device", "maker");
  const auto key = say("bob-key", "ManufacturerKey", {"maker", "sales-key", "purchase"});
  const auto sale = say("sales-key", "Purchase", {"device", ann, "lamp"});
  EXPECT_FALSE(reaches_the_rules(sale));
  EXPECT_EQ(status(key).reason, "bob@example.org lacks the right trust-manufacturers");
  say("ann-key", "UserRight", {bob, "trust-manufacturers"});
  EXPECT_TRUE(reaches_the_rules(sale));
}

TEST_F(Trust, ASaleRecordedByOneKeyOfTheMakerMayBeRetractedByAnother) {
  see("device", "maker");
  say("maker", "ManufacturerKey", {"maker", "sales-key", "purchase"});
  const auto sale = say("sales-key", "Purchase", {"device", ann, "lamp"});
  say("maker", "Retraction", {sale});
  EXPECT_FALSE(reaches_the_rules(sale));
}

TEST_F(Trust, AnOwnerDeclarationIsOfThePersonWhoSignsIt) {
  see("device", "maker");
  const auto claim = say("ann-key", "OwnerDeclaration", {"device", "lamp"});
  EXPECT_TRUE(facts_.contains("owner_declaration device " + std::string(ann) + " lamp 2026-03-01T08:00:00Z " + claim));
}

TEST_F(Trust, AnOwnerDeclarationWithoutTheRightIsRefused) {
  const auto claim = say("bob-key", "OwnerDeclaration", {"device", "lamp"});
  EXPECT_EQ(status(claim).state, ClaimState::refused);
  EXPECT_EQ(status(claim).reason, "bob@example.org lacks the right connect-devices");
}

TEST_F(Trust, OnlyOwnersOwnTrustMakesCommonOwnership) {
  say("ann-key", "UserRight", {bob, "connect-devices"});
  const auto trust = say("ann-key", "Trust", {ann, "router"});
  say("bob-key", "Trust", {bob, "router"});
  EXPECT_EQ(engine_.owners_trusting("router"), std::vector<std::string>{ann});
  EXPECT_EQ(engine_.take_trust_changes(), std::vector<std::string>{"router"});
  say("ann-key", "Retraction", {trust});
  EXPECT_TRUE(engine_.owners_trusting("router").empty());
}

TEST_F(Trust, TheLatestObservationOfADeviceHolds) {
  see("device", "maker");
  see("device", "maker2");
  EXPECT_EQ(std::ranges::count_if(facts_, [](const auto& line) { return line.starts_with("observed device "); }), 1);
  EXPECT_TRUE(facts_.contains("observed device maker2 serial of device"));
}

TEST_F(Trust, ListsClaimsByPositionInPages) {
  const auto all = engine_.list(0, 100);
  ASSERT_EQ(all.size(), 3U);
  const auto page = engine_.list(all[0].position, 1);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].id, all[1].id);
  EXPECT_EQ(engine_.accepted(), 3U);
  EXPECT_EQ(engine_.refused(), 0U);
}

}  // namespace
}  // namespace cahn::cascade
