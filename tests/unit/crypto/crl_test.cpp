#include "crypto/crl.h"

#include <gtest/gtest.h>

#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::Pki;

class ARevocationList : public testing::Test {
 protected:
  const test::Identity ca_ = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  CrlSpec spec_{.number = 7, .this_update = Pki::now(), .next_update = Pki::now() + std::chrono::days(1)};
  Bytes make() { return must(make_crl(spec_, ca_.certificate, *ca_.key)); }
};

TEST_F(ARevocationList, SaysWhatWasPutIntoIt) {
  spec_.entries = {{"01ff", Pki::now(), RevocationReason::key_compromise},
                   {"7f", Pki::now() - std::chrono::hours(1), RevocationReason::certificate_hold},
                   {"80", Pki::now(), RevocationReason::unspecified}};
  const Crl crl = must(Crl::from_der(make()));
  EXPECT_EQ(crl.issuer(), ca_.certificate.subject());
  EXPECT_EQ(crl.number(), 7u);
  EXPECT_EQ(crl.this_update(), spec_.this_update);
  EXPECT_EQ(crl.next_update(), spec_.next_update);
  ASSERT_EQ(crl.entries().size(), 3u);
  std::map<std::string, RevokedEntry> by_serial;
  for (const auto& entry : crl.entries()) by_serial[entry.serial_hex] = entry;
  for (const auto& wanted : spec_.entries) {
    ASSERT_TRUE(by_serial.contains(wanted.serial_hex)) << wanted.serial_hex;
    EXPECT_EQ(by_serial[wanted.serial_hex].reason, wanted.reason);
    EXPECT_EQ(by_serial[wanted.serial_hex].revoked_at, wanted.revoked_at);
  }
}

TEST_F(ARevocationList, IsSignedByItsIssuerAndNobodyElse) {
  const Crl crl = must(Crl::from_der(make()));
  EXPECT_TRUE(crl.signed_by(ca_.certificate.public_key()));
  EXPECT_FALSE(crl.signed_by(must(generate_key(KeyType::p256))->public_key()));
}

TEST_F(ARevocationList, ComesAloneInDerOrWithOthersInPem) {
  const Bytes first = make();
  spec_.number = 8;
  const Bytes second = make();
  const auto pem = [](const Bytes& der) {
    return "-----BEGIN X509 CRL-----\n" + base64(der) + "\n-----END X509 CRL-----\n";
  };
  EXPECT_EQ(must(Crl::all_from(first)).front().number(), 7u);
  const auto both = must(Crl::all_from(as_bytes("the first\n" + pem(first) + "\nand the second\n" + pem(second))));
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].number(), 7u);
  EXPECT_EQ(both[1].number(), 8u);
}

TEST_F(ARevocationList, IsRefusedWithItsFileIfOneOfThemCannotBeRead) {
  const std::string good = "-----BEGIN X509 CRL-----\n" + base64(make()) + "\n-----END X509 CRL-----\n";
  ASSERT_TRUE(Crl::all_from(as_bytes(good)));
  for (const std::string& bad :
       {std::string(), std::string("no list at all"), good + "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
        good + "-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----\n", good + good.substr(0, good.size() / 2)}) {
    const auto read = Crl::all_from(as_bytes(bad));
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, CryptoError::malformed);
  }
}

TEST_F(ARevocationList, CountsTo64Bits) {
  spec_.number = ~std::uint64_t{0};
  EXPECT_EQ(must(Crl::from_der(make())).number(), spec_.number);
}

TEST_F(ARevocationList, OfAnotherKeyIsNotMade) {
  const auto made = make_crl(spec_, ca_.certificate, *must(generate_key(KeyType::p256)));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, CryptoError::wrong_key);
}

TEST_F(ARevocationList, WithASerialThatIsNoneIsNotMade) {
  for (const char* bad : {"", "xyz", "123"}) {
    spec_.entries = {{bad, Pki::now()}};
    EXPECT_FALSE(make_crl(spec_, ca_.certificate, *ca_.key)) << bad;
  }
}

TEST_F(ARevocationList, RefusesEveryCutOfItselfAndWhatIsBehindIt) {
  spec_.entries = {{"01ff", Pki::now(), RevocationReason::key_compromise}};
  Bytes der = make();
  for (std::size_t size = 0; size < der.size(); ++size) EXPECT_FALSE(Crl::from_der(ByteView(der).first(size))) << size;
  der.push_back(0);
  EXPECT_EQ(test::refusal(Crl::from_der(der)).code, CryptoError::malformed);
}

}  // namespace
}  // namespace cahn::crypto
