// Sales records from outside: what is read, and where what is wrong is wrong.

#include "brski/masa_sales.h"

#include <gtest/gtest.h>

#include "road.h"

namespace cahn::brski {
namespace {

using test::need;

const Time now = *parse_rfc3339("2026-06-01T12:00:00Z");
const std::string spki = "spki-sha256:" + std::string(64, 'a');

std::string wrong_csv(const std::string& text) {
  const auto sales = sales_from_csv(text, now);
  return sales ? "accepted" : sales.error().message;
}
std::string wrong_json(const std::string& text) {
  const auto sales = sales_from_json(text, now);
  return sales ? "accepted" : sales.error().message;
}
std::string csv(const std::string& line) { return "serial,owner,model,issuer,customer,since,until\n" + line; }

TEST(SalesInCsv, AreReadInAnyOrderOfColumnsWithQuotesAndEitherEndOfLine) {
  const auto sales = need(sales_from_csv("\xef\xbb\xbf" "Owner, Serial ,customer\r\n" + spki + ",S-1,\"Ann, \"\"the\"\" owner\"\r\n\r\n" +
                                             spki + ",S-2,",
                                         now));
  ASSERT_EQ(sales.size(), 2u);
  EXPECT_EQ(sales[0].serial_number, "S-1");
  EXPECT_EQ(sales[0].record.customer, "Ann, \"the\" owner");
  EXPECT_EQ(sales[0].record.owner.text(), spki);
  EXPECT_EQ(sales[0].record.since, now) << "without `since` the sale counts from now on";
  EXPECT_FALSE(sales[0].record.since_given);
  EXPECT_EQ(sales[1].serial_number, "S-2");
}

TEST(SalesInCsv, HaveTimesAndADevicesModelAndIssuer) {
  const auto sales = need(sales_from_csv(csv("S-1," + spki + ",Camera,00FF,,2026-03-01,2027-03-01T00:00:00+01:00\n"), now));
  const OwnershipRecord& record = sales.at(0).record;
  EXPECT_EQ(record.since, *parse_rfc3339("2026-03-01T00:00:00Z"));
  EXPECT_TRUE(record.since_given);
  EXPECT_EQ(record.until, *parse_rfc3339("2027-02-28T23:00:00Z"));
  EXPECT_EQ(record.model, "Camera");
  EXPECT_EQ(record.issuer, "00ff");
}

TEST(SalesInCsv, MayHoldAPemCertificateOverSeveralLines) {
  const auto ca = test::make_ca("Ann");
  const auto sales = need(sales_from_csv("serial,owner\nS-1,\"" + ca.certificate.pem() + "\"\nS-2," + spki + "\n", now));
  ASSERT_EQ(sales.size(), 2u);
  EXPECT_EQ(sales[0].record.owner.certificate, ca.certificate);
  // The line of what follows is counted all the same.
  const std::string text = "serial,owner\nS-1,\"" + ca.certificate.pem() + "\"\nS-2,nobody\n";
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  EXPECT_TRUE(wrong_csv(text).starts_with("line " + std::to_string(lines) + ", column 5: owner: ")) << wrong_csv(text);
}

TEST(SalesInCsv, AreRefusedWithLineAndColumn) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "line 1, column 1: '' is no column"},
      {"serial,owner,untill\n", "line 1, column 14: 'untill' is no column"},
      {"serial,owner,serial\n", "line 1, column 14: the column is there twice"},
      {"serial,model\n", "line 1, column 1: the header line has no column 'owner'"},
      {csv("S-1," + spki + "\n"), "line 2, column 5: 2 fields, but the header line has 7"},
      {csv("S-1,x,,,,,,,,\n"), "line 2, column 12: more fields than there are columns"},
      {csv("," + spki + ",,,,,\n"), "line 2, column 1: serial: there is no serial number"},
      {csv(std::string(65, '1') + "," + spki + ",,,,,\n"), "line 2, column 1: serial: longer than 64 octets"},
      {csv("\"S\n1\"," + spki + ",,,,,\n"), "line 2, column 1: serial: holds a control character"},
      {csv("S-1,nobody,,,,,\n"), "line 2, column 5: owner: the owner must be"},
      {csv("S-1,spki-sha256:aa,,,,,\n"), "line 2, column 5: owner: the owner's spki-sha256 has 1 octets instead of 32"},
      {csv("S-1,spki-sha256:,,,,,\n"), "line 2, column 5: owner: the owner's spki-sha256 is neither hex nor base64"},
      {csv("S-1,domain-id:aa,,,,,\n"), "line 2, column 5: owner: the owner's domain-id has 1 octets"},
      {csv("S-1,certificate:AAAA,,,,,\n"), "line 2, column 5: owner: the owner's certificate cannot be read"},
      {csv("S-1,certificate:!,,,,,\n"), "line 2, column 5: owner: the owner's certificate is not base64"},
      {csv("S-1," + spki + ",,xyz,,,\n"), "line 2, column 83: issuer: the issuer is not a key identifier in hex"},
      {csv("S-1," + spki + ",,,,yesterday,\n"), "line 2, column 85: since: neither a date"},
      {csv("S-1," + spki + ",,,,2026-01-02,2026-01-01\n"), "line 2, column 96: until: the sale ends before it begins"},
      {csv("S-1,\"" + spki + ",,,,,\n"), "line 2, column 5: the quote is never closed"},
      {csv("S-1,\"a\"b,,,,,\n"), "line 2, column 8: a comma or the end of the line must follow"},
      {csv("S-1,a\"b,,,,,\n"), "line 2, column 6: a quote inside a field"},
      {csv(std::string("S-1,a\0b,,,,,\n", 13)), "line 2, column 6: a NUL character"},
      {csv("S-1," + spki + ",,,\xff,,\n"), "line 2, column 84: customer: is no UTF-8"},
      {csv("S-1,\"" + std::string(20'000, 'a') + "\",,,,,\n"), "line 2, column 5: the field is longer than 16 KiB"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_TRUE(wrong_csv(text).starts_with(message)) << wrong_csv(text) << "\ninstead of\n" << message;
  }
}

TEST(SalesInCsv, AreBounded) {
  std::string many = "serial,owner\n";
  for (std::size_t i = 0; i < max_sales; ++i) many += "S," + spki + "\n";
  EXPECT_EQ(need(sales_from_csv(many, now)).size(), max_sales);
  EXPECT_EQ(wrong_csv(many + "S," + spki + "\n"), "line 10002, column 1: more than 10,000 sales in one file");
  EXPECT_EQ(wrong_csv(std::string(max_sales_document + 1, ' ')), "the file is larger than 4 MiB");
}

TEST(SalesInJson, SayTheSame) {
  const auto sales = need(sales_from_json(
      R"({"sales": [{"serial": "S-1", "owner": ")" + spki + R"(", "since": "2026-03-01", "until": null}]})", now));
  ASSERT_EQ(sales.size(), 1u);
  EXPECT_EQ(sales[0].serial_number, "S-1");
  EXPECT_EQ(sales[0].record.since, *parse_rfc3339("2026-03-01T00:00:00Z"));
  EXPECT_FALSE(sales[0].record.until);
}

TEST(SalesInJson, AreRefusedWithTheMemberOrThePlace) {
  const std::string owner = R"("owner": ")" + spki + "\"";
  const std::pair<std::string, std::string> cases[] = {
      {"{\"sales\": [\n  {]}", "line 2, column 4: this is not JSON"},
      {"[]", "the document is not an object with a list of 'sales'"},
      {R"({"sales": {}})", "the document is not an object with a list of 'sales'"},
      {R"({"sales": [1]})", "sales[0]: not an object"},
      {R"({"sales": [{"serial": "S", )" + owner + R"(, "untill": "2026-01-01"}]})", "sales[0].untill: no such member"},
      {R"({"sales": [{"serial": 7, )" + owner + "}]}", "sales[0].serial: not a string"},
      {R"({"sales": [{"serial": "S", )" + owner + R"(}, {"serial": "S"}]})", "sales[1].owner: the owner must be"},
      {R"({"sales": [{"serial": "S", )" + owner + R"(, "since": "soon"}]})", "sales[0].since: neither a date"},
      {R"({"sales": [[[[[[]]]]]]})", "the document is nested deeper than 4 levels"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_TRUE(wrong_json(text).starts_with(message)) << wrong_json(text) << "\ninstead of\n" << message;
  }
}

}  // namespace
}  // namespace cahn::brski
