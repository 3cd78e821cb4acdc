// The whole of C and D with real TLS: pledge, registrar, MASA, EST and domain CA.

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "requests.h"

namespace cahn::brski {
namespace {

using admission::PolicyPoint;
using test::Device;
using test::need;
using test::Road;
using test::ScriptedAdmission;

std::string said(const Result<NetworkCredential>& result) { return result ? "" : result.error().message; }

TEST(TheRoad, TakesADeviceFromItsIDevIDToAnLDevIDOfTheDomain) {
  Road road;
  const Device device = road.born("00-D0-E5-01");
  const auto pledge = need(Pledge::open(road.pledge_options(device)));
  const auto got = road.onboard(*pledge);
  ASSERT_TRUE(got) << said(got);
  EXPECT_EQ(got->ldevid.subject_serial_number(), "00-D0-E5-01");
  EXPECT_EQ(got->ldevid.common_name(), "lab network");
  EXPECT_EQ(got->network, "lab network");
  EXPECT_EQ(got->ldevid.uris(), std::vector<std::string>{"urn:cahn:network:lab%20network"});
  EXPECT_TRUE(got->ldevid.signed_by(road.domain_ca().certificate().public_key()));
  // Decision 9: a key pair of its own.
  EXPECT_FALSE(got->ldevid.public_key() == device.certificate().public_key());
}

TEST(TheRoad, KeepsThePairOfIDevIDAndLDevID) {
  Road road;
  const Device device = road.born("1");
  const auto pledge = need(Pledge::open(road.pledge_options(device)));
  const auto got = road.onboard(*pledge);
  ASSERT_TRUE(got) << said(got);
  const auto by_idevid = road.registry().by_idevid(device.certificate());
  ASSERT_TRUE(by_idevid);
  EXPECT_TRUE(by_idevid->voucher_at);
  ASSERT_EQ(by_idevid->ldevids.size(), 1u);
  EXPECT_EQ(by_idevid->ldevids.front(), got->ldevid);
  const auto by_ldevid = road.registry().by_ldevid_serial(got->ldevid.serial_hex());
  ASSERT_TRUE(by_ldevid);
  EXPECT_EQ(by_ldevid->idevid, device.certificate());
  EXPECT_EQ(by_ldevid->device, test::name_of_key(device.certificate().public_key()));
}

TEST(TheRoad, LeavesItsVouchersInTheAuditLogTheNewestInFullAndTheEarlierAsACount) {
  Road road;
  const Device device = road.born("1");
  for (int i = 0; i < 2; ++i) {
    const auto pledge = need(Pledge::open(road.pledge_options(device)));
    const auto got = road.onboard(*pledge);
    ASSERT_TRUE(got) << said(got);
  }
  const AuditLog log = need(road.masa().audit_log(device.certificate()));
  ASSERT_EQ(log.events.size(), 1u) << "RFC 8995 5.8.1: of one domain the newest, with the count of those before it";
  EXPECT_EQ(log.events[0].truncated, 1u);
  EXPECT_TRUE(log.events[0].nonce);
  EXPECT_EQ(log.events[0].domain_id, road.domain_ca().certificate().domain_id());
  EXPECT_EQ(log.events[0].assertion, voucher::Assertion::proximity);
}

TEST(TheRoad, PinsTheDomainCAOrTheRegistrarItselfAsTheMasaIsTold) {
  for (const PinPolicy pin : {PinPolicy::farthest, PinPolicy::end_entity}) {
    test::RoadOptions options;
    options.pin = pin;
    Road road(options);
    const Device device = road.born("1");
    const auto pledge = need(Pledge::open(road.pledge_options(device)));
    const auto got = road.onboard(*pledge);
    ASSERT_TRUE(got) << said(got);
    const auto opened = need(voucher::open(got->voucher, voucher::Root::voucher));
    const auto& expected =
        pin == PinPolicy::farthest ? road.domain_ca().certificate() : road.registrar_identity().chain.front();
    EXPECT_EQ(opened.voucher.pinned_domain_cert, expected);
  }
}

TEST(TheRoad, WorksForAPledgeWithoutAClock) {
  Road road;
  const Device device = road.born("1");
  PledgeOptions options = road.pledge_options(device);
  options.clock = nullptr;
  const auto pledge = need(Pledge::open(std::move(options)));
  const auto got = road.onboard(*pledge);
  EXPECT_TRUE(got) << said(got);
}

TEST(TheRoad, GivesPolicyWhatTheRolesHaveVerified) {
  Road road;
  const Device device = road.born("1");
  const auto pledge = need(Pledge::open(road.pledge_options(device)));
  ASSERT_TRUE(road.onboard(*pledge));
  const auto received = road.registrar_policy().last(PolicyPoint::registrar_receives);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->idevid, device.certificate());
  EXPECT_EQ(received->manufacturer, road.maker().ca.certificate);
  EXPECT_EQ(received->serial_number, "1");
  EXPECT_EQ(received->masa_url, road.masa_authority());
  EXPECT_EQ(received->network, "lab network");
  const auto returned = road.registrar_policy().last(PolicyPoint::registrar_returns);
  ASSERT_TRUE(returned);
  EXPECT_EQ(returned->owner, road.domain_ca().certificate());
  EXPECT_EQ(returned->assertion, voucher::Assertion::proximity);
  EXPECT_EQ(road.registrar_policy().asked(PolicyPoint::registrar_enrols), 1);
  const auto masa = road.masa_policy().last(PolicyPoint::masa_receives);
  ASSERT_TRUE(masa);
  EXPECT_EQ(masa->idevid, device.certificate());
  EXPECT_EQ(masa->owner, road.domain_ca().certificate());
}

TEST(TheRoad, TellsItsStoryStepByStep) {
  std::mutex mutex;
  std::vector<std::string> stages;
  test::RoadOptions road_options;
  road_options.on_progress = [&](const Progress& p) {
    const std::lock_guard lock(mutex);
    if (p.done) stages.emplace_back(p.stage);
  };
  Road road(road_options);
  const Device device = road.born("1");
  PledgeOptions options = road.pledge_options(device);
  options.on_progress = road_options.on_progress;
  const auto pledge = need(Pledge::open(std::move(options)));
  ASSERT_TRUE(road.onboard(*pledge));
  const std::lock_guard lock(mutex);
  for (const char* stage :
       {"0.4", "C.0", "C.1", "C.3", "C.4", "C.5", "C.6", "C.9", "C.10", "D.0", "D.2", "D.5", "D.6", "D.7"}) {
    EXPECT_NE(std::ranges::find(stages, stage), stages.end()) << stage;
  }
}

TEST(TheRoad, IsWalkedByManyDevicesAtOnce) {
  Road road;
  constexpr int count = 20;
  std::vector<std::unique_ptr<Pledge>> pledges;
  for (int i = 0; i < count; ++i)
    pledges.push_back(need(Pledge::open(road.pledge_options(road.born(std::to_string(i))))));
  std::vector<std::future<Result<NetworkCredential>>> results;
  for (auto& pledge : pledges) {
    results.push_back(std::async(std::launch::async, [&road, p = pledge.get()]() { return road.onboard(*p); }));
  }
  for (auto& result : results) {
    const auto got = result.get();
    EXPECT_TRUE(got) << said(got);
  }
  EXPECT_EQ(road.registry().all().size(), static_cast<std::size_t>(count));
}

// --- policy -------------------------------------------------------------------------------------------------------

TEST(ADecisionThatIsStillOpen, IsWaitedForAndThenTheSameRequestSucceeds) {
  Road road;
  const Device device = road.born("1");
  road.registrar_policy().answer(PolicyPoint::registrar_receives, ScriptedAdmission::Verdict::later);
  PledgeOptions options = road.pledge_options(device);
  options.longest_pause = std::chrono::milliseconds(20);
  const auto pledge = need(Pledge::open(std::move(options)));
  auto waiting = std::async(std::launch::async, [&]() { return road.onboard(*pledge); });
  while (road.registrar_policy().asked(PolicyPoint::registrar_receives) < 3) std::this_thread::yield();
  EXPECT_EQ(road.masa_policy().asked(PolicyPoint::masa_receives), 0) << "nothing leaves while policy has not decided";
  road.registrar_policy().answer(PolicyPoint::registrar_receives, ScriptedAdmission::Verdict::permit);
  const auto got = waiting.get();
  EXPECT_TRUE(got) << said(got);
}

TEST(ADecisionThatIsStillOpen, IsNotWaitedForLongerThanThePledgesPatience) {
  Road road;
  const Device device = road.born("1");
  road.registrar_policy().answer(PolicyPoint::registrar_receives, ScriptedAdmission::Verdict::later);
  PledgeOptions options = road.pledge_options(device);
  options.longest_pause = std::chrono::milliseconds(10);
  options.patience = std::chrono::milliseconds(50);
  const auto pledge = need(Pledge::open(std::move(options)));
  const auto got = road.onboard(*pledge);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, BrskiError::gave_up);
}

TEST(ADecisionThatIsStillOpen, IsAnsweredWithARetryAfterOfAMinuteAtMost) {
  Road road;
  const Device device = road.born("1");
  road.registrar_policy().answer(PolicyPoint::registrar_receives, ScriptedAdmission::Verdict::later,
                                 std::chrono::hours(5));
  const Bytes body = test::signed_pledge_request(device, road.registrar_identity().chain.front());
  const auto answer = need(test::request_voucher(road, road.registrar_endpoint(), device.idevid, body));
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.headers.get("Retry-After"), "60");
}

class APolicyThatDenies : public testing::TestWithParam<PolicyPoint> {};

TEST_P(APolicyThatDenies, EndsTheOnboardingWithoutSayingWhy) {
  Road road;
  const Device device = road.born("1");
  const bool at_masa = GetParam() == PolicyPoint::masa_receives;
  (at_masa ? road.masa_policy() : road.registrar_policy()).answer(GetParam(), ScriptedAdmission::Verdict::deny);
  const auto pledge = need(Pledge::open(road.pledge_options(device)));
  const auto got = road.onboard(*pledge);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("403"), std::string::npos) << got.error().message;
  EXPECT_EQ(got.error().message.find("script"), std::string::npos) << "the reason is the operator's";
  const auto record = road.registry().by_idevid(device.certificate());
  EXPECT_TRUE(!record || record->ldevids.empty());
}

TEST_P(APolicyThatDenies, IsNotOverruledByAFaultOfItsEngine) {
  Road road;
  const Device device = road.born("1");
  const bool at_masa = GetParam() == PolicyPoint::masa_receives;
  (at_masa ? road.masa_policy() : road.registrar_policy()).fail_at(GetParam());
  const auto pledge = need(Pledge::open(road.pledge_options(device)));
  EXPECT_FALSE(road.onboard(*pledge)) << "an error is never a permit";
}

INSTANTIATE_TEST_SUITE_P(AtEveryPoint, APolicyThatDenies,
                         testing::Values(PolicyPoint::registrar_receives, PolicyPoint::masa_receives,
                                         PolicyPoint::registrar_returns, PolicyPoint::registrar_enrols));

TEST(ADenialAtC3, KeepsTheManufacturerFromHearingAnything) {
  Road road;
  const Device device = road.born("1");
  road.registrar_policy().answer(PolicyPoint::registrar_receives, ScriptedAdmission::Verdict::deny);
  const auto pledge = need(Pledge::open(road.pledge_options(device)));
  EXPECT_FALSE(road.onboard(*pledge));
  EXPECT_EQ(road.masa_policy().asked(PolicyPoint::masa_receives), 0);
  EXPECT_TRUE(need(road.masa().audit_log(device.certificate())).events.empty());
}

TEST(APledgesOwnPolicy, StopsItBeforeItAsksAndBeforeItBelieves) {
  Road road;
  const Device device = road.born("1");
  for (const PolicyPoint point : {PolicyPoint::pledge_requests, PolicyPoint::pledge_receives}) {
    ScriptedAdmission policy;
    policy.answer(point, ScriptedAdmission::Verdict::deny);
    PledgeOptions options = road.pledge_options(device);
    options.admission = &policy;
    const auto pledge = need(Pledge::open(std::move(options)));
    const auto got = road.onboard(*pledge);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, BrskiError::forbidden);
  }
  // At C.1 nobody heard of it: of the two attempts one asked the registrar.
  EXPECT_EQ(road.registrar_policy().asked(PolicyPoint::registrar_receives), 1);
}

}  // namespace
}  // namespace cahn::brski
