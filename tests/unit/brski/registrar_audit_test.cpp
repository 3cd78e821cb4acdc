// What the registrar makes of the past of a device (RFC 8995 5.8).

#include "brski/registrar_audit.h"

#include "own_masa.h"

namespace cahn::brski {
namespace {

using test::Device;
using test::need;
using test::OwnMasa;
using Standing = admission::AuditVerdict::Standing;

// --- judging a log ------------------------------------------------------------------------------------------------

const Bytes ours(20, 1), theirs(20, 2), friends(20, 3);

AuditEvent event(const Bytes& domain, int day, bool with_nonce = true) {
  return {OwnMasa::day(day), domain, with_nonce ? std::optional<std::string>("n") : std::nullopt,
          voucher::Assertion::proximity, 0};
}

AuditFinding judged(std::vector<AuditEvent> events, const AuditPolicy& policy = {}) {
  AuditLog log;
  log.events = std::move(events);
  const Bytes own[] = {ours};
  return judge_audit_log(log, policy, own, OwnMasa::day(100));
}

void expect_unexpected(const AuditFinding& finding, std::string_view naming) {
  EXPECT_EQ(finding.verdict.standing, Standing::unexpected);
  EXPECT_NE(finding.verdict.reason.find(naming), std::string::npos) << finding.verdict.reason;
  EXPECT_FALSE(permits({}, finding));
}

TEST(AnAuditLog, OfOurOwnEntriesIsClean) {
  const AuditFinding finding = judged({event(ours, 1), event(ours, 2, false)});
  EXPECT_EQ(finding.verdict.standing, Standing::clean);
  EXPECT_TRUE(permits({}, finding));
}

TEST(AnAuditLog, WithEarlierOwnersIsCleanUnlessTheDeviceShouldBeNew) {
  EXPECT_EQ(judged({event(theirs, 1), event(ours, 2)}).verdict.standing, Standing::clean);
  AuditPolicy new_only;
  new_only.earlier_owners = false;
  expect_unexpected(judged({event(theirs, 1), event(ours, 2)}, new_only), "an earlier owner");
}

TEST(AnAuditLog, WithAForeignDomainAfterOursIsUnexpectedInWhateverOrderItIsTold) {
  expect_unexpected(judged({event(ours, 1), event(theirs, 2)}), "later than our first one");
  expect_unexpected(judged({event(theirs, 2), event(ours, 1)}), "later than our first one");
  expect_unexpected(judged({event(ours, 1), event(theirs, 2), event(ours, 3)}), "later than our first one");
  expect_unexpected(judged({event(ours, 1), event(theirs, 1)}), "later than our first one");
}

TEST(AnAuditLog, WithANoncelessEntryOfAnotherIsUnexpectedHoweverOldItIs) {
  expect_unexpected(judged({event(theirs, 1, false), event(ours, 2)}), "has no nonce");
  AuditPolicy lenient;
  lenient.ignore_unknown_nonceless = true;  // RFC 8995 7.3
  EXPECT_EQ(judged({event(theirs, 1, false), event(ours, 2)}, lenient).verdict.standing, Standing::clean);
  expect_unexpected(judged({event(ours, 2), event(theirs, 3, false)}, lenient), "later");
}

TEST(AnAuditLog, MayNameDomainsThatAreKnown) {
  AuditPolicy policy;
  policy.known_domains = {friends};
  policy.earlier_owners = false;
  EXPECT_EQ(judged({event(friends, 1, false), event(ours, 2), event(friends, 3)}, policy).verdict.standing,
            Standing::clean);
}

TEST(AnAuditLog, ThatDoesNotKnowUsIsUnexpected) {
  expect_unexpected(judged({}), "does not hold");
  expect_unexpected(judged({event(theirs, 1)}), "does not hold");
}

TEST(AnAuditLog, WithArbitraryOmissionsIsLessOnlyWhereNoOwnerMayBeHidden) {
  AuditLog log;
  log.events = {event(ours, 1)};
  log.arbitrary = 2;
  const Bytes own[] = {ours};
  EXPECT_EQ(judge_audit_log(log, {}, own, OwnMasa::day(9)).verdict.standing, Standing::clean);
  AuditPolicy new_only;
  new_only.earlier_owners = false;
  expect_unexpected(judge_audit_log(log, new_only, own, OwnMasa::day(9)), "left 2 entries out");
}

TEST(AnAuditLog, IsIgnoredByConfigurationOnly) {
  AuditPolicy blind;
  blind.ignore_history = true;
  EXPECT_TRUE(permits(blind, judged({event(ours, 1), event(theirs, 2, false)}, blind)));
}

TEST(AnAuditLog, HasADigestOfWhatIsForeignInIt) {
  const std::string one = judged({event(ours, 1), event(theirs, 2)}).digest;
  EXPECT_EQ(judged({event(theirs, 2), event(ours, 1), event(ours, 5)}).digest, one);
  EXPECT_NE(judged({event(ours, 1), event(theirs, 2), event(theirs, 3)}).digest, one);
  EXPECT_EQ(judged({event(ours, 1)}).digest, "");
}

TEST(AMissingAuditLog, WaitsOrRefusesByItsKindAndThePolicy) {
  const AuditFinding away = finding_without_log({BrskiError::masa_failed, "timeout"}, {});
  EXPECT_EQ(permits({}, away).error().code, BrskiError::not_yet);
  AuditPolicy hasty;
  hasty.unavailable = AuditPolicy::Unavailable::permit;
  EXPECT_TRUE(permits(hasty, away));
  for (const auto code : {BrskiError::unknown_party, BrskiError::bad_report}) {
    const AuditFinding odd = finding_without_log({code, "?"}, {});
    EXPECT_EQ(permits({}, odd).error().code, BrskiError::unreadable_request);
    AuditPolicy open;
    open.unknown_answers = true;  // RFC 8995 5.8.1: an operator's control
    EXPECT_TRUE(permits(open, odd));
  }
}

TEST(ALocationOfAnAuditLog, StaysOnTheMasasOwnOrigin) {
  const MasaAddress masa = need(parse_masa_address("masa.example:9443"));
  EXPECT_EQ(need(audit_location(masa, "/logs/abc?x=1")), std::pair(std::string("/logs/abc"), std::string("x=1")));
  EXPECT_EQ(need(audit_location(masa, "https://MASA.example:9443/l")).first, "/l");
  for (const char* elsewhere :
       {"https://masa.example/l", "https://other.example:9443/l", "http://masa.example:9443/l", "//other.example/l",
        "https://masa.example:9443@other.example/l", "l", "", "/a b", "file:///etc/passwd", "/\r\nX: y"}) {
    const auto refused = audit_location(masa, elsewhere);
    ASSERT_FALSE(refused) << elsewhere;
    EXPECT_EQ(refused.error().code, BrskiError::bad_report);
  }
}

// --- asking for it ------------------------------------------------------------------------------------------------

class ThePast : public test::RegistrarTest {
 protected:
  // What the operator sees of the only device there is.
  std::optional<Standing> found() {
    last_list_ = to_string(show("/onboardings").body);
    for (const auto s : {Standing::clean, Standing::unexpected, Standing::unknown, Standing::unavailable}) {
      if (last_list_.find("\"standing\": \"" + std::string(admission::to_text(s)) + "\"") != std::string::npos)
        return s;
    }
    return std::nullopt;
  }
  // A device with a voucher that reported it good; the answer of simpleenroll.
  net::HttpResponse walk(const Device& device) {
    const auto answer = ask(device);
    EXPECT_EQ(answer.status, 200) << as_text(answer.body);
    EXPECT_EQ(report(device).status, 200);
    return enrol(device);
  }

  OwnMasa masa_{road_};
  Device device_ = masa_.device("5");
  std::string last_list_;
};

TEST_F(ThePast, IsAskedForAfterTheStatusWithTheVeryBytesOfTheVoucherRequest) {  // B-205, B-206
  EXPECT_EQ(ask(device_).status, 200);
  EXPECT_TRUE(masa_.audit_requests().empty()) << "only after voucher_status";
  EXPECT_EQ(report(device_).status, 200);
  const auto asked = masa_.audit_requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].body, masa_.voucher_requests().at(0).body);
  EXPECT_EQ(asked[0].headers.get("Content-Type"), voucher::media_type_cms);
  EXPECT_EQ(enrol(device_).status, 200);
  EXPECT_EQ(report(device_).status, 200);
  EXPECT_EQ(masa_.audit_requests().size(), 1u) << "once for a voucher, however often the device reports";
}

TEST_F(ThePast, IsAskedForAlsoWhenTheVoucherWasNoGood) {
  EXPECT_EQ(ask(device_).status, 200);
  EXPECT_EQ(report(device_, R"({"version":1,"status":false,"reason":"no"})").status, 200);
  EXPECT_EQ(masa_.audit_requests().size(), 1u);
}

TEST_F(ThePast, IsEvidenceForPolicyAtTheEnrolment) {
  EXPECT_EQ(walk(device_).status, 200);
  const auto evidence = road_.registrar_policy().last(admission::PolicyPoint::registrar_enrols);
  ASSERT_TRUE(evidence && evidence->audit_log);
  EXPECT_EQ(evidence->audit_log->standing, Standing::clean);
}

TEST_F(ThePast, ThatIsUnexpectedEndsInNoEnrolment) {  // B-210, B-220
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event(1), OwnMasa::foreign_event(2)}); };
  const auto refused = walk(device_);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(as_text(refused.body).find("domain"), std::string_view::npos) << "the device does not learn why";
  EXPECT_EQ(road_.registrar_policy().asked(admission::PolicyPoint::registrar_enrols), 0);
  EXPECT_EQ(found(), Standing::unexpected);
  EXPECT_NE(last_list_.find("later than our first one"), std::string::npos) << last_list_;
}

TEST_F(ThePast, ThatIsUnexpectedStaysSoAfterARestartUntilAnOperatorAcceptsIt) {
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({OwnMasa::foreign_event(1, {}), masa_.own_event(2)}); };
  EXPECT_EQ(walk(device_).status, 403);
  road_.restart_registrar();
  EXPECT_EQ(enrol(device_).status, 403);
  EXPECT_EQ(masa_.audit_requests().size(), 1u);
  const std::string path = "/onboardings/" + id_of(device_);
  EXPECT_EQ(order(path, R"({"order":"accept"})").status, 400) << "a reason is wanted";
  EXPECT_EQ(order(path, R"({"order":"accept","reason":"bought from them"})").status, 200);
  EXPECT_EQ(enrol(device_).status, 200);
  EXPECT_TRUE(road_.registrar_policy().last(admission::PolicyPoint::registrar_enrols)->audit_log->accepted);
}

TEST_F(ThePast, ThatWasAcceptedIsRefusedAgainOnceThereIsMore) {
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event(1), OwnMasa::foreign_event(2)}); };
  EXPECT_EQ(walk(device_).status, 403);
  const std::string path = "/onboardings/" + id_of(device_);
  EXPECT_EQ(order(path, R"({"order":"accept","reason":"known"})").status, 200);
  EXPECT_EQ(order(path, R"({"order":"refresh","reason":"again"})").status, 200);  // B-214
  EXPECT_EQ(masa_.audit_requests().size(), 2u);
  EXPECT_EQ(enrol(device_).status, 200) << "the same past";
  masa_.on_audit = [&](const auto&) {
    return OwnMasa::log_of({masa_.own_event(1), OwnMasa::foreign_event(2), OwnMasa::foreign_event(3)});
  };
  test::expect_in("unexpected", order(path, R"({"order":"refresh","reason":"again"})"));
  EXPECT_EQ(enrol(device_).status, 403);
}

TEST_F(ThePast, BelongsToNoDeviceThatIsUnknown) {
  EXPECT_EQ(order("/onboardings/" + id_of(device_), R"({"order":"refresh","reason":"x"})").status, 404);
}

TEST_F(ThePast, IsJudgedBeforeTheVoucherLeavesWherePolicyWantsIt) {  // B-196
  change([](auto& options) { options.audit.timing = AuditTiming::before_delivery; });
  EXPECT_EQ(ask(device_).status, 200);
  EXPECT_EQ(masa_.audit_requests().size(), 1u);
  EXPECT_EQ(report(device_).status, 200);
  EXPECT_EQ(masa_.audit_requests().size(), 1u) << "it is known already";

  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event(1), OwnMasa::foreign_event(2)}); };
  const Device other = masa_.device("6");
  const auto refused = ask(other);
  EXPECT_EQ(refused.status, 406);
  EXPECT_EQ(as_text(refused.body), "this registrar does not take this device");
  EXPECT_FALSE(road_.registry().by_idevid(other.certificate())) << "no voucher went out";
  test::expect_in("later than our first one", show("/pending"));
  EXPECT_EQ(order("/pending/" + id_of(other), R"({"decision":"approve","reason":"a loan"})").status, 200);
  EXPECT_EQ(ask(other).status, 200);
  EXPECT_EQ(enrol(other).status, 200);
}

TEST_F(ThePast, ThatCannotBeHadBeforeDeliveryMakesTheDeviceComeBack) {
  change([](auto& options) { options.audit.timing = AuditTiming::before_delivery; });
  masa_.on_audit = [](const auto&) { return net::HttpResponse::text(503, "busy"); };
  const auto answer = ask(device_);
  EXPECT_EQ(answer.status, 202);
  EXPECT_TRUE(answer.headers.get("Retry-After"));
}

TEST_F(ThePast, MayLieWhereTheMasaPreparedIt) {  // B-207
  masa_.on_audit = [&](const auto&) {
    net::HttpResponse created = net::HttpResponse::text(201, "");
    created.headers.set("Location", "https://" + masa_.authority() + "/prepared?log=7");
    return created;
  };
  masa_.on_prepared = [&](const auto&) { return OwnMasa::log_of({masa_.own_event()}); };
  EXPECT_EQ(walk(device_).status, 200);
  ASSERT_EQ(masa_.prepared_requests().size(), 1u);
  EXPECT_EQ(masa_.prepared_requests()[0].query, "log=7");
}

TEST_F(ThePast, IsNotFetchedFromAnotherServer) {
  OwnMasa other(road_);
  masa_.on_audit = [&](const auto&) {
    net::HttpResponse created = net::HttpResponse::text(201, "");
    created.headers.set("Location", "https://" + other.authority() + "/prepared");
    return created;
  };
  EXPECT_EQ(walk(device_).status, 403);
  EXPECT_TRUE(other.prepared_requests().empty());
  EXPECT_EQ(found(), Standing::unknown);
  EXPECT_NE(last_list_.find("another server"), std::string::npos) << last_list_;
}

TEST_F(ThePast, IsUnknownWhereTheMasaHasNoneForUs) {  // B-207, B-212
  masa_.on_audit = [](const auto&) { return net::HttpResponse::text(404, "never an owner"); };
  EXPECT_EQ(walk(device_).status, 403);
  EXPECT_EQ(found(), Standing::unknown);
  change([](auto& options) { options.audit.unknown_answers = true; });
  EXPECT_EQ(enrol(device_).status, 200);
}

TEST_F(ThePast, IsUnknownWhereTheAnswerIsOfANewKind) {  // B-212
  for (const auto& answer :
       {net::HttpResponse::of(200, "application/cbor", to_bytes("\xa1\x01\x02")), net::HttpResponse::json(200, "{}"),
        net::HttpResponse::json(200, R"({"version":1,"events":"none"})"), net::HttpResponse::text(204, "")}) {
    masa_.on_audit = [&](const auto&) { return answer; };
    const Device device = masa_.device("new" + std::to_string(answer.status) + std::to_string(answer.body.size()));
    EXPECT_EQ(walk(device).status, 403) << answer.status << as_text(answer.body);
  }
}

TEST_F(ThePast, IsReadInTheSpellingOfFigure18AndInVersionsToCome) {  // B-213
  const std::string domain = base64(road_.domain_ca().certificate().domain_id());
  masa_.on_audit = [&](const auto&) {
    return net::HttpResponse::json(
        200, R"({"Version":"2","Events":[{"Date":"2019-05-15T17:25:55.644-04:00","DomainID":")" + domain +
                 R"(","Nonce":null,"Assertion":"proximity","Truncated":"0","more":1}],)"
                 R"("truncation":{"nonced duplicates":"0","nonceless duplicates":"1"},"new":{}})");
  };
  EXPECT_EQ(walk(device_).status, 200);
}

TEST_F(ThePast, IsOurOwnWhateverCertificateOfOursWasPinned) {  // B-209
  for (const Bytes& domain : {own().domain_id(), road_.domain_ca().certificate().domain_id()}) {
    masa_.on_audit = [&](const auto&) {
      AuditEvent event = masa_.own_event();
      event.domain_id = domain;
      return OwnMasa::log_of({event});
    };
    EXPECT_EQ(walk(masa_.device(hex(domain).substr(0, 8))).status, 200);
  }
}

TEST_F(ThePast, ThatCannotBeHadLetsTheEnrolmentWait) {
  masa_.on_audit = [](const auto&) { return net::HttpResponse::text(503, "busy"); };
  const auto waits = walk(device_);
  EXPECT_EQ(waits.status, 202);
  EXPECT_TRUE(waits.headers.get("Retry-After"));
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event()}); };
  EXPECT_EQ(enrol(device_).status, 200) << "it is asked for again";
}

TEST_F(ThePast, ThatCannotBeHadIsNoHindranceWhereConfiguredSo) {
  change([](auto& options) { options.audit.unavailable = AuditPolicy::Unavailable::permit; });
  masa_.on_audit = [](const auto&) { return net::HttpResponse::text(503, "busy"); };
  EXPECT_EQ(walk(device_).status, 200);
}

TEST_F(ThePast, IsAskedForBeforeTheEnrolmentOfADeviceThatReportedNothing) {  // B-204, B-220
  EXPECT_EQ(ask(device_).status, 200);
  EXPECT_EQ(enrol(device_).status, 200);
  EXPECT_EQ(masa_.audit_requests().size(), 1u);
}

TEST_F(ThePast, IsNotAskedForWhereItIsSwitchedOff) {  // B-211
  change([](auto& options) { options.audit.timing = AuditTiming::never; });
  EXPECT_EQ(walk(device_).status, 200);
  EXPECT_TRUE(masa_.audit_requests().empty());
}

TEST_F(ThePast, IsLookedAtWhenADeviceThatHasJoinedAsksForAVoucherAnew) {  // B-215
  change([](auto& options) { options.audit.timing = AuditTiming::never; });
  EXPECT_EQ(walk(device_).status, 200);
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event(1), OwnMasa::foreign_event(2)}); };
  EXPECT_EQ(ask(device_).status, 406) << "somebody else had it meanwhile";
  EXPECT_EQ(masa_.audit_requests().size(), 1u);
  masa_.on_audit = [&](const auto&) { return OwnMasa::log_of({masa_.own_event(1)}); };
  EXPECT_EQ(ask(device_).status, 200);
}

TEST(ADeviceThatSaysNothing, HasItsAuditLogLookedAtWhenItIsLate) {  // B-204, L4303
  ManualClock clock(system_clock().now());
  test::RoadOptions options;
  options.registrar_clock = &clock;
  test::Road road(std::move(options));
  OwnMasa masa(road);
  const Device device = masa.device("5");
  const Bytes request = test::signed_pledge_request(device, road.registrar_identity().chain.front());
  EXPECT_EQ(need(test::request_voucher(road, road.registrar_endpoint(), device.idevid, request)).status, 200);
  const auto look = [&] { road.run<void>([&]() { return road.registrar().look_after_silent_devices(); }); };
  look();
  EXPECT_TRUE(masa.audit_requests().empty()) << "it still has time";
  clock.advance(std::chrono::minutes(3));
  look();
  EXPECT_EQ(masa.audit_requests().size(), 1u);
  look();
  EXPECT_EQ(masa.audit_requests().size(), 1u);
}

}  // namespace
}  // namespace cahn::brski
