#include "assurance/access_table.h"

#include <gtest/gtest.h>

#include "net/async.h"
#include "tests/unit/assurance/parties.h"
#include "tests/unit/base/temporary_folder.h"

namespace cahn::assurance {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::deny;
using test::join_of;
using test::must;
using test::permit;

class AccessTableTest : public testing::Test {
 protected:
  AccessTableTest() {
    runtime_.start();
    open();
  }
  void open(AccessTableOptions options = {}) {
    table_.reset();
    if (!store_) store_ = must(store::Store::open(folder_ / "router.db"));
    table_ = must(AccessTable::open(*store_, clock_, options));
  }
  void keep(store::Batch batch) {
    const auto kept = net::run_blocking<Result<void>>(runtime_, [&] { return table_->keep(std::move(batch)); });
    ASSERT_TRUE(kept) << kept.error().message;
  }
  void take(const Access& access) { keep(table_->take(access, hours(1)).batch); }
  bool may_join(const bearer::JoinRequest& request) { return table_->answer(request).permit; }

  test::TemporaryFolder folder_;
  net::Runtime runtime_{1};
  test::ManualBootClock clock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<AccessTable> table_;
};

TEST_F(AccessTableTest, LetsInWhoeverWasPermittedIntoItsSegment) {
  take(permit(1, 1));
  const auto answer = table_->answer(join_of(permit(1, 1)));
  EXPECT_TRUE(answer.permit) << answer.reason;
  EXPECT_EQ(answer.device, permit(1, 1).device);
  EXPECT_EQ(answer.segment, "trusted");
}

TEST_F(AccessTableTest, RefusesUnknownCertificatesAndDeniedDevices) {
  EXPECT_FALSE(may_join(join_of(permit(1, 1))));
  take(deny(1, 1));
  EXPECT_FALSE(may_join(join_of(permit(1, 1))));
  EXPECT_EQ(table_->answer(join_of(permit(1, 1))).reason, deny(1, 1).reason);
}

// A bearer that only ever saw a device refused must still know its station, to invite it when it is welcome again.
TEST_F(AccessTableTest, NamesTheDeviceItRefusesButNotWhoOnlyClaimsToBeIt) {
  take(deny(1, 1));
  EXPECT_EQ(table_->answer(join_of(permit(1, 1))).device, deny(1, 1).device);
  auto somebody = join_of(permit(1, 1));
  somebody.claimed_identity = "somebody-else";
  EXPECT_EQ(table_->answer(somebody).device, "");
}

// Decision 65.
TEST_F(AccessTableTest, RefusesAnEapIdentityThatIsNotTheDevices) {
  take(permit(1, 1));
  auto request = join_of(permit(1, 1));
  for (const auto* good : {"SN-1", "@home.example", "@eap.arpa"}) {
    request.claimed_identity = good;
    EXPECT_TRUE(may_join(request)) << good;
  }
  for (const auto* bad : {"", "@", "SN-2", "SN-1@home.example", "ann", "@a@b", "sn-1", "SN-1 "}) {
    request.claimed_identity = bad;
    EXPECT_FALSE(may_join(request)) << bad;
  }
}

TEST_F(AccessTableTest, RefusesACertificateOfAnotherIssuerOrSubject) {
  take(permit(1, 1));
  auto request = join_of(permit(1, 1));
  for (const auto* issuer : {"", "/CN=owner's CA 2", "/O=home/CN=another", "/CN=", "CN=owner's CA"}) {
    request.certificate_issuer = issuer;
    EXPECT_FALSE(may_join(request)) << issuer;
  }
  for (const auto* issuer : {"CN=owner's CA,O=home", "/CN=owner's CA", "/CN=owner's CA/O=home"}) {
    request.certificate_issuer = issuer;
    EXPECT_TRUE(may_join(request)) << issuer;
  }
  request.certificate_subject_serial = "SN-2";
  EXPECT_FALSE(may_join(request));
}

TEST_F(AccessTableTest, KnowsAllLDevIDsOfADeviceAndForgetsThoseItLost) {
  auto access = permit(1, 1);
  const auto old_one = join_of(access);
  access.ldevids.push_back({"beef", access.ldevids[0].issuer});
  access.number = 2;
  take(access);
  EXPECT_TRUE(may_join(old_one));
  EXPECT_TRUE(may_join(join_of(access)));
  access.ldevids.erase(access.ldevids.begin());
  access.number = 3;
  take(access);
  EXPECT_FALSE(may_join(old_one));
  EXPECT_TRUE(may_join(join_of(access)));
}

TEST_F(AccessTableTest, AnOlderDecisionChangesNothing) {
  take(deny(1, 5));
  EXPECT_EQ(table_->take(permit(1, 4), hours(1)).newness, AccessTable::Newness::old);
  EXPECT_FALSE(may_join(join_of(permit(1, 4))));
  EXPECT_EQ(table_->take(deny(1, 5), hours(1)).newness, AccessTable::Newness::again);
  EXPECT_EQ(table_->number(), 5U);
}

TEST_F(AccessTableTest, RefusesEverybodyWhenTheLeaseHasRunOut) {
  take(permit(1, 1));
  clock_.advance(hours(1) - seconds(1));
  EXPECT_TRUE(may_join(join_of(permit(1, 1))));
  clock_.advance(seconds(1));
  EXPECT_FALSE(may_join(join_of(permit(1, 1))));
  keep(table_->renew(seconds(60)));
  EXPECT_TRUE(may_join(join_of(permit(1, 1))));
}

TEST_F(AccessTableTest, NobodyStaysPastTheLeaseByAnOldAnswer) {
  take(permit(1, 1));
  clock_.advance(hours(1) - seconds(90));
  EXPECT_EQ(table_->answer(join_of(permit(1, 1))).session, seconds(90));
}

TEST_F(AccessTableTest, WithFailOpenTheLastDecisionsGoOnCounting) {
  open({.fail_closed = false});
  take(permit(1, 1));
  take(deny(2, 2));
  clock_.advance(hours(10));
  EXPECT_TRUE(may_join(join_of(permit(1, 1))));
  EXPECT_FALSE(may_join(join_of(permit(2, 1))));
}

TEST_F(AccessTableTest, SurvivesARestartWithWhatIsLeftOfTheLease) {
  take(permit(1, 1));
  take(deny(2, 2));
  clock_.advance(minutes(30));
  open();
  EXPECT_EQ(table_->number(), 2U);
  EXPECT_EQ(table_->entries().size(), 2U);
  EXPECT_TRUE(may_join(join_of(permit(1, 1))));
  EXPECT_EQ(table_->lease_left(), minutes(30));
  clock_.advance(minutes(30));
  EXPECT_FALSE(may_join(join_of(permit(1, 1))));
}

TEST_F(AccessTableTest, AfterARebootTheRegistrarMustBeHeardFirst) {
  take(permit(1, 1));
  clock_.reboot();
  open();
  EXPECT_FALSE(may_join(join_of(permit(1, 1))));
  keep(table_->renew(seconds(60)));
  EXPECT_TRUE(may_join(join_of(permit(1, 1))));
}

TEST_F(AccessTableTest, AWholeStateTakesThePlaceOfEverything) {
  take(permit(1, 7));
  take(permit(2, 8));
  keep(table_->replace("e2", 3, {permit(2, 2), deny(3, 3)}, hours(1)));
  EXPECT_FALSE(may_join(join_of(permit(1, 7))));
  EXPECT_TRUE(may_join(join_of(permit(2, 2))));
  EXPECT_EQ(table_->number(), 3U);
  open();
  EXPECT_EQ(table_->epoch(), "e2");
  EXPECT_EQ(table_->number(), 3U);
  EXPECT_FALSE(table_->find(permit(1, 7).device));
  EXPECT_TRUE(may_join(join_of(permit(2, 2))));
}

TEST_F(AccessTableTest, IsNotOpenedOnDamagedRecords) {
  store::Batch damage;
  damage.puts.push_back({"assurance.access", "did:key:zx", to_bytes(std::string_view("{}"))});
  ASSERT_TRUE(store_->commit_and_wait(std::move(damage)));
  const auto opened = AccessTable::open(*store_, clock_, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, store::StoreError::corrupt);
}

}  // namespace
}  // namespace cahn::assurance
