// RFC 8995 5.8: an audit log can be got again where the MASA says that it lies, by who was told and by nobody else.

#include "brski/masa_prepared.h"

#include <gtest/gtest.h>

#include <regex>

#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using test::need;
using test::TestDomain;

class AnAuditLogThatIsKept : public test::MasaTest {
 protected:
  explicit AnAuditLogThatIsKept(AuditAnswer how = AuditAnswer::log) : MasaTest(options(how)) {}
  static test::RoadOptions options(AuditAnswer how) {
    test::RoadOptions options;
    options.change_masa = [how](MasaOptions& masa) { masa.audit_answer = how; };
    return options;
  }
  net::HttpResponse get(const std::string& path, std::optional<crypto::TlsIdentity> client = std::nullopt) {
    net::HttpRequest request;
    request.path = path;
    return need(test::send(road_, road_.masa_endpoint(), std::move(client), request));
  }
  std::string location_for(const TestDomain& domain) {
    const auto answer = audit(request_of(domain.identity(), device_));
    EXPECT_EQ(answer.status, 200) << as_text(answer.body);
    return answer.headers.get("Location").value_or("");
  }
};

TEST_F(AnAuditLogThatIsKept, LiesUnderARandomNameAndIsTheSameEachTime) {
  ask_of(ann_);
  const auto answer = audit(request_of(ann_.identity(), device_));
  ASSERT_EQ(answer.status, 200);
  const std::string location = answer.headers.get("Location").value_or("");
  // 256 bits, and nothing of the device.
  EXPECT_TRUE(std::regex_match(location, std::regex("/.well-known/brski/requestauditlog/[0-9a-f]{64}"))) << location;
  ask_of(bob_);  // the device's log grows; what was prepared does not
  for (int i = 0; i < 2; ++i) {
    const auto again = get(location);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.headers.get("Content-Type"), answer.headers.get("Content-Type"));
    EXPECT_EQ(as_text(again.body), as_text(answer.body));
  }
}

TEST_F(AnAuditLogThatIsKept, HasOneNameForOneLogOfOneDomain) {
  ask_of(ann_);
  ask_of(bob_);
  const std::string of_ann = location_for(ann_), of_bob = location_for(bob_);
  EXPECT_NE(of_ann, of_bob);
  EXPECT_EQ(location_for(ann_), of_ann);
  ask_of(TestDomain::make("Carol"));
  EXPECT_NE(location_for(ann_), of_ann) << "the log is another one now";
}

TEST_F(AnAuditLogThatIsKept, IsNotForOtherDomainsNorUnderOtherNames) {
  ask_of(ann_);
  const std::string location = location_for(ann_);
  EXPECT_EQ(get(location, ann_.identity()).status, 200);
  EXPECT_EQ(get(location, ann_.another().identity()).status, 200);
  EXPECT_EQ(get(location, bob_.identity()).status, 404);
  std::string other = location;
  other.back() = other.back() == '0' ? '1' : '0';
  EXPECT_EQ(get(other).status, 404);
  EXPECT_EQ(get(location.substr(0, location.size() - 1)).status, 404);
}

class AMasaThatPreparesLogs : public AnAuditLogThatIsKept {
 protected:
  AMasaThatPreparesLogs() : AnAuditLogThatIsKept(AuditAnswer::location) {}
};

TEST_F(AMasaThatPreparesLogs, AnswersWithTheLocationAlone) {
  ask_of(ann_);
  const auto answer = audit(request_of(ann_.identity(), device_));
  EXPECT_EQ(answer.status, 201);
  EXPECT_TRUE(answer.body.empty());
  const auto log = get(answer.headers.get("Location").value_or(""));
  ASSERT_EQ(log.status, 200);
  EXPECT_EQ(need(audit_log_from_json(as_text(log.body))).events.size(), 1u);
}

TEST_F(AMasaThatPreparesLogs, IsUnderstoodByOurRegistrar) {
  const auto pledge = need(Pledge::open(road_.pledge_options(device_)));
  const auto joined = road_.onboard(*pledge);
  EXPECT_TRUE(joined) << joined.error().message;
  const auto evidence = road_.registrar_policy().last(admission::PolicyPoint::registrar_enrols);
  ASSERT_TRUE(evidence && evidence->audit_log);
  EXPECT_EQ(evidence->audit_log->standing, admission::AuditVerdict::Standing::clean);
}

class PreparedLogsWith : public testing::Test {
 protected:
  std::string keep(const std::string& device, std::string log = "{}") {
    return logs_.keep({.device = device, .domain = domain_, .log = std::move(log)}, now_);
  }
  const crypto::Certificate domain_ = test::make_ca("Ann").certificate;
  Time now_ = system_clock().now();
  PreparedLogs logs_;
};

TEST_F(PreparedLogsWith, TheirTimeOverAreGone) {
  const std::string name = keep("1");
  now_ += PreparedLogs::lifetime - std::chrono::seconds(1);
  EXPECT_TRUE(logs_.find(name, now_));
  now_ += std::chrono::seconds(1);
  EXPECT_FALSE(logs_.find(name, now_));
}

TEST_F(PreparedLogsWith, TooManyOthersMakeRoomOldestFirst) {
  const std::string first = keep("first");
  now_ += std::chrono::seconds(1);
  std::string last;
  for (std::size_t i = 1; i < PreparedLogs::max_logs; ++i) last = keep(std::to_string(i));
  EXPECT_TRUE(logs_.find(first, now_));
  keep("one too many");
  EXPECT_FALSE(logs_.find(first, now_));
  EXPECT_TRUE(logs_.find(last, now_));
}

TEST_F(PreparedLogsWith, TooManyOctetsMakeRoomToo) {
  const std::string half(PreparedLogs::max_octets / 2, 'x');
  const std::string first = keep("1", half);
  now_ += std::chrono::seconds(1);
  keep("2", half);
  EXPECT_TRUE(logs_.find(first, now_));
  keep("3", half);
  EXPECT_FALSE(logs_.find(first, now_));
}

}  // namespace
}  // namespace cahn::brski
