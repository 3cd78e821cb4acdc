#include "brski/wire.h"

#include <gtest/gtest.h>

#include "road.h"

namespace cahn::brski {
namespace {

TEST(MasaAddresses, OfAnAuthorityAreHttpsAtTheWellKnownPath) {  // RFC 8995 2.3.2
  const auto address = test::need(parse_masa_address("masa.example:9443"));
  EXPECT_EQ(address.endpoint.host, "masa.example");
  EXPECT_EQ(address.endpoint.port, 9443);
  EXPECT_EQ(address.request_voucher_path, "/.well-known/brski/requestvoucher");
  EXPECT_EQ(address.audit_log_path, "/.well-known/brski/requestauditlog");
  EXPECT_EQ(test::need(parse_masa_address("masa.example")).endpoint.port, 443);
}

TEST(MasaAddresses, OfAWholeUriKeepItsPath) {
  const auto address = test::need(parse_masa_address("https://masa.example/x/.well-known/brski"));
  EXPECT_EQ(address.request_voucher_path, "/x/.well-known/brski/requestvoucher");
  EXPECT_EQ(test::need(parse_masa_address("https://masa.example/")).request_voucher_path,
            "/.well-known/brski/requestvoucher");
}

TEST(MasaAddresses, AreHttpsWhateverSchemeTheExtensionNames) {
  for (const char* text : {"http://masa.example/.well-known/brski", "coaps://masa.example/.well-known/brski"}) {
    const auto address = test::need(parse_masa_address(text));
    EXPECT_EQ(address.text(), "https://masa.example:443/.well-known/brski");
    EXPECT_EQ(address.endpoint.port, 443) << text;
  }
}

TEST(MasaAddresses, ThatLeadNowhereAreRefused) {
  for (const std::string& text :
       {std::string(), std::string("/"), std::string("masa.example/path"), std::string("masa:0x"),
        std::string("https://"), std::string("https://u:p@masa.example/"), std::string("https://masa.example/?a=b"),
        std::string(2000, 'a'), std::string("masa\nexample"), std::string("[fe80::1%25eth0]:443"),
        std::string("https://[fe80::1%25eth0]/")}) {
    EXPECT_FALSE(parse_masa_address(text)) << printable(text);
  }
}

TEST(StatusReports, AreWrittenAsRfc8995Figure16HasThem) {
  StatusReport report;
  report.reason = "no";
  report.reason_context = R"({"additional":"JSON"})";
  EXPECT_EQ(to_json(report), R"({"reason":"no","reason-context":{"additional":"JSON"},"status":false,"version":1})");
  report = {};
  report.status = true;
  EXPECT_EQ(to_json(report), R"({"status":true,"version":1})");
}

TEST(StatusReports, AreReadInEverySpellingOfTheField) {  // decision 15
  for (const char* text : {R"({"version":1,"status":true})", R"({"Version":"1","Status":true,"Reason":"fine"})",
                           R"({"version":1,"status":true,"surprise":[1,2]})"}) {
    const auto report = status_report_from_json(text);
    ASSERT_TRUE(report) << text;
    EXPECT_EQ(report->version, 1u);
    EXPECT_TRUE(report->status);
  }
}

TEST(StatusReports, ThatAreMalformedNeverCountAsSuccess) {
  const std::string deep(100, '[');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"version":1})"),
        std::string(R"({"status":true})"), std::string(R"({"version":1,"status":"true"})"),
        std::string(R"({"version":-1,"status":true})"), std::string(R"({"version":1,"status":1})"),
        std::string("\xff{}"), std::string(R"({"a":)") + deep,
        std::string(20000, ' ') + R"({"version":1,"status":true})"}) {
    const auto report = status_report_from_json(text);
    ASSERT_FALSE(report) << text;
    EXPECT_EQ(report.error().code, BrskiError::bad_report);
  }
}

TEST(AuditLogs, AreWrittenWithNumbersAndReadBack) {
  AuditLog log;
  log.events.push_back(
      {Time(std::chrono::seconds(1557955555)), Bytes{1, 2, 3}, "abc", voucher::Assertion::proximity, 4});
  log.events.push_back({Time(std::chrono::seconds(1557955556)), Bytes{9}, std::nullopt, voucher::Assertion::logged, 0});
  log.nonceless_duplicates = 2;
  const std::string text = to_json(log);
  EXPECT_NE(text.find("\"nonce\":null"), std::string::npos) << text;
  EXPECT_NE(text.find("\"truncated\":4"), std::string::npos) << text;
  const auto read = audit_log_from_json(text);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->events.size(), 2u);
  EXPECT_EQ(read->events[0].date, log.events[0].date);
  EXPECT_EQ(read->events[0].domain_id, log.events[0].domain_id);
  EXPECT_EQ(read->events[0].nonce, "abc");
  EXPECT_EQ(read->events[0].truncated, 4u);
  EXPECT_EQ(read->events[1].nonce, std::nullopt);
  EXPECT_EQ(read->nonceless_duplicates, 2u);
}

TEST(AuditLogs, AreReadAsRfc8995Figure18PrintsThem) {
  const auto log = audit_log_from_json(R"({
    "version": "1",
    "events": [
      {"date": "2019-05-15T17:25:55.644-04:00", "domainID": "BduJhdHPpfhQLyponf48JzXSGZ8=",
       "nonce": "VOUFT-WwrEv0NuAQEHoV7Q", "assertion": "proximity", "truncated": "0"},
      {"date": "2017-05-15T17:25:55.644-04:00", "domainID": "BduJhdHPpfhQLyponf48JzXSGZ8=",
       "nonce": "f4G6Vi1t8nKo/FieCVgpBg==", "assertion": "proximity"}],
    "truncation": {"nonced duplicates": "0", "nonceless duplicates": "1", "arbitrary": "2"}})");
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->events.size(), 2u);
  EXPECT_EQ(log->arbitrary, 2u);
}

TEST(AuditLogs, ThatAreMalformedAreRefused) {
  for (
      const char* text :
      {R"({})", R"({"version":1})", R"({"version":1,"events":{}})", R"({"version":1,"events":[1]})",
       R"({"version":1,"events":[{"date":"yesterday","domainID":"AQ==","nonce":null,"assertion":"logged"}]})",
       R"({"version":1,"events":[{"date":"2019-05-15T17:25:55Z","domainID":"!","nonce":null,"assertion":"logged"}]})",
       R"({"version":1,"events":[{"date":"2019-05-15T17:25:55Z","domainID":"AQ==","nonce":7,"assertion":"logged"}]})",
       R"({"version":1,"events":[{"date":"2019-05-15T17:25:55Z","domainID":"AQ==","nonce":null,"assertion":"sworn"}]})"}) {
    EXPECT_FALSE(audit_log_from_json(text)) << text;
  }
}

TEST(Births, AreReadOnlyWhenSerialNumberAndCertificateAgree) {
  const test::Maker maker = test::Maker::make("Acme");
  const test::Device device = test::make_device(maker, "42", "masa.example");
  const Birth birth{"42", device.certificate(), "one"};
  const auto read = birth_from_json(to_json(birth));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->idevid, device.certificate());
  EXPECT_EQ(read->model, "one");
  EXPECT_FALSE(birth_from_json(to_json(Birth{"43", device.certificate(), "one"})));
  EXPECT_FALSE(birth_from_json(R"({"serialNumber":"42","idevid":"AAAA"})"));
  EXPECT_FALSE(birth_from_json(R"({"serialNumber":"42"})"));
}

TEST(RefusalsOnTheWire, HaveTheStatusesOfDecision5) {
  EXPECT_EQ(refusal({BrskiError::unsupported_media_type, "x"}).status, 415);
  EXPECT_EQ(refusal({BrskiError::unreadable_request, "x"}).status, 406);
  EXPECT_EQ(refusal({BrskiError::forbidden, "x"}).status, 403);
  EXPECT_EQ(refusal({BrskiError::unknown_party, "x"}).status, 404);
  const auto proximity = refusal({BrskiError::wrong_proximity, "x"});
  EXPECT_EQ(proximity.status, 401);
  EXPECT_TRUE(proximity.close);
  EXPECT_EQ(proximity.headers.get("Content-Type"), "text/plain; charset=utf-8");
}

TEST(TextOfAPeer, CannotForgeALine) {
  EXPECT_EQ(printable("a\nb\x1b[31m\xff"), "a?b?[31m?");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace cahn::brski
