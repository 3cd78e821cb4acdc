#include <gtest/gtest.h>
#include <openssl/x509.h>

#include "crypto/certificate.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::Pki;

// The DER of one extension, by searching for its OID's encoding; the tests below look at raw octets on purpose.
bool der_holds(const Certificate& certificate, std::string_view hex_octets) {
  return hex(certificate.der()).find(hex_octets) != std::string::npos;
}

class IssuingACertificate : public testing::Test {
 protected:
  const PrivateKeyPtr key_ = must(generate_key(KeyType::p256));
  CertificateSpec spec_{.subject = {{"CN", "test"}},
                        .key = key_->public_key(),
                        .not_before = Pki::now(),
                        .not_after = Pki::now() + std::chrono::days(1)};

  Certificate issue() { return must(issue_certificate(spec_, *key_)); }
  void expect_refused(CryptoError code) {
    const auto issued = issue_certificate(spec_, *key_);
    ASSERT_FALSE(issued);
    EXPECT_EQ(issued.error().code, code) << issued.error().message;
  }
};

TEST_F(IssuingACertificate, GivesBackWhatWasAskedFor) {
  spec_.subject = {{"C", "IE"}, {"O", "Acme, Inc."}, {"CN", "Zoë"}, {"serialNumber", "42-A"}};
  spec_.extended_key_usage = {"serverAuth", std::string(oid_cmc_ra)};
  spec_.dns_names = {"registrar.example"};
  spec_.uris = {"urn:network:home"};
  spec_.ip_addresses = {"192.0.2.1", "2001:db8::1"};
  spec_.masa_url = "masa.example:9443";
  spec_.serial = Bytes{0x01, 0xff};
  const Certificate issued = issue();
  EXPECT_EQ(issued.subject(), spec_.subject);
  EXPECT_EQ(issued.issuer(), spec_.subject);
  EXPECT_EQ(issued.public_key(), key_->public_key());
  EXPECT_EQ(issued.not_before(), spec_.not_before);
  EXPECT_EQ(issued.not_after(), spec_.not_after);
  EXPECT_EQ(issued.subject_serial_number(), "42-A");
  EXPECT_EQ(issued.common_name(), "Zoë");
  EXPECT_TRUE(issued.has_extended_key_usage("serverAuth"));
  EXPECT_TRUE(issued.has_extended_key_usage(oid_cmc_ra));
  EXPECT_FALSE(issued.has_extended_key_usage("clientAuth"));
  EXPECT_EQ(issued.dns_names(), spec_.dns_names);
  EXPECT_EQ(issued.uris(), spec_.uris);
  EXPECT_EQ(issued.masa_url(), "masa.example:9443");
  EXPECT_EQ(issued.serial_hex(), "01ff");
  EXPECT_TRUE(issued.signed_by(key_->public_key()));
}

TEST_F(IssuingACertificate, IsVersionThreeWithCriticalBasicConstraints) {
  const Certificate issued = issue();
  EXPECT_EQ(X509_get_version(issued.handle()), X509_VERSION_3);
  EXPECT_TRUE(der_holds(issued, "0603551d130101ff04023000"));  // critical, empty SEQUENCE: no CA
  EXPECT_FALSE(issued.is_ca());
  spec_.ca = true;
  EXPECT_TRUE(issue().is_ca());
}

TEST_F(IssuingACertificate, DrawsAPositiveSerialOf16Octets) {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const Certificate issued = issue();
    EXPECT_EQ(issued.serial_hex().size(), 32u);
    EXPECT_LT(issued.serial_hex()[0], '8') << "would need a 17th octet to stay positive";
    EXPECT_TRUE(seen.insert(issued.serial_hex()).second);
  }
}

TEST_F(IssuingACertificate, WritesTheYear9999AsGeneralizedTime) {
  spec_.not_after = no_expiration();
  const Certificate issued = issue();
  EXPECT_TRUE(der_holds(issued, "180f" + hex(as_bytes("99991231235959Z"))));
  EXPECT_EQ(issued.not_after(), no_expiration());
  EXPECT_EQ(rfc3339(issued.not_after()), "9999-12-31T23:59:59Z");
}

TEST_F(IssuingACertificate, Writes2049AsUtcTimeAnd2050AsGeneralizedTime) {
  using namespace std::chrono;
  spec_.not_after = sys_days(year(2049) / 12 / 31);
  EXPECT_TRUE(der_holds(issue(), "170d" + hex(as_bytes("491231000000Z"))));
  spec_.not_after = sys_days(year(2050) / 1 / 1);
  EXPECT_TRUE(der_holds(issue(), "180f" + hex(as_bytes("20500101000000Z"))));
}

// RFC 5280 appendix A: X520SerialNumber is a PrintableString.
TEST_F(IssuingACertificate, WritesTheSubjectsSerialNumberAsPrintableString) {
  spec_.subject = {{"serialNumber", "42"}};
  EXPECT_TRUE(der_holds(issue(), "060355040513023432"));
  spec_.subject = {{"serialNumber", "42*"}};  // not a character of PrintableString
  expect_refused(CryptoError::malformed);
}

// RFC 8995 2.3.2.
TEST_F(IssuingACertificate, WritesTheMasaUrlAsAnIa5StringThatIsNotCritical) {
  spec_.masa_url = "m.example";
  EXPECT_TRUE(der_holds(issue(), "06082b06010505070120040b1609" + hex(as_bytes("m.example"))));
  for (const char* bad : {"", "with space", "not\nascii", "Zoë"}) {
    spec_.masa_url = bad;
    expect_refused(CryptoError::malformed);
  }
}

TEST_F(IssuingACertificate, LinksKeyIdentifiersToTheIssuer) {
  const auto ca = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const Certificate issued = must(issue_certificate(spec_, *ca.key, &ca.certificate));
  EXPECT_EQ(issued.subject_key_identifier(), key_->public_key().key_identifier());
  EXPECT_EQ(issued.authority_key_identifier(), ca.certificate.subject_key_identifier());
  EXPECT_EQ(hex(*issued.authority_key_identifier_der()), "30168014" + hex(*issued.authority_key_identifier()));
  EXPECT_EQ(issued.issuer(), ca.certificate.subject());
  EXPECT_TRUE(issued.signed_by(ca.certificate.public_key()));
  EXPECT_FALSE(issued.signed_by(key_->public_key()));
}

TEST_F(IssuingACertificate, LeavesKeyUsageOutUnlessAsked) {
  EXPECT_FALSE(der_holds(issue(), "0603551d0f"));
  EXPECT_TRUE(issue().allows_digital_signature());
  spec_.key_usage = KeyUsage::cert_sign | KeyUsage::crl_sign;
  EXPECT_TRUE(der_holds(issue(), "0603551d0f0101ff040403020106"));
  EXPECT_FALSE(issue().allows_digital_signature());
}

TEST_F(IssuingACertificate, RefusesAnIssuerWhoseKeyIsAnother) {
  const auto ca = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const auto issued = issue_certificate(spec_, *key_, &ca.certificate);
  ASSERT_FALSE(issued);
  EXPECT_EQ(issued.error().code, CryptoError::wrong_key);
}

TEST_F(IssuingACertificate, RefusesToSelfSignForAnotherKey) {
  spec_.key = must(generate_key(KeyType::p256))->public_key();
  expect_refused(CryptoError::wrong_key);
}

TEST_F(IssuingACertificate, RefusesToEndBeforeItStarts) {
  spec_.not_after = spec_.not_before - std::chrono::seconds(1);
  expect_refused(CryptoError::malformed);
}

TEST_F(IssuingACertificate, RefusesSerialNumbersThatRfc5280Forbids) {
  for (const Bytes& bad : {Bytes{}, Bytes{0}, Bytes(21, 1)}) {
    spec_.serial = bad;
    expect_refused(CryptoError::malformed);
  }
}

TEST_F(IssuingACertificate, RefusesNamesThatCannotBeWritten) {
  spec_.subject = {{"noSuchAttribute", "x"}};
  expect_refused(CryptoError::malformed);
  spec_.subject = {{"CN", std::string("a\0b", 3)}};
  expect_refused(CryptoError::malformed);
  spec_.subject = {{"CN", "x"}};
  spec_.dns_names = {"two words\n"};
  expect_refused(CryptoError::malformed);
  spec_.dns_names = {};
  spec_.ip_addresses = {"300.1.1.1"};
  expect_refused(CryptoError::malformed);
}

class IssuingWithEveryKeyType : public testing::TestWithParam<KeyType> {};
INSTANTIATE_TEST_SUITE_P(Keys, IssuingWithEveryKeyType,
                         testing::Values(KeyType::p256, KeyType::p384, KeyType::ed25519, KeyType::rsa2048));

TEST_P(IssuingWithEveryKeyType, MakesACertificateThatItsKeyVerifies) {
  const auto made = Pki::issue({.subject = {{"CN", "x"}}}, nullptr, GetParam());
  EXPECT_TRUE(made.certificate.signed_by(made.key->public_key()));
  EXPECT_EQ(made.certificate.public_key(), made.key->public_key());
}

}  // namespace
}  // namespace cahn::crypto
