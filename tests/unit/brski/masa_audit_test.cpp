// The audit log of a device: what is kept, what is folded, and what is never lost.

#include "brski/masa_audit.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/file.h"
#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using test::need;

class TheMasasAuditLog : public testing::Test {
 protected:
  void append(const crypto::Certificate& pin, bool nonced, std::size_t limit = 1000) {
    DeviceAudit audit = read();
    store::Batch batch;
    AuditEvent event{.date = now_ += std::chrono::seconds(1), .domain_id = pin.domain_id()};
    if (nonced) event.nonce = voucher::fresh_nonce();
    append_entry(batch, tables_, audit, std::move(event), pin, limit);
    need(store_->commit_and_wait(std::move(batch)));
    EXPECT_EQ(to_json(read().log()), to_json(audit.log())) << "what is in the store is what was said";
  }
  DeviceAudit read() const { return need(read_audit(*store_, tables_, "aa/bb")); }
  static std::uint64_t vouchers(const AuditLog& log) {
    std::uint64_t count = log.arbitrary;
    for (const AuditEvent& event : log.events) count += 1 + event.truncated;
    return count;
  }

  const test::TemporaryFolder folder_;
  const std::unique_ptr<store::Store> store_ = need(store::Store::open(folder_ / "masa.db"));
  const AuditTables tables_;
  Time now_ = system_clock().now();
  const crypto::Certificate ann_ = test::make_ca("Ann").certificate, bob_ = test::make_ca("Bob").certificate;
};

TEST_F(TheMasasAuditLog, FoldsRepeatedVouchersOfADomainIntoTheNewestAndCountsThem) {  // RFC 8995 5.8.1
  constexpr std::uint64_t renewals = 1100;  // past 1024, at which a MASA may stop counting
  append(bob_, true);
  for (std::uint64_t i = 0; i < renewals; ++i) append(ann_, true);
  append(ann_, false);
  append(ann_, false);
  const AuditLog log = read().log();
  ASSERT_EQ(log.events.size(), 3u);
  EXPECT_EQ(log.events[0].domain_id, bob_.domain_id());
  EXPECT_EQ(log.events[1].truncated, renewals - 1);
  EXPECT_TRUE(log.events[1].nonce);
  EXPECT_EQ(log.events[2].truncated, 1u);
  EXPECT_FALSE(log.events[2].nonce) << "nonced and nonceless are told apart";
  EXPECT_EQ(log.nonced_duplicates, renewals - 1);
  EXPECT_EQ(log.nonceless_duplicates, 1u);
  EXPECT_EQ(log.arbitrary, 0u);
  EXPECT_EQ(vouchers(log), renewals + 3);
}

TEST_F(TheMasasAuditLog, LeavesOutTheTruncationOfAFreshDevice) {
  append(ann_, true);
  const auto log = nlohmann::json::parse(to_json(read().log()));
  EXPECT_FALSE(log.contains("truncation"));
  EXPECT_FALSE(log["events"][0].contains("truncated"));
}

TEST_F(TheMasasAuditLog, IsWrittenWithNumbersTimesAndNullAsTheRfcsTypesHaveIt) {
  append(ann_, true);
  append(ann_, true);
  append(ann_, false);
  const auto log = nlohmann::json::parse(to_json(read().log()));
  EXPECT_TRUE(log["version"].is_number_unsigned());
  EXPECT_TRUE(log["events"][0]["truncated"].is_number_unsigned());
  EXPECT_TRUE(log["truncation"]["nonced duplicates"].is_number_unsigned());
  EXPECT_TRUE(log["events"][1].contains("nonce"));
  EXPECT_TRUE(log["events"][1]["nonce"].is_null());
  EXPECT_EQ(log["events"][0]["domainID"], base64(ann_.domain_id()));
  const std::regex rfc3339(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)");
  EXPECT_TRUE(std::regex_match(log["events"][0]["date"].get<std::string>(), rfc3339)) << log;
}

TEST_F(TheMasasAuditLog, CutsTheOldestBeyondItsLimitAndSaysHowMany) {
  constexpr std::size_t limit = 3;
  append(ann_, true, limit);
  append(ann_, true, limit);
  std::vector<crypto::Certificate> domains;
  for (int i = 0; i < 5; ++i) domains.push_back(test::make_ca("domain").certificate);
  for (const auto& domain : domains) append(domain, true, limit);
  const AuditLog log = read().log();
  ASSERT_EQ(log.events.size(), limit);
  EXPECT_EQ(log.events.back().domain_id, domains.back().domain_id());
  EXPECT_EQ(log.arbitrary, 4u) << "Ann's two vouchers, and two domains";
  EXPECT_EQ(vouchers(log), 7u);
  EXPECT_FALSE(read().has(ann_));
  EXPECT_TRUE(read().has(domains.back()));
}

TEST_F(TheMasasAuditLog, KeepsTheEntryThatAForgedKeyIdentifierWouldReplace) {  // RFC 8995 11.2
  const auto file = [&](const char* name) { return (folder_ / name).string(); };
  const std::string command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Rogue -days 2 -keyout " +
                              file("key") + " -out " + file("rogue.pem") +
                              " -addext basicConstraints=critical,CA:TRUE -addext subjectKeyIdentifier=" +
                              hex(*ann_.subject_key_identifier()) + " 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto rogue = need(crypto::Certificate::from_pem(as_text(need(read_file(folder_ / "rogue.pem")))));
  ASSERT_EQ(rogue.domain_id(), ann_.domain_id()) << "they look alike";
  append(ann_, true);
  EXPECT_FALSE(read().has(rogue)) << "and whoever looks like an owner is none";
  append(rogue, true);
  EXPECT_EQ(read().log().events.size(), 2u);
  EXPECT_TRUE(read().has(ann_));
  // Nor does it pass for the owner that a sale names by that identifier.
  EXPECT_FALSE(is_of(need(parse_domain("domain-id:" + hex(ann_.domain_id()))), rogue));
}

}  // namespace
}  // namespace cahn::brski
