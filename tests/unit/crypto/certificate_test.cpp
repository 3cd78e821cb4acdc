#include "crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto/digest.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::pki;
using test::Pki;

TEST(Certificate, KeepsItsExactDer) {
  const Certificate& one = pki().registrar().certificate;
  const Certificate again = must(Certificate::from_der(one.der()));
  EXPECT_EQ(again.der(), one.der());
  EXPECT_EQ(again, one);
  EXPECT_EQ(again.fingerprint(), to_bytes(ByteView(sha256(one.der()))));
}

TEST(Certificate, RefusesWhatIsBehindIt) {
  Bytes der = pki().registrar().certificate.der();
  der.push_back(0);
  EXPECT_EQ(test::refusal(Certificate::from_der(der)).code, CryptoError::malformed);
}

TEST(Certificate, RefusesEveryCutOfItself) {
  const Bytes& der = pki().registrar().certificate.der();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(Certificate::from_der(ByteView(der).first(size))) << size;
  }
}

// BER with a longer length than needed is another encoding of the same certificate, with another fingerprint.
TEST(Certificate, RefusesAnEncodingThatIsNotDer) {
  const Bytes& der = pki().registrar().certificate.der();
  ASSERT_EQ(der[1], 0x82);
  Bytes ber{0x30, 0x83, 0x00};
  ber.insert(ber.end(), der.begin() + 2, der.end());
  EXPECT_FALSE(Certificate::from_der(ber));
}

TEST(Certificate, RefusesMoreThan64KiB) { EXPECT_FALSE(Certificate::from_der(Bytes((64 << 10) + 1, 0x30))); }

TEST(Certificate, LeavesNothingInTheErrorQueue) {
  ERR_clear_error();
  EXPECT_FALSE(Certificate::from_der(Bytes{0x30, 0x00}));
  EXPECT_FALSE(Certificate::from_pem("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(Certificate, SurvivesPem) {
  const Certificate& one = pki().masa().certificate;
  EXPECT_EQ(must(Certificate::from_pem(one.pem())), one);
  EXPECT_EQ(must(Certificate::from_pem("Subject: somebody\n" + one.pem())), one);
}

TEST(Certificate, AllOfAPemBundleAreReadInOrder) {
  const auto& chain = pki().masa().chain;
  const std::string key = must(key_to_pem(*pki().masa().key));
  EXPECT_EQ(must(Certificate::all_from_pem(chain[0].pem() + key + chain[1].pem())), chain);
}

TEST(Certificate, IsNotFoundInPemWithoutOne) {
  EXPECT_FALSE(Certificate::from_pem(""));
  EXPECT_FALSE(Certificate::from_pem(must(key_to_pem(*pki().masa().key))));
  EXPECT_FALSE(Certificate::all_from_pem(pki().masa().certificate.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n"));
}

TEST(Certificate, OfADeviceSaysWhatRfc8995Needs) {
  const Certificate idevid = pki().device("00-D0-E5-F2-00-02").certificate;
  EXPECT_EQ(idevid.subject_serial_number(), "00-D0-E5-F2-00-02");
  EXPECT_EQ(idevid.masa_url(), "localhost:9443");
  EXPECT_EQ(idevid.not_after(), no_expiration());
  EXPECT_TRUE(idevid.valid_at(no_expiration()));
  EXPECT_FALSE(idevid.valid_at(idevid.not_before() - std::chrono::seconds(1)));
  EXPECT_TRUE(idevid.allows_digital_signature());
  EXPECT_FALSE(idevid.is_ca());
  EXPECT_FALSE(idevid.is_self_issued());
  EXPECT_TRUE(pki().manufacturer().certificate.is_self_issued());
}

TEST(Certificate, WithoutASerialNumberInTheSubjectHasNone) {
  EXPECT_EQ(pki().masa().certificate.subject_serial_number(), std::nullopt);
  EXPECT_EQ(pki().masa().certificate.masa_url(), std::nullopt);
}

TEST(Certificate, IsNamedByItsKeyIdentifierAsADomain) {
  const Certificate& ca = pki().domain().certificate;
  EXPECT_EQ(ca.domain_id(), ca.public_key().key_identifier());
}

TEST(Certificate, WithoutAKeyIdentifierIsNamedByTheHashOfItsKey) {  // RFC 8995 5.8.2, RFC 7469 2.4
  const std::unique_ptr<X509, void (*)(X509*)> bare(X509_new(), X509_free);
  EVP_PKEY* key = pki().domain().key->handle();
  X509_set_version(bare.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(bare.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(bare.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(bare.get()), 3600);
  X509_set_pubkey(bare.get(), key);
  ASSERT_GT(X509_sign(bare.get(), key, EVP_sha256()), 0);
  unsigned char* der = nullptr;
  int size = i2d_X509(bare.get(), &der);
  ASSERT_GT(size, 0);
  const Certificate one = must(Certificate::from_der(Bytes(der, der + size)));
  OPENSSL_free(der);
  unsigned char* spki = nullptr;
  size = i2d_PUBKEY(key, &spki);
  ASSERT_GT(size, 0);
  EXPECT_EQ(one.domain_id(), to_bytes(ByteView(sha256(ByteView(spki, static_cast<std::size_t>(size))))));
  OPENSSL_free(spki);
}

// RFC 8995 2.3.2 asks for an IA5String; another type is not read as one.
TEST(Certificate, DoesNotReadAMasaUrlOfAnotherStringType) {
  const auto made = Pki::issue({.subject = {{"CN", "x"}}, .masa_url = "m.example"});
  Bytes der = made.certificate.der();
  const Bytes extension = must(hex_decode("06082b06010505070120040b16"));
  const auto found = std::search(der.begin(), der.end(), extension.begin(), extension.end());
  ASSERT_NE(found, der.end());
  found[12] = 0x0c;  // UTF8String
  EXPECT_EQ(must(Certificate::from_der(der)).masa_url(), std::nullopt);
}

// Re-signs a copy that holds an extension twice.
TEST(Certificate, WithAnExtensionTwiceIsRefused) {
  const auto made = Pki::issue({.subject = {{"CN", "x"}}, .masa_url = "m.example"});
  X509* copy = X509_dup(made.certificate.handle());
  const int last = X509_get_ext_count(copy) - 1;
  ASSERT_EQ(X509_add_ext(copy, X509_get_ext(copy, last), -1), 1);
  ASSERT_GT(X509_sign(copy, made.key->handle(), EVP_sha256()), 0);
  Bytes der(static_cast<std::size_t>(i2d_X509(copy, nullptr)));
  unsigned char* cursor = der.data();
  i2d_X509(copy, &cursor);
  X509_free(copy);
  EXPECT_EQ(test::refusal(Certificate::from_der(der)).code, CryptoError::malformed);
}

TEST(NameText, IsThatOfRfc4514) {
  EXPECT_EQ(to_text({{"C", "IE"}, {"O", "Acme"}, {"CN", "x"}}), "CN=x,O=Acme,C=IE");
  EXPECT_EQ(to_text({{"CN", "Acme, Inc."}}), "CN=Acme\\, Inc.");
  EXPECT_EQ(to_text({{"CN", " #a\"+\\<>;="}}), "CN=\\ #a\\\"\\+\\\\\\<\\>\\;\\=");
  EXPECT_EQ(to_text({{"CN", "#1 "}}), "CN=\\#1\\ ");
}

TEST(NameText, CannotBreakALogLine) { EXPECT_EQ(to_text({{"CN", "a\nb"}}), "CN=a\\0ab"); }

}  // namespace
}  // namespace cahn::crypto
