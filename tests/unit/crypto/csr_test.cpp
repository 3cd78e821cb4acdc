#include "crypto/csr.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;

class ACertificateRequest : public testing::Test {
 protected:
  const PrivateKeyPtr key_ = must(generate_key(KeyType::p256));
  CsrSpec spec_{.subject = {{"CN", "home"}, {"serialNumber", "42"}}};
};

TEST_F(ACertificateRequest, SaysWhatItAsksFor) {
  spec_.dns_names = {"a.example"};
  spec_.uris = {"urn:network:home"};
  spec_.challenge_password = "tls-unique";
  const Csr csr = must(Csr::from_der(must(make_csr(spec_, *key_))));
  EXPECT_EQ(csr.subject(), spec_.subject);
  EXPECT_EQ(csr.subject_serial_number(), "42");
  EXPECT_EQ(csr.public_key(), key_->public_key());
  EXPECT_EQ(csr.dns_names(), spec_.dns_names);
  EXPECT_EQ(csr.uris(), spec_.uris);
  EXPECT_EQ(csr.challenge_password(), "tls-unique");
  EXPECT_FALSE(csr.requests_ca());
  EXPECT_FALSE(csr.requests_certificate_signing());
  EXPECT_TRUE(csr.extended_key_usage().empty());
}

TEST_F(ACertificateRequest, ForACaSaysSo) {
  spec_.ask_for_ca = true;
  EXPECT_TRUE(must(Csr::from_der(must(make_csr(spec_, *key_)))).requests_ca());
}

TEST_F(ACertificateRequest, WithAnEmptySubjectIsRead) {
  EXPECT_TRUE(must(Csr::from_der(must(make_csr({}, *key_)))).subject().empty());
}

TEST_F(ACertificateRequest, ThatIsNotSignedByItsKeyIsNoProofOfPossession) {
  Bytes der = must(make_csr(spec_, *key_));
  constexpr std::string_view text = "42";
  const auto serial = std::search(der.begin(), der.end(), text.begin(), text.end());
  ASSERT_NE(serial, der.end());
  serial[1] = '3';
  const auto read = Csr::from_der(der);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, CryptoError::bad_signature);
}

TEST_F(ACertificateRequest, RefusesEveryCutOfItselfAndWhatIsBehindIt) {
  Bytes der = must(make_csr(spec_, *key_));
  for (std::size_t size = 0; size < der.size(); ++size) EXPECT_FALSE(Csr::from_der(ByteView(der).first(size))) << size;
  der.push_back(0);
  EXPECT_EQ(test::refusal(Csr::from_der(der)).code, CryptoError::malformed);
}

TEST_F(ACertificateRequest, OfMoreThan64KiBIsRefused) { EXPECT_FALSE(Csr::from_der(Bytes((64 << 10) + 1, 0x30))); }

// Signed by hand, as make_csr writes none of these.
TEST_F(ACertificateRequest, ForKeyUsagesIsRead) {
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key_->public_key().handle());
  STACK_OF(X509_EXTENSION)* extensions = nullptr;
  X509_EXTENSION* usage = X509V3_EXT_conf_nid(nullptr, nullptr, NID_key_usage, "keyCertSign");
  X509_EXTENSION* extended = X509V3_EXT_conf_nid(nullptr, nullptr, NID_ext_key_usage, "clientAuth,1.3.6.1.5.5.7.3.28");
  X509v3_add_ext(&extensions, usage, -1);
  X509v3_add_ext(&extensions, extended, -1);
  X509_REQ_add_extensions(request, extensions);
  X509_REQ_sign(request, key_->handle(), EVP_sha256());
  Bytes der(static_cast<std::size_t>(i2d_X509_REQ(request, nullptr)));
  unsigned char* cursor = der.data();
  i2d_X509_REQ(request, &cursor);
  X509_EXTENSION_free(usage);
  X509_EXTENSION_free(extended);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  X509_REQ_free(request);

  const Csr csr = must(Csr::from_der(der));
  EXPECT_TRUE(csr.requests_certificate_signing());
  EXPECT_EQ(csr.extended_key_usage(), (std::vector<std::string>{"1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.28"}));
}

TEST_F(ACertificateRequest, SignedWithSha1IsUnsupported) {
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key_->public_key().handle());
  X509_REQ_sign(request, key_->handle(), EVP_sha1());
  Bytes der(static_cast<std::size_t>(i2d_X509_REQ(request, nullptr)));
  unsigned char* cursor = der.data();
  i2d_X509_REQ(request, &cursor);
  X509_REQ_free(request);
  const auto read = Csr::from_der(der);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, CryptoError::unsupported);
}

}  // namespace
}  // namespace cahn::crypto
