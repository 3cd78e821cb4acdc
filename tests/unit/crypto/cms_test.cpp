#include "crypto/cms.h"

#include <gtest/gtest.h>
#include <openssl/cms.h>

#include <algorithm>
#include <functional>

#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::Pki;

constexpr std::string_view content = "{\"a\":1}\n with a lone newline";

class SignedMessages : public testing::TestWithParam<KeyType> {
 protected:
  const test::Identity ca_ = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true}, nullptr, GetParam());
  const test::Identity signer_ = Pki::issue({.subject = {{"CN", "signer"}}}, &ca_, GetParam());
  Bytes sign(std::string_view type = oid_anima_json_voucher) {
    return must(cms_sign(as_bytes(content), type, signer_.certificate, *signer_.key, signer_.issuers(), Pki::now()));
  }
};
INSTANTIATE_TEST_SUITE_P(Keys, SignedMessages, testing::Values(KeyType::p256, KeyType::p384, KeyType::rsa2048));

TEST_P(SignedMessages, ComeBackAsTheyWereSigned) {
  for (const auto type : {oid_anima_json_voucher, oid_id_data}) {
    const auto message = must(SignedMessage::verify(sign(type)));
    EXPECT_EQ(message.content_type(), type);
    EXPECT_EQ(as_text(message.content()), content);
    EXPECT_EQ(message.signer(), signer_.certificate);
    EXPECT_EQ(message.signing_time(), Pki::now());
    EXPECT_EQ(message.certificates().size(), 2u);
    EXPECT_NE(std::find(message.certificates().begin(), message.certificates().end(), ca_.certificate),
              message.certificates().end());
  }
}

TEST_P(SignedMessages, CarryEveryCertificateOnce) {
  const std::vector<Certificate> include{ca_.certificate, signer_.certificate, ca_.certificate};
  const Bytes cms = must(cms_sign(as_bytes(content), oid_id_data, signer_.certificate, *signer_.key, include));
  EXPECT_EQ(must(SignedMessage::verify(cms)).certificates().size(), 2u);
}

TEST_P(SignedMessages, AreRefusedWithOneOctetOfTheContentChanged) {
  Bytes cms = sign();
  const auto at = std::search(cms.begin(), cms.end(), content.begin(), content.end());
  ASSERT_NE(at, cms.end());
  at[2] ^= 1;
  const auto read = SignedMessage::verify(cms);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, CryptoError::bad_signature);
}

class Messages : public testing::Test {
 protected:
  const test::Identity ca_ = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const test::Identity signer_ = Pki::issue({.subject = {{"CN", "signer"}}}, &ca_);
  Bytes sign() {
    return must(
        cms_sign(as_bytes(content), oid_anima_json_voucher, signer_.certificate, *signer_.key, signer_.issuers()));
  }
  void expect_refused(ByteView cms, CryptoError code) {
    const auto read = SignedMessage::verify(cms);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, code) << read.error().message;
  }
  // A message made by hand with OpenSSL's own functions.
  Bytes openssl_sign(unsigned flags, std::function<void(CMS_ContentInfo*, CMS_SignerInfo*)> change = {}) {
    CMS_ContentInfo* cms = CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY | flags);
    CMS_SignerInfo* info = CMS_add1_signer(cms, signer_.certificate.handle(), signer_.key->handle(), EVP_sha256(),
                                           CMS_PARTIAL | CMS_BINARY | flags);
    if (change) change(cms, info);
    BIO* in = BIO_new_mem_buf(content.data(), static_cast<int>(content.size()));
    CMS_final(cms, in, nullptr, CMS_BINARY | (flags & CMS_DETACHED));
    Bytes der(static_cast<std::size_t>(i2d_CMS_ContentInfo(cms, nullptr)));
    unsigned char* cursor = der.data();
    i2d_CMS_ContentInfo(cms, &cursor);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
    return der;
  }
};

TEST_F(Messages, AreReadWithEitherNameOfTheSigner) {
  EXPECT_TRUE(SignedMessage::verify(openssl_sign(0)));
  EXPECT_TRUE(SignedMessage::verify(openssl_sign(CMS_USE_KEYID)));
}

// RFC 8995 2.3: no key usage may be asked of an IDevID.
TEST_F(Messages, AreReadWhateverTheKeyUsageOfTheSigner) {
  const auto odd = Pki::issue(
      {.subject = {{"CN", "odd"}}, .key_usage = KeyUsage::crl_sign, .extended_key_usage = {"serverAuth"}}, &ca_);
  const Bytes cms = must(cms_sign(as_bytes(content), oid_id_data, odd.certificate, *odd.key));
  EXPECT_TRUE(SignedMessage::verify(cms));
}

TEST_F(Messages, AreRefusedWithoutTheSignersCertificate) {
  const Bytes cms = openssl_sign(CMS_NOCERTS);
  expect_refused(cms, CryptoError::untrusted);
  const auto read = must(SignedMessage::verify(cms, signer_.chain));
  EXPECT_EQ(read.signer(), signer_.certificate);
  EXPECT_TRUE(read.certificates().empty());
}

TEST_F(Messages, AreRefusedWithoutSignedAttributes) {
  expect_refused(openssl_sign(CMS_NOATTR), CryptoError::malformed);
}

TEST_F(Messages, AreRefusedWithoutTheirContent) { expect_refused(openssl_sign(CMS_DETACHED), CryptoError::malformed); }

TEST_F(Messages, AreRefusedWithTwoSigners) {
  const Bytes cms = openssl_sign(0, [&](CMS_ContentInfo* message, CMS_SignerInfo*) {
    CMS_add1_signer(message, ca_.certificate.handle(), ca_.key->handle(), EVP_sha256(), CMS_PARTIAL | CMS_BINARY);
  });
  expect_refused(cms, CryptoError::malformed);
}

TEST_F(Messages, AreRefusedWithoutASigner) { expect_refused(must(certs_only(signer_.chain)), CryptoError::malformed); }

// RFC 5652 11.1: the signed content-type is that of the content; else a signature for one type could be shown for
// another.
TEST_F(Messages, AreRefusedWhenTheSignedContentTypeIsAnother) {
  Bytes cms = sign();
  const Bytes voucher_type = must(hex_decode("060b2a864886f70d0109100128"));
  const auto first = std::search(cms.begin(), cms.end(), voucher_type.begin(), voucher_type.end());
  ASSERT_NE(first, cms.end());
  first[12] = 0x29;
  expect_refused(cms, CryptoError::malformed);
}

TEST_F(Messages, AreRefusedWithSha1) {
  CMS_ContentInfo* cms = CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY);
  CMS_add1_signer(cms, signer_.certificate.handle(), signer_.key->handle(), EVP_sha1(), CMS_PARTIAL | CMS_BINARY);
  BIO* in = BIO_new_mem_buf(content.data(), static_cast<int>(content.size()));
  ASSERT_EQ(CMS_final(cms, in, nullptr, CMS_BINARY), 1);
  Bytes der(static_cast<std::size_t>(i2d_CMS_ContentInfo(cms, nullptr)));
  unsigned char* cursor = der.data();
  i2d_CMS_ContentInfo(cms, &cursor);
  BIO_free(in);
  CMS_ContentInfo_free(cms);
  expect_refused(der, CryptoError::unsupported);
}

// The signature is over the attributes: a new digest with the old signature is not enough.
TEST_F(Messages, AreRefusedWhenTheAttributesChange) {
  Bytes cms = sign();
  Bytes other = must(cms_sign(as_bytes("other"), oid_anima_json_voucher, signer_.certificate, *signer_.key));
  const Bytes digest_attribute = must(hex_decode("06092a864886f70d010904312204"));
  const auto here = std::search(cms.begin(), cms.end(), digest_attribute.begin(), digest_attribute.end());
  ASSERT_NE(here, cms.end());
  const auto text = std::search(cms.begin(), cms.end(), content.begin(), content.end());
  text[2] = 'b';
  std::string changed(content);
  changed[2] = 'b';
  const Bytes good = must(cms_sign(as_bytes(changed), oid_anima_json_voucher, signer_.certificate, *signer_.key));
  const auto there = std::search(good.begin(), good.end(), digest_attribute.begin(), digest_attribute.end());
  ASSERT_NE(there, good.end());
  std::copy_n(there, digest_attribute.size() + 33, here);
  expect_refused(cms, CryptoError::bad_signature);
}

TEST_F(Messages, AreRefusedWhenAnotherKeySignedUnderTheSignersName) {
  const auto real = signer_;
  const auto impostor =
      Pki::issue({.subject = {{"CN", "signer"}}, .serial = must(hex_decode(real.certificate.serial_hex()))}, &ca_);
  // Same issuer and serial number as the real signer, whose certificate is shown instead.
  Bytes cms = must(cms_sign(as_bytes(content), oid_id_data, impostor.certificate, *impostor.key));
  const Bytes& shown = real.certificate.der();
  const Bytes& hidden = impostor.certificate.der();
  const auto at = std::search(cms.begin(), cms.end(), hidden.begin(), hidden.end());
  ASSERT_NE(at, cms.end());
  if (shown.size() == hidden.size()) {
    std::copy(shown.begin(), shown.end(), at);
    expect_refused(cms, CryptoError::bad_signature);
  }
  // Both shown: nobody can say which one is meant.
  const Bytes both = must(
      cms_sign(as_bytes(content), oid_id_data, impostor.certificate, *impostor.key, std::span(&real.certificate, 1)));
  expect_refused(both, CryptoError::malformed);
}

TEST_F(Messages, AreRefusedWithSomethingBehindThem) {
  Bytes trailing = sign();
  trailing.push_back(0);
  expect_refused(trailing, CryptoError::malformed);
}

TEST_F(Messages, AreRefusedWhenCutAnywhere) {
  const Bytes der = sign();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(SignedMessage::verify(ByteView(der).first(size))) << size;
  }
}

TEST_F(Messages, AreRefusedAboveOneMebibyteAndTwentyCertificates) {
  const Bytes large = must(cms_sign(Bytes(1 << 20), oid_id_data, signer_.certificate, *signer_.key));
  expect_refused(large, CryptoError::malformed);
  std::vector<Certificate> many;
  for (int i = 0; i < 20; ++i) many.push_back(Pki::issue({.subject = {{"CN", std::to_string(i)}}}).certificate);
  expect_refused(must(cms_sign(as_bytes(content), oid_id_data, signer_.certificate, *signer_.key, many)),
                 CryptoError::malformed);
  many.pop_back();
  EXPECT_TRUE(
      SignedMessage::verify(must(cms_sign(as_bytes(content), oid_id_data, signer_.certificate, *signer_.key, many))));
}

TEST_F(Messages, AreNotSignedWithAKeyOfAnotherCertificateNorWithEd25519) {
  EXPECT_EQ(test::refusal(cms_sign(as_bytes(content), oid_id_data, ca_.certificate, *signer_.key)).code,
            CryptoError::wrong_key);
  const auto edwards = Pki::issue({.subject = {{"CN", "e"}}}, nullptr, KeyType::ed25519);
  EXPECT_EQ(test::refusal(cms_sign(as_bytes(content), oid_id_data, edwards.certificate, *edwards.key)).code,
            CryptoError::unsupported);
}

// RFC 7030 4.1.3.
TEST_F(Messages, OfCertificatesOnlyComeBack) {
  const auto back = must(certs_from_certs_only(must(certs_only(signer_.chain))));
  ASSERT_EQ(back.size(), 2u);
  for (const auto& certificate : signer_.chain) EXPECT_NE(std::find(back.begin(), back.end(), certificate), back.end());
  EXPECT_TRUE(must(certs_from_certs_only(must(certs_only({})))).empty());
}

TEST_F(Messages, OfCertificatesOnlyAreNotReadFromASignedOne) {
  EXPECT_EQ(test::refusal(certs_from_certs_only(sign())).code, CryptoError::malformed);
  EXPECT_FALSE(certs_from_certs_only(as_bytes("0")));
}

}  // namespace
}  // namespace cahn::crypto
