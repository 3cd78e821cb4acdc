// Devices about which nobody has decided yet, and the operator's word (RFC 8995 5.6, decision 5).

#include "brski/registrar_pending.h"

#include "brski/registrar_orders.h"
#include "own_masa.h"

namespace cahn::brski {
namespace {

using admission::PolicyPoint;
using test::Device;
using test::need;
using Verdict = test::ScriptedAdmission::Verdict;

class AnUndecidedDevice : public test::RegistrarTest {
 protected:
  AnUndecidedDevice() : RegistrarTest(Time::stands_still) {}
  void policy(Verdict verdict) {
    road_.registrar_policy().answer(PolicyPoint::registrar_receives, verdict, std::chrono::seconds(7));
  }
  net::HttpResponse decide(std::string_view decision) {
    return order("/pending/" + id_of(device_),
                 R"({"decision":")" + std::string(decision) + R"(","reason":"seen on the shelf"})");
  }
  int asked_masa() { return road_.masa_policy().asked(PolicyPoint::masa_receives); }

  Device device_ = road_.born("1");
  const Bytes request_ = test::signed_pledge_request(device_, own());
};

TEST_F(AnUndecidedDevice, IsToldToComeBackAndIsOnTheOperatorsList) {  // B-194
  policy(Verdict::later);
  const auto answer = ask(device_, request_);
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.headers.get("Retry-After"), "7");
  EXPECT_EQ(asked_masa(), 0);
  const auto list = show("/pending");
  EXPECT_EQ(list.status, 200);
  test::expect_in(id_of(device_), list);
  test::expect_in("\"serialNumber\": \"1\"", list);
  test::expect_in("\"undecided\": \"the script says so\"", list);
  test::expect_in("\"state\": \"waiting\"", list);
}

TEST_F(AnUndecidedDevice, IsServedForTheSameBytesOnceAClaimDecides) {  // B-194
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  EXPECT_EQ(ask(device_, request_).status, 202);
  policy(Verdict::permit);
  EXPECT_EQ(ask(device_, request_).status, 200);
  EXPECT_EQ(to_string(show("/pending").body), "[]\n") << "nobody waits any more";
}

TEST_F(AnUndecidedDevice, IsRefusedOnceAClaimDeniesIt) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  policy(Verdict::deny);
  EXPECT_EQ(ask(device_, request_).status, 403);
  EXPECT_EQ(to_string(show("/pending").body), "[]\n");
}

TEST_F(AnUndecidedDevice, IsServedForTheSameBytesOnceAnOperatorApproves) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  EXPECT_EQ(decide("approve").status, 200);
  EXPECT_EQ(ask(device_, request_).status, 200);
  EXPECT_EQ(asked_masa(), 1);
  road_.registrar_policy().answer(PolicyPoint::registrar_enrols, Verdict::later);
  EXPECT_EQ(enrol(device_).status, 200) << "the word counts for the enrolment too";
}

TEST_F(AnUndecidedDevice, IsRefusedOnceAnOperatorRejectsAndUntilHeForgets) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  EXPECT_EQ(decide("reject").status, 200);
  const auto refused = ask(device_, request_);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(as_text(refused.body), "this registrar does not admit this device");
  policy(Verdict::permit);
  EXPECT_EQ(ask(device_).status, 403) << "a rejection stands above policy";
  clock_.advance(std::chrono::days(30));
  EXPECT_EQ(ask(device_).status, 403) << "and does not fade";
  EXPECT_EQ(asked_masa(), 0);
  EXPECT_EQ(decide("forget").status, 200);
  EXPECT_EQ(ask(device_).status, 200);
}

TEST_F(AnUndecidedDevice, ThatWasVoucheredIsRefusedItsEnrolmentByARejection) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  EXPECT_EQ(decide("approve").status, 200);
  EXPECT_EQ(ask(device_, request_).status, 200);
  EXPECT_EQ(decide("reject").status, 200);
  EXPECT_EQ(enrol(device_).status, 403);
}

TEST_F(AnUndecidedDevice, IsNotServedAgainstPolicysDenialByAnApproval) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  EXPECT_EQ(decide("approve").status, 200);
  policy(Verdict::deny);
  EXPECT_EQ(ask(device_, request_).status, 403);
}

TEST_F(AnUndecidedDevice, IsRememberedAcrossARestartAndSoIsTheOperatorsWord) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  road_.restart_registrar();
  test::expect_in(id_of(device_), show("/pending"));
  EXPECT_EQ(decide("approve").status, 200);
  road_.restart_registrar();
  EXPECT_EQ(ask(device_, request_).status, 200);
}

TEST_F(AnUndecidedDevice, IsKeptForFourDaysAndThenMustMakeANewRequest) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  clock_.advance(std::chrono::days(4) - std::chrono::minutes(1));
  EXPECT_EQ(ask(device_, request_).status, 202);
  clock_.advance(std::chrono::minutes(2));
  const auto stale = ask(device_, request_);
  EXPECT_EQ(stale.status, 403);
  test::expect_in("not decided in time", stale);
  EXPECT_EQ(ask(device_).status, 202) << "another request waits anew";
}

TEST_F(AnUndecidedDevice, HasAnApprovalThatFades) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  EXPECT_EQ(decide("approve").status, 200);
  clock_.advance(std::chrono::days(5));
  EXPECT_EQ(ask(device_).status, 202);
}

TEST_F(AnUndecidedDevice, MayBeOfAMakerWhoseDevicesAllNeedApproval) {
  change_maker([](auto& maker) { maker.operator_approves = true; });
  EXPECT_EQ(ask(device_, request_).status, 202);
  test::expect_in("need an operator's approval", show("/pending"));
  EXPECT_EQ(asked_masa(), 0);
  EXPECT_EQ(decide("approve").status, 200);
  EXPECT_EQ(ask(device_, request_).status, 200);
  EXPECT_EQ(enrol(device_).status, 200);
}

TEST_F(AnUndecidedDevice, IsUnknownToTheOperatorUntilItAsked) {
  EXPECT_EQ(decide("approve").status, 404);
  EXPECT_EQ(decide("forget").status, 404);
}

// --- who may give orders ------------------------------------------------------------------------------------------

TEST_F(AnUndecidedDevice, IsDecidedAboutByNobodyWithoutTheToken) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  const std::string path = "/pending/" + id_of(device_);
  const std::string body = R"({"decision":"approve","reason":"x"})";
  for (const char* authorization :
       {"", "Bearer ", "Bearer wrong", "Basic a token of the road", "a token of the road"}) {
    net::HttpRequest request = test::post(path, "application/json", as_bytes(body));
    if (*authorization) request.headers.set("Authorization", authorization);
    EXPECT_EQ(at_operator(request).status, 401) << authorization;
  }
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", ""}) {  // what a page may send unasked
    net::HttpRequest request = test::post(path, type, as_bytes(body));
    request.headers.set("Authorization", std::string("Bearer ") + test::Road::operator_token);
    EXPECT_EQ(at_operator(request).status, 415) << type;
  }
  EXPECT_EQ(ask(device_, request_).status, 202) << "nothing has changed";
}

TEST_F(AnUndecidedDevice, IsDecidedAboutOnlyInOrdersThatCanBeRead) {
  policy(Verdict::later);
  EXPECT_EQ(ask(device_, request_).status, 202);
  for (const auto& [body, naming] : {std::pair<std::string, const char*>{"", "not JSON"},
                                     {"[]", "expected a JSON object, found an array"},
                                     {R"({"decision":"approve"})", "'reason' is missing"},
                                     {R"({"decision":"yes","reason":"x"})", "none of approve, reject, forget"},
                                     {R"({"decision":true,"reason":"x"})", "'decision' is not a string"},
                                     {R"({"decision":"approve","reason":"x","until":"9"})", "'until' is not a member"},
                                     {R"({"decision":"reject","decision":"approve","reason":"x"})", "two members named \"decision\""},
                                     {std::string(20, '[') + std::string(20, ']'), "more than 16 levels"}}) {
    const auto answer = order("/pending/" + id_of(device_), body);
    EXPECT_EQ(answer.status, 400) << body;
    test::expect_in(naming, answer);
  }
  EXPECT_EQ(ask(device_, request_).status, 202);
}

// --- the list itself ----------------------------------------------------------------------------------------------

TEST(ThePendingDevices, AreBoundedAndNeverPushARejectionOut) {
  test::Road road;
  test::TemporaryFolder folder;
  const auto store = need(store::Store::open(folder / "s.db"));
  const auto list = need(PendingDevices::open(*store, std::chrono::days(4), /*max_devices=*/2));
  const Time now = system_clock().now();
  const auto wait = [&](const std::string& id, Time at) {
    PendingDevice device;
    device.id = id;
    device.request_digest = "d" + id;
    return road.run<Result<void>>([&]() { return list->wait(device, at); });
  };
  need(wait("a", now));
  need(wait("b", now));
  const auto full = wait("c", now);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, BrskiError::unavailable);
  need(road.run<Result<void>>([&]() { return list->decide("a", false, "no", now); }));
  need(wait("c", now + std::chrono::days(9)));  // b is forgotten, a is not
  EXPECT_EQ(list->word("a", now + std::chrono::days(9)), PendingDevices::Word::rejected);
  const auto again = need(PendingDevices::open(*store, std::chrono::days(4), 2));
  ASSERT_EQ(again->all().size(), 2u);
  EXPECT_EQ(again->all()[0].id, "a");
  EXPECT_EQ(again->all()[0].reason, "no");
  EXPECT_EQ(again->all()[1].id, "c");
}

}  // namespace
}  // namespace cahn::brski
