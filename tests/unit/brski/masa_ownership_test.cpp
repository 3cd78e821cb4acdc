// Who owns a device, told from records alone; and who waits for whom.

#include "brski/masa_ownership.h"

#include <gtest/gtest.h>

#include <atomic>

#include "brski/masa_checks.h"
#include "brski/turns.h"
#include "crypto/digest.h"
#include "masa_fixture.h"

namespace cahn::brski {
namespace {

using test::need;
using test::TestDomain;
using Source = OwnershipRecord::Source;

const Time now = std::chrono::floor<std::chrono::seconds>(system_clock().now());
constexpr auto day = std::chrono::days(1);

class Owners : public testing::Test {
 protected:
  // What comes from a domain's registrar: its path, and all the certificates it brought.
  static std::vector<crypto::Certificate> full(const TestDomain& d) { return d.identity().chain; }
  static bool owns(const Domain& domain, const std::vector<crypto::Certificate>& chain) {
    return path_within(domain, need(self_contained_path(chain.front(), chain, now)), chain, now).has_value();
  }
  static OwnershipRecord sale(const TestDomain& to, Time since, std::optional<Time> until = std::nullopt) {
    return {.owner = Domain::of(to.ca.certificate), .since = since, .since_given = true, .until = until};
  }
  static OwnershipRecord first(const TestDomain& to, Time since) {
    return {.owner = Domain::of(to.ca.certificate), .since = since, .source = Source::first_come};
  }
  const Domain* owner(Time at = now) {
    const auto index = current_record(book_, device_, at);
    return index ? &book_.records[*index].owner : nullptr;
  }
  void expect_owner(const TestDomain& domain, Time at = now) {
    ASSERT_NE(owner(at), nullptr);
    EXPECT_EQ(*owner(at), Domain::of(domain.ca.certificate));
  }

  const TestDomain ann_ = TestDomain::make("Ann"), bob_ = TestDomain::make("Bob");
  OwnershipBook book_;
  DeviceIdentity device_{.issuer = "aa", .model = "Camera"};
};

TEST_F(Owners, AreNamedByCertificateKeyOrDomainId) {
  const auto hash = crypto::sha256(ann_.ca.certificate.public_key().spki());
  for (const std::string& text :
       {ann_.owner(), "spki-sha256:" + hex(hash), "spki-sha256:" + base64(hash),
        "domain-id:" + base64(ann_.ca.certificate.domain_id()), "domain-id:" + hex(ann_.ca.certificate.domain_id()),
        ann_.ca.certificate.pem()}) {
    const Domain domain = need(parse_domain(text));
    EXPECT_TRUE(is_of(domain, ann_.ca.certificate)) << text;
    EXPECT_FALSE(is_of(domain, bob_.ca.certificate)) << text;
    EXPECT_TRUE(owns(domain, full(ann_))) << text;
    EXPECT_FALSE(owns(domain, full(bob_))) << text;
    EXPECT_EQ(need(parse_domain(domain.text())), domain);
  }
}

TEST_F(Owners, AreRecognisedThoughTheRegistrarSendsOnlyItsOwnCertificate) {
  const auto chain = ann_.end_entity().chain;
  const auto path = path_within(Domain::of(ann_.ca.certificate), chain, chain, now);
  ASSERT_TRUE(path);
  EXPECT_EQ(*path, chain) << "and only what was sent can be pinned";
  EXPECT_FALSE(path_within(Domain::of(bob_.ca.certificate), chain, chain, now));
  // A hash cannot be followed to a certificate that nobody sent.
  EXPECT_FALSE(path_within(need(parse_domain("domain-id:" + hex(ann_.ca.certificate.domain_id()))), chain, chain, now));
}

TEST_F(Owners, EndWhereTheirOwnCertificateIsNotAtTheRootAboveIt) {  // RFC 8995 5.5
  const test::Party root = test::make_ca("a root open to all");
  const test::Party own = test::make_party(root, {{"CN", "Ann's own"}}, [](auto& spec) {
    spec.ca = true;
    spec.key_usage = crypto::KeyUsage::cert_sign;
  });
  const TestDomain registrar = TestDomain::under(own);
  const std::vector<crypto::Certificate> chain = {registrar.registrar.certificate, own.certificate, root.certificate};
  const auto path = path_within(Domain::of(own.certificate), need(self_contained_path(chain[0], chain, now)), chain, now);
  ASSERT_TRUE(path);
  EXPECT_EQ(path->back(), own.certificate);
}

TEST_F(Owners, AreTheSameAfterTheirCertificateWasRenewedForTheSameKey) {
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", "Ann, renewed"}};
  spec.key = ann_.ca.key->public_key();
  spec.not_before = now - day;
  spec.not_after = now + 900 * day;
  spec.ca = true;
  const auto renewed = need(crypto::issue_certificate(spec, *ann_.ca.key));
  EXPECT_TRUE(is_of(Domain::of(ann_.ca.certificate), renewed));
}

TEST_F(Owners, AreThoseOfTheLastSaleThatHasBegun) {
  need(add_record(book_, sale(bob_, now - day)));
  need(add_record(book_, sale(ann_, now - 2 * day)));  // told later, but sold earlier
  need(add_record(book_, sale(ann_, now + day)));
  expect_owner(bob_);
  expect_owner(ann_, now - day - std::chrono::hours(12));
  expect_owner(ann_, now + 2 * day);
  EXPECT_EQ(owner(now - 3 * day), nullptr);
}

TEST_F(Owners, AreNobodyAfterAnEndOrARelease) {
  need(add_record(book_, sale(ann_, now - 3 * day)));
  need(add_record(book_, sale(bob_, now - 2 * day, now - day)));
  EXPECT_EQ(owner(), nullptr) << "never back to the one before";
  book_.records.clear();
  need(add_record(book_, sale(ann_, now - day)));
  book_.records.front().released = now;
  EXPECT_EQ(owner(), nullptr);
  expect_owner(ann_, now - std::chrono::hours(1));
}

TEST_F(Owners, WhoCameFirstYieldToASaleAndFollowAfterItsEnd) {
  need(add_record(book_, first(ann_, now - 2 * day)));
  expect_owner(ann_);
  need(add_record(book_, sale(bob_, now - 3 * day)));
  expect_owner(bob_);
  book_.records.back().released = now - day;
  EXPECT_EQ(owner(), nullptr) << "who came while another owned it became no owner";
  need(add_record(book_, first(ann_, now)));
  expect_owner(ann_);
}

TEST_F(Owners, AreNotChangedByASaleThatIsToldAgain) {
  OwnershipRecord undated = sale(ann_, now - day);
  undated.since_given = false;
  EXPECT_TRUE(need(add_record(book_, undated)));
  EXPECT_TRUE(need(add_record(book_, sale(bob_, now - std::chrono::hours(12)))));
  undated.since = now;  // the file of yesterday, imported once more
  EXPECT_FALSE(need(add_record(book_, undated)));
  expect_owner(bob_);
  book_.records.back().released = now;
  EXPECT_FALSE(need(add_record(book_, sale(bob_, now - std::chrono::hours(12))))) << "a release stands";
  EXPECT_EQ(owner(), nullptr);
}

TEST_F(Owners, OfAmbiguousSerialNumbersMustBeSaidExactly) {
  need(add_record(book_, sale(ann_, now - day)));
  device_.serial_is_unique = false;
  EXPECT_EQ(owner(), nullptr);
  book_.records.front().issuer = "bb";
  EXPECT_EQ(owner(), nullptr);
  book_.records.front().issuer = "aa";
  expect_owner(ann_);
  book_.records.front().issuer.clear();
  book_.records.front().model = "Camera";
  expect_owner(ann_);
  device_.serial_is_unique = true;
  book_.records.front().model = "Lamp";
  EXPECT_EQ(owner(), nullptr);
}

TEST_F(Owners, AreBoundedAndForgetFirstComersBeforeSales) {
  need(add_record(book_, sale(ann_, now - day)));
  for (std::size_t i = 0; i < 2 * max_ownership_records; ++i) need(add_record(book_, first(bob_, now)));
  EXPECT_EQ(book_.records.size(), max_ownership_records);
  EXPECT_EQ(book_.records.front().source, Source::sale);
  book_.records.clear();
  for (std::size_t i = 0; i < max_ownership_records; ++i) {
    need(add_record(book_, sale(ann_, now - day * static_cast<int>(i))));
  }
  const auto one_more = add_record(book_, sale(bob_, now));
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error().code, BrskiError::forbidden);
}

TEST_F(Owners, AreReadFromTheStoreAsTheyWereWritten) {
  OwnershipRecord record = sale(ann_, now - day, now + day);
  record.issuer = "aa";
  record.model = "Camera";
  record.customer = "mailto:ann@example.org";
  record.released = now;
  need(add_record(book_, record));
  need(add_record(book_, first(bob_, now)));
  book_.policy = OwnershipPolicy::sales;
  const auto again = need(ownership_book_from_json(to_json(book_)));
  EXPECT_EQ(to_json(again), to_json(book_));
  ASSERT_EQ(again.records.size(), 2u);
  EXPECT_TRUE(again.records[0].same_sale(record));
  EXPECT_EQ(again.records[0].released, now);
  EXPECT_EQ(again.policy, OwnershipPolicy::sales);
  for (const char* damaged : {"", "[]", "{}", R"({"records": [{}]})", R"({"records": [], "policy": "whatever"})"}) {
    EXPECT_FALSE(ownership_book_from_json(damaged)) << damaged;
  }
}

TEST(Turns, AreHadByOneAtATimeAndByAllInTheEnd) {
  net::Runtime runtime(2);
  runtime.start();
  Turns turns;
  int value = 0;  // guarded by the turn alone
  std::atomic<int> done = 0;
  constexpr int tasks = 50;
  const auto task = [&](int i) -> net::awaitable<void> {
    std::vector<std::string> names = {i % 2 ? "a" : "b", "b", i % 2 ? "b" : "a"};
    const auto turn = co_await turns.take(std::move(names));
    const int seen = value;
    co_await net::sleep_for(std::chrono::microseconds(50));
    value = seen + 1;
    ++done;
  };
  for (int i = 0; i < tasks; ++i) net::spawn_on_strand(runtime.executor(), [&task, i] { return task(i); }, "turn");
  net::run_blocking<void>(runtime, [&]() -> net::awaitable<void> {
    while (done < tasks) co_await net::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_EQ(value, tasks);
  // Nothing is left taken.
  net::run_blocking<void>(runtime, [&]() -> net::awaitable<void> {
    std::vector<std::string> names = {"a", "b"};
    const auto turn = co_await turns.take(std::move(names));
  });
  runtime.stop();
}

}  // namespace
}  // namespace cahn::brski
