#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "tests/support/pki/pki.h"
#include "voucher/voucher.h"

namespace cahn::voucher {
namespace {

using test::must;
using test::pki;
using test::Pki;

Voucher every_member() {
  Voucher voucher;
  voucher.created_on = Pki::now();
  voucher.expires_on = Pki::now() + std::chrono::days(1);
  voucher.assertion = Assertion::logged;
  voucher.serial_number = "JADA123456789";
  voucher.idevid_issuer = Bytes{1, 2, 3};
  voucher.pinned_domain_cert = pki().domain().certificate;
  voucher.domain_cert_revocation_checks = false;
  voucher.last_renewal_date = Pki::now() + std::chrono::days(2);
  voucher.prior_signed_voucher_request = Bytes(300, 0xff);
  voucher.proximity_registrar_cert = pki().registrar().certificate;
  return voucher;
}

// A voucher with the members that must be there and these beside them.
std::string with(std::string_view members) {
  return R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"proximity","serial-number":"42")" +
         std::string(members.empty() ? "" : ",") + std::string(members) + "}}";
}

void expect_refused(std::string_view json, VoucherError code, Reading reading = Reading::strict) {
  const auto read = from_json(json, Root::voucher, reading);
  ASSERT_FALSE(read) << json.substr(0, 200);
  EXPECT_EQ(read.error().code, code) << read.error().message;
}

TEST(VoucherJson, ComesBackAsItWasWritten) {
  const Voucher written = every_member();
  const Voucher read = must(from_json(to_json(written, Root::voucher), Root::voucher));
  EXPECT_EQ(read.created_on, written.created_on);
  EXPECT_EQ(read.expires_on, written.expires_on);
  EXPECT_EQ(read.assertion, written.assertion);
  EXPECT_EQ(read.serial_number, written.serial_number);
  EXPECT_EQ(read.idevid_issuer, written.idevid_issuer);
  EXPECT_EQ(read.pinned_domain_cert, written.pinned_domain_cert);
  EXPECT_EQ(read.domain_cert_revocation_checks, written.domain_cert_revocation_checks);
  EXPECT_EQ(read.nonce, std::nullopt);
  EXPECT_EQ(read.last_renewal_date, written.last_renewal_date);
  EXPECT_EQ(read.prior_signed_voucher_request, written.prior_signed_voucher_request);
  EXPECT_EQ(read.proximity_registrar_cert, written.proximity_registrar_cert);
}

TEST(VoucherJson, IsThatOfRfc8366) {
  Voucher voucher;
  voucher.created_on = Pki::now();
  voucher.assertion = Assertion::verified;
  voucher.serial_number = "42";
  voucher.nonce = "QUJDRA==";
  voucher.domain_cert_revocation_checks = true;
  EXPECT_EQ(
      to_json(voucher, Root::voucher),
      R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"verified","serial-number":"42",)"
      R"("domain-cert-revocation-checks":true,"nonce":"QUJDRA=="}})");
}

TEST(VoucherJson, OfARequestHasItsOwnRoot) {
  Voucher request;
  request.serial_number = "42";
  EXPECT_EQ(to_json(request, Root::voucher_request), R"({"ietf-voucher-request:voucher":{"serial-number":"42"}})");
}

// Decision 3: roles compare the string; another spelling of the same octets is another nonce.
TEST(VoucherJson, KeepsTheNonceAsItStands) {
  for (const char* nonce : {"QUJDRA==", "_7Zz-w", "62a2e7693d82fcda2624de58fb6722e5"}) {
    EXPECT_EQ(must(from_json(with(R"("nonce":")" + std::string(nonce) + "\""), Root::voucher)).nonce, nonce);
  }
}

TEST(VoucherJson, MayHoldMembersThatNobodyKnows) {
  EXPECT_TRUE(from_json(with(R"("additional":{"x":[1,2]},"nonce":"n")"), Root::voucher));
}

TEST(VoucherJson, IsRefusedWhenItIsNoJsonObject) {
  for (const char* bad : {"", "{", "[]", "\"x\"", "null", "{}x", "{\"a\":\"\xff\"}", "{\"a\":1,}"}) {
    expect_refused(bad, VoucherError::not_json);
  }
}

// Two readers could take different ones.
TEST(VoucherJson, IsRefusedWithTwoMembersOfTheSameName) {
  expect_refused(with(R"("serial-number":"43")"), VoucherError::not_json);
  expect_refused(with(R"("unknown":{"a":1,"a":2})"), VoucherError::not_json);
  expect_refused(with(R"("serial\u002dnumber":"43")"), VoucherError::not_json);
  EXPECT_TRUE(from_json(with(R"("unknown":[{"a":1},{"a":2}])"), Root::voucher));
}

TEST(VoucherJson, IsRefusedBelow16Levels) {
  const auto nested = [](int levels) {
    return with("\"x\":" + std::string(static_cast<std::size_t>(levels), '[') +
                std::string(static_cast<std::size_t>(levels), ']'));
  };
  EXPECT_TRUE(from_json(nested(14), Root::voucher));
  expect_refused(nested(15), VoucherError::not_json);
  expect_refused(nested(100'000), VoucherError::not_json);
}

TEST(VoucherJson, IsRefusedAbove256KiB) {
  EXPECT_TRUE(from_json(with("\"x\":\"" + std::string(200 << 10, 'x') + "\""), Root::voucher));
  expect_refused(with("\"x\":\"" + std::string(256 << 10, 'x') + "\""), VoucherError::not_json);
}

TEST(VoucherJson, IsRefusedUnderAnotherRoot) {
  expect_refused(R"({"ietf-voucher-request:voucher":{"serial-number":"42"}})", VoucherError::wrong_root);
  expect_refused(R"({"ietf-voucher:voucher":[]})", VoucherError::wrong_root);
  expect_refused("{}", VoucherError::wrong_root);
  EXPECT_EQ(test::refusal(from_json(with(""), Root::voucher_request)).code, VoucherError::wrong_root);
}

TEST(VoucherJson, OfARequestUnderTheVouchersRootIsForTheTolerant) {
  EXPECT_TRUE(from_json(with(""), Root::voucher_request, Reading::tolerant));
  expect_refused(R"({"ietf-voucher-request:voucher":{"serial-number":"42"}})", VoucherError::wrong_root,
                 Reading::tolerant);
}

TEST(VoucherJson, IsRefusedWithoutAMandatoryMember) {
  for (const char* bad : {R"({"ietf-voucher:voucher":{"assertion":"logged","serial-number":"42"}})",
                          R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","serial-number":"42"}})",
                          R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"logged"}})"}) {
    expect_refused(bad, VoucherError::missing_member);
  }
  EXPECT_EQ(test::refusal(from_json(R"({"ietf-voucher-request:voucher":{}})", Root::voucher_request)).code,
            VoucherError::missing_member);
}

// RFC 8995 5.2: a pledge without a clock leaves created-on out.
TEST(VoucherJson, OfARequestNeedsTheSerialNumberOnly) {
  EXPECT_TRUE(from_json(R"({"ietf-voucher-request:voucher":{"serial-number":"42"}})", Root::voucher_request));
}

TEST(VoucherJson, IsRefusedWithNonceAndExpiry) {
  expect_refused(with(R"("nonce":"n","expires-on":"2026-03-02T12:00:00Z")"), VoucherError::contradiction);
  // RFC 8995 3.3: in a request expires-on means nothing.
  EXPECT_TRUE(from_json(
      R"({"ietf-voucher-request:voucher":{"serial-number":"42","nonce":"n","expires-on":"2026-03-02T12:00:00Z"}})",
      Root::voucher_request));
}

TEST(VoucherJson, IsRefusedWithAMemberOfTheWrongKind) {
  for (const char* bad :
       {R"("nonce":5)", R"("nonce":"")", R"("nonce":null)", R"("nonce":"a\u0000b")", R"("expires-on":1772366400)",
        R"("expires-on":"tomorrow")", R"("expires-on":"2026-02-30T12:00:00Z")", R"("idevid-issuer":"***")",
        R"("domain-cert-revocation-checks":"false")", R"("domain-cert-revocation-checks":0)",
        R"("prior-signed-voucher-request":"AAA")", R"("pinned-domain-cert":{})"}) {
    expect_refused(with(bad), VoucherError::bad_member);
  }
  expect_refused(with("\"nonce\":\"" + std::string(257, 'n') + "\""), VoucherError::bad_member);
  expect_refused(
      R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"sworn","serial-number":"1"}})",
      VoucherError::bad_member);
}

// Whoever gets our refusal must find the fault in what he sent.
TEST(VoucherJson, IsRefusedWithTheNameOfTheMemberAndWhatWasFound) {
  const std::pair<std::string, std::string> cases[] = {
      {with(R"("nonce":5)"), "ietf-voucher:voucher/nonce: expected a string, found a number"},
      {with(R"("nonce":null)"), "ietf-voucher:voucher/nonce: expected a string, found null"},
      {with(R"("nonce":"")"), "ietf-voucher:voucher/nonce: expected 1 to 256 octets, found 0"},
      {with(R"("nonce":"a\u0007")"), "ietf-voucher:voucher/nonce: expected text, found control characters: \"a?\""},
      {with(R"("expires-on":["x"])"), "ietf-voucher:voucher/expires-on: expected a string, found an array"},
      {with(R"("expires-on":"2026-03-02 12:00")"),
       "ietf-voucher:voucher/expires-on: expected a date such as 2026-03-01T12:00:00Z, found \"2026-03-02 12:00\""},
      {with(R"("idevid-issuer":"-_-_")"), "ietf-voucher:voucher/idevid-issuer: expected base64, found \"-_-_\""},
      {with(R"("domain-cert-revocation-checks":"true")"),
       "ietf-voucher:voucher/domain-cert-revocation-checks: expected true or false, found \"true\""},
      {with("\"idevid-issuer\":\"" + std::string(50, '!') + "\""),
       "ietf-voucher:voucher/idevid-issuer: expected base64, found \"" + std::string(40, '!') + "…\""},
      {with(R"("nonce":"a","nonce":"b")"), "JSON with two members named \"nonce\""},
      {R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","serial-number":"1","assertion":"sworn"}})",
       "ietf-voucher:voucher/assertion: expected verified, logged or proximity, found \"sworn\""},
      {R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"logged"}})",
       "ietf-voucher:voucher/serial-number: missing"},
      {R"({"ietf-voucher:voucher":"x"})", "ietf-voucher:voucher: expected an object, found a string"},
      {R"({"voucher":{},"b":1})", "expected ietf-voucher:voucher, found \"b\", \"voucher\""},
      {"{}", "expected ietf-voucher:voucher, found an empty object"},
      {"[1]", "expected a JSON object, found an array"},
      {R"({"a":1,})", "not JSON in UTF-8 from octet 8 on"}};
  for (const auto& [json, message] : cases) {
    EXPECT_EQ(test::refusal(from_json(json, Root::voucher)).message, message);
  }
}

TEST(VoucherJson, IsRefusedWithACertificateThatIsNone) {
  expect_refused(with(R"("pinned-domain-cert":"AAAA")"), VoucherError::bad_certificate);
  expect_refused(with(R"("proximity-registrar-cert":"")"), VoucherError::bad_certificate);
}

TEST(VoucherJson, WithDatesInOtherFormsIsForTheTolerant) {
  for (const char* date : {"2026-03-02T12:00:00.5Z", "2026-03-02T14:00:00+02:00"}) {
    const std::string json = with(R"("expires-on":")" + std::string(date) + "\"");
    expect_refused(json, VoucherError::bad_member);
    EXPECT_TRUE(from_json(json, Root::voucher, Reading::tolerant)) << date;
  }
  EXPECT_EQ(
      must(from_json(with(R"("expires-on":"2026-03-02T14:00:00+02:00")"), Root::voucher, Reading::tolerant)).expires_on,
      Pki::now() + std::chrono::days(1));
}

TEST(VoucherJson, WithOtherBase64IsForTheTolerant) {
  for (const char* octets : {"-_-_", "AAA", "AA\\nAA"}) {
    const std::string json = with(R"("idevid-issuer":")" + std::string(octets) + "\"");
    expect_refused(json, VoucherError::bad_member);
    EXPECT_TRUE(from_json(json, Root::voucher, Reading::tolerant)) << octets;
  }
  EXPECT_EQ(must(from_json(with(R"("idevid-issuer":"-_-_")"), Root::voucher, Reading::tolerant)).idevid_issuer,
            must(base64_decode("+/+/")));
}

TEST(VoucherJson, WithValuesInOtherKindsIsForTheTolerant) {
  const std::string number =
      R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"logged","serial-number":4711}})";
  expect_refused(number, VoucherError::bad_member);
  EXPECT_EQ(must(from_json(number, Root::voucher, Reading::tolerant)).serial_number, "4711");
  for (const bool value : {true, false}) {
    const std::string text =
        with(value ? R"("domain-cert-revocation-checks":"true")" : R"("domain-cert-revocation-checks":"false")");
    expect_refused(text, VoucherError::bad_member);
    EXPECT_EQ(must(from_json(text, Root::voucher, Reading::tolerant)).domain_cert_revocation_checks, value);
  }
  const std::string null = with(R"("nonce":"n","expires-on":null,"pinned-domain-cert":null)");
  expect_refused(null, VoucherError::bad_member);
  EXPECT_EQ(must(from_json(null, Root::voucher, Reading::tolerant)).expires_on, std::nullopt);
  // What cannot be meant is refused by both.
  for (const char* bad : {R"("serial-number":1.5)", R"("serial-number":true)", R"("serial-number":{})"}) {
    const std::string json = R"({"ietf-voucher:voucher":{"created-on":"2026-03-01T12:00:00Z","assertion":"logged",)" +
                             std::string(bad) + "}}";
    expect_refused(json, VoucherError::bad_member, Reading::tolerant);
  }
  expect_refused(with(R"("domain-cert-revocation-checks":"yes")"), VoucherError::bad_member, Reading::tolerant);
  expect_refused(with(R"("domain-cert-revocation-checks":1)"), VoucherError::bad_member, Reading::tolerant);
  expect_refused(with(R"("nonce":5)"), VoucherError::bad_member, Reading::tolerant);
}

// RFC 7951 4, 6.3, 6.6 and the order of RFC 8366 5.3 and RFC 8995 3.4.
TEST(VoucherJson, IsWrittenInTheOrderOfTheYangModule) {
  const std::string json = to_json(every_member(), Root::voucher_request);
  std::size_t last = 0;
  for (const char* name : {"created-on", "expires-on", "assertion", "serial-number", "idevid-issuer",
                           "pinned-domain-cert", "domain-cert-revocation-checks", "last-renewal-date",
                           "prior-signed-voucher-request", "proximity-registrar-cert"}) {
    const std::size_t at = json.find("\"" + std::string(name) + "\":");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GT(at, last) << name;
    last = at;
  }
  EXPECT_NE(json.find(R"("created-on":"2026-03-01T12:00:00Z")"), std::string::npos);
  EXPECT_NE(json.find(R"("domain-cert-revocation-checks":false)"), std::string::npos);
  EXPECT_NE(json.find(R"("idevid-issuer":"AQID")"), std::string::npos);
}

TEST(VoucherJson, WithASerialThatIsNoUtf8IsWrittenAllTheSame) {
  Voucher voucher;
  voucher.serial_number = "\xff";
  EXPECT_TRUE(from_json(to_json(voucher, Root::voucher_request), Root::voucher_request));
}

// Decision 3: at least 128 random bits.
TEST(AFreshNonce, IsNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(seen.insert(fresh_nonce()).second);
  EXPECT_EQ(must(base64_decode(fresh_nonce())).size(), 16u);
}

// RFC 8995 11.3: two that start from one and the same state of a process, the generator's included, do not say the
// same.
TEST(AFreshNonce, DiffersInCopiesOfOneProcess) {
  std::set<std::string> seen = {fresh_nonce()};  // the generator is seeded
  constexpr int copies = 8;
  for (int i = 0; i < copies; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const std::string nonce = fresh_nonce();
      const bool told = ::write(ends[1], nonce.data(), nonce.size()) == static_cast<ssize_t>(nonce.size());
      ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    char text[64];
    const ssize_t size = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(size, 24);
    EXPECT_TRUE(seen.emplace(text, static_cast<std::size_t>(size)).second) << "a nonce was said twice";
  }
  EXPECT_TRUE(seen.insert(fresh_nonce()).second);
}

}  // namespace
}  // namespace cahn::voucher
