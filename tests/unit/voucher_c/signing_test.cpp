// B-364, B-382, B-383: signing with either type of key, and verifying against a store of certificates and CRLs.

#include <openssl/cms.h>

#include "crypto/crl.h"
#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

using crypto::KeyType;

class SigningAVoucher : public testing::Test {
 protected:
  SigningAVoucher() {
    const std::tm time = march();
    const Argument pin(pki_.domain().certificate), nonce(nonce_octets());
    EXPECT_EQ(set_attr_time_voucher(voucher_.get(), ATTR_CREATED_ON, &time), 0);
    EXPECT_EQ(set_attr_enum_voucher(voucher_.get(), ATTR_ASSERTION, VOUCHER_ASSERTION_LOGGED), 0);
    EXPECT_EQ(set_attr_str_voucher(voucher_.get(), ATTR_SERIAL_NUMBER, serial), 0);
    EXPECT_EQ(set_attr_array_voucher(voucher_.get(), ATTR_PINNED_DOMAIN_CERT, &pin), 0);
    EXPECT_EQ(set_attr_array_voucher(voucher_.get(), ATTR_NONCE, &nonce), 0);
  }

  static Identity signer(KeyType type, const Identity* issuer = nullptr) {
    return Pki::issue({.subject = {{"CN", "Some Signer"}}, .key_usage = crypto::KeyUsage::digital_signature}, issuer,
                      type);
  }
  static const Identity& rsa() {
    static const Identity made = signer(KeyType::rsa2048);
    return made;
  }

  using Function = decltype(&sign_cms_voucher);
  ArrayPtr sign(Function function, const Identity& who, KeyForm form = KeyForm::pkcs8) {
    const Argument cert(who.certificate), key(key_der(*who.key, form));
    return ArrayPtr(function(voucher_.get(), &cert, &key, nullptr));
  }
  ArrayPtr signed_by_masa() {
    const Argument cert(pki_.masa().certificate), key = key_of(pki_.masa());
    const ListPtr carried = list_of({pki_.masa_ca().certificate});
    return ArrayPtr(sign_cms_voucher(voucher_.get(), &cert, &key, carried.get()));
  }
  static VoucherPtr verify(const BinaryArray* cms, const BinaryArrayList* store,
                           const BinaryArrayList* certs = nullptr) {
    return VoucherPtr(verify_cms_voucher(cms, certs, store, nullptr));
  }

  const Pki pki_;
  const VoucherPtr voucher_{init_voucher()};
};

TEST_F(SigningAVoucher, WithAnEllipticCurveKey) {
  for (const KeyType type : {KeyType::p256, KeyType::p384}) {
    const Identity who = signer(type);
    const ListPtr store = list_of({who.certificate});
    for (const KeyForm form : {KeyForm::pkcs8, KeyForm::traditional}) {
      for (const Function function : {&sign_eccms_voucher, &sign_cms_voucher}) {
        const ArrayPtr cms = sign(function, who, form);
        ASSERT_NE(cms, nullptr) << voucher_last_error();
        EXPECT_NE(verify(cms.get(), store.get()), nullptr) << voucher_last_error();
      }
      EXPECT_EQ(sign(&sign_rsacms_voucher, who, form), nullptr);
      EXPECT_STREQ(voucher_last_error(), "the key is no RSA key");
    }
  }
}

TEST_F(SigningAVoucher, WithAnRsaKey) {
  const ListPtr store = list_of({rsa().certificate});
  for (const KeyForm form : {KeyForm::pkcs8, KeyForm::traditional}) {
    for (const Function function : {&sign_rsacms_voucher, &sign_cms_voucher}) {
      const ArrayPtr cms = sign(function, rsa(), form);
      ASSERT_NE(cms, nullptr) << voucher_last_error();
      EXPECT_NE(verify(cms.get(), store.get()), nullptr) << voucher_last_error();
    }
    EXPECT_EQ(sign(&sign_eccms_voucher, rsa(), form), nullptr);
    EXPECT_STREQ(voucher_last_error(), "the key is no Elliptic Curve key");
  }
}

TEST_F(SigningAVoucher, FailsWithAnEd25519Key) {
  const Identity who = signer(KeyType::ed25519);
  EXPECT_EQ(sign(&sign_cms_voucher, who), nullptr);
  EXPECT_EQ(sign(&sign_eccms_voucher, who), nullptr);
  EXPECT_EQ(sign(&sign_rsacms_voucher, who), nullptr);
}

TEST_F(SigningAVoucher, FailsWithTheKeyOfAnotherCertificate) {
  const Argument cert(pki_.masa().certificate), key = key_of(pki_.registrar());
  EXPECT_EQ(sign_cms_voucher(voucher_.get(), &cert, &key, nullptr), nullptr);
}

TEST_F(SigningAVoucher, FailsWithoutOneOfItsArguments) {
  const Argument cert(pki_.masa().certificate), key = key_of(pki_.masa());
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 5};
  for (const Function function : {&sign_cms_voucher, &sign_eccms_voucher, &sign_rsacms_voucher}) {
    EXPECT_EQ(function(nullptr, &cert, &key, nullptr), nullptr);
    for (const BinaryArray* missing : {static_cast<const BinaryArray*>(nullptr), &empty, &impossible}) {
      EXPECT_EQ(function(voucher_.get(), missing, &key, nullptr), nullptr);
      EXPECT_EQ(function(voucher_.get(), &cert, missing, nullptr), nullptr);
    }
  }
}

TEST_F(SigningAVoucher, FailsWhenTheCertificateIsTheKeyAndTheKeyTheCertificate) {
  const Argument cert(pki_.masa().certificate), key = key_of(pki_.masa());
  EXPECT_EQ(sign_cms_voucher(voucher_.get(), &key, &cert, nullptr), nullptr);
}

TEST_F(SigningAVoucher, FailsWithACertificateToCarryThatIsNone) {
  const Argument cert(pki_.masa().certificate), key = key_of(pki_.masa());
  const ListPtr list(init_array_list());
  append(list.get(), pki_.masa_ca().certificate.der(), 0);
  append(list.get(), to_bytes("not a certificate"), 0);
  EXPECT_EQ(sign_cms_voucher(voucher_.get(), &cert, &key, list.get()), nullptr);
}

TEST_F(SigningAVoucher, CarriesAtMost19FurtherCertificates) {
  const Argument cert(pki_.masa().certificate), key = key_of(pki_.masa());
  std::vector<crypto::Certificate> many;
  while (many.size() < 19) many.push_back(signer(KeyType::p256).certificate);
  const ArrayPtr cms(sign_cms_voucher(voucher_.get(), &cert, &key, list_of(many).get()));
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  EXPECT_NE(verify(cms.get(), list_of({pki_.masa().certificate}).get()), nullptr) << voucher_last_error();
  many.push_back(pki_.masa_ca().certificate);
  EXPECT_EQ(sign_cms_voucher(voucher_.get(), &cert, &key, list_of(many).get()), nullptr);
}

TEST_F(SigningAVoucher, FailsForOneThatIsNotWhole) {
  for (const auto attribute : {ATTR_CREATED_ON, ATTR_ASSERTION, ATTR_SERIAL_NUMBER}) {
    const VoucherPtr voucher(init_voucher());
    const std::tm time = march();
    const Argument pin(pki_.domain().certificate), cert(pki_.masa().certificate), key = key_of(pki_.masa());
    ASSERT_EQ(set_attr_time_voucher(voucher.get(), ATTR_CREATED_ON, &time), 0);
    ASSERT_EQ(set_attr_enum_voucher(voucher.get(), ATTR_ASSERTION, VOUCHER_ASSERTION_LOGGED), 0);
    ASSERT_EQ(set_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER, serial), 0);
    ASSERT_EQ(set_attr_array_voucher(voucher.get(), ATTR_PINNED_DOMAIN_CERT, &pin), 0);
    ASSERT_NE(ArrayPtr(sign_cms_voucher(voucher.get(), &cert, &key, nullptr)), nullptr);
    ASSERT_EQ(clear_attr_voucher(voucher.get(), attribute), 0);
    EXPECT_EQ(sign_cms_voucher(voucher.get(), &cert, &key, nullptr), nullptr);
  }
}

TEST_F(SigningAVoucher, FailsForNonceAndExpiryTogetherAlsoInARequest) {
  std::tm time = march();
  time.tm_year += 1;
  ASSERT_EQ(set_attr_time_voucher(voucher_.get(), ATTR_EXPIRES_ON, &time), 0);
  EXPECT_EQ(sign(&sign_cms_voucher, pki_.masa()), nullptr);
  ASSERT_EQ(clear_attr_voucher(voucher_.get(), ATTR_PINNED_DOMAIN_CERT), 0);
  EXPECT_EQ(sign(&sign_cms_voucher, pki_.masa()), nullptr);
  ASSERT_EQ(clear_attr_voucher(voucher_.get(), ATTR_NONCE), 0);
  EXPECT_NE(sign(&sign_cms_voucher, pki_.masa()), nullptr);
}

TEST_F(SigningAVoucher, FailsWhenThePinIsNoCertificate) {
  const Argument octets(Bytes{1, 2, 3});
  ASSERT_EQ(set_attr_array_voucher(voucher_.get(), ATTR_PINNED_DOMAIN_CERT, &octets), 0);
  EXPECT_EQ(sign(&sign_cms_voucher, pki_.masa()), nullptr);
  EXPECT_STREQ(voucher_last_error(), "pinned-domain-cert is not a certificate");
}

class VerifyingAVoucher : public SigningAVoucher {
 protected:
  // By the MASA, who is named in the message but whose certificate is left out.
  Bytes signed_without_certificates(ByteView content) const {
    BIO* const input = BIO_new_mem_buf(content.data(), static_cast<int>(content.size()));
    CMS_ContentInfo* const cms = CMS_sign(pki_.masa().certificate.handle(), pki_.masa().key->handle(), nullptr, input,
                                          CMS_BINARY | CMS_NOCERTS | CMS_NOSMIMECAP);
    BIO_free(input);
    unsigned char* der = nullptr;
    const int size = i2d_CMS_ContentInfo(cms, &der);
    CMS_ContentInfo_free(cms);
    if (size <= 0) throw std::runtime_error("the message does not encode");
    Bytes octets(der, der + size);
    OPENSSL_free(der);
    return octets;
  }

  const ArrayPtr cms_ = signed_by_masa();
  const ListPtr store_ = list_of({pki_.masa_ca().certificate});
};

TEST_F(VerifyingAVoucher, GivesTheVoucherAndTheCertificatesItCarries) {
  BinaryArrayList* out = nullptr;
  const VoucherPtr read(verify_cms_voucher(cms_.get(), nullptr, store_.get(), &out));
  ASSERT_NE(read, nullptr) << voucher_last_error();
  const ListPtr certificates(out);
  ASSERT_NE(certificates, nullptr);
  auto carried = contents(certificates.get());
  std::ranges::sort(carried);
  std::vector<Bytes> expected{pki_.masa().certificate.der(), pki_.masa_ca().certificate.der()};
  std::ranges::sort(expected);
  EXPECT_EQ(carried, expected);
  EXPECT_STREQ(*get_attr_str_voucher(read.get(), ATTR_SERIAL_NUMBER), serial);
  EXPECT_EQ(octets_of(get_attr_array_voucher(read.get(), ATTR_NONCE)), nonce_octets());
}

TEST_F(VerifyingAVoucher, GivesAnEmptyListWhenNoneIsCarried) {
  const Bytes json = to_bytes(to_json(pki_.voucher_for(serial, "bm9uY2U="), Root::voucher));
  const Argument cms(signed_without_certificates(json));
  BinaryArrayList* out = nullptr;
  const ListPtr signer = list_of({pki_.masa().certificate});
  const VoucherPtr by_certs(verify_cms_voucher(&cms, signer.get(), store_.get(), &out));
  ASSERT_NE(by_certs, nullptr) << voucher_last_error();
  ASSERT_NE(out, nullptr);
  EXPECT_TRUE(dl_list_empty(&out->list));
  free_buffer_list(out);
  EXPECT_NE(VoucherPtr(verify_cms_voucher(&cms, nullptr, signer.get(), nullptr)), nullptr) << voucher_last_error();
  EXPECT_EQ(verify_cms_voucher(&cms, nullptr, store_.get(), nullptr), nullptr);
}

TEST_F(VerifyingAVoucher, FailsWithoutAMessageAndForgetsTheList) {
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 5};
  for (const BinaryArray* missing : {static_cast<const BinaryArray*>(nullptr), &empty, &impossible}) {
    BinaryArrayList* out = store_.get();
    EXPECT_EQ(verify_cms_voucher(missing, nullptr, store_.get(), &out), nullptr);
    EXPECT_EQ(out, nullptr);
  }
}

TEST_F(VerifyingAVoucher, TrustsNobodyWithoutAStore) {
  const ListPtr nothing(init_array_list());
  BinaryArrayList never_initialised{};
  EXPECT_EQ(verify(cms_.get(), nullptr), nullptr);
  EXPECT_EQ(verify(cms_.get(), nothing.get()), nullptr);
  EXPECT_EQ(verify(cms_.get(), &never_initialised), nullptr);
}

TEST_F(VerifyingAVoucher, FailsForASignerOfSomebodyElse) {
  EXPECT_EQ(verify(cms_.get(), list_of({pki_.domain().certificate}).get()), nullptr);
}

TEST_F(VerifyingAVoucher, FindsThePathOverFurtherCertificates) {
  const Identity middle = Pki::issue(
      {.subject = {{"CN", "MASA Middle CA"}}, .ca = true, .key_usage = crypto::KeyUsage::cert_sign}, &pki_.masa_ca());
  const Identity who = signer(KeyType::p256, &middle);
  const ArrayPtr cms = sign(&sign_cms_voucher, who);
  EXPECT_EQ(verify(cms.get(), store_.get()), nullptr);
  EXPECT_NE(verify(cms.get(), store_.get(), list_of({middle.certificate}).get()), nullptr) << voucher_last_error();
}

TEST_F(VerifyingAVoucher, FailsWhenTheSignersCertificateIsOver) {
  const Identity who = Pki::issue({.subject = {{"CN", "Old Signer"}},
                                   .not_before = Pki::now() - std::chrono::days(400),
                                   .not_after = Pki::now() - std::chrono::days(30)},
                                  &pki_.masa_ca());
  const ArrayPtr cms = sign(&sign_cms_voucher, who);
  EXPECT_EQ(verify(cms.get(), store_.get()), nullptr);
  std::tm then = march();
  then.tm_year -= 1;
  then.tm_mon = 11;
  EXPECT_NE(VoucherPtr(verify_cms_voucher_as(cms.get(), nullptr, store_.get(), nullptr, VOUCHER_READING_STRICT, &then)),
            nullptr)
      << voucher_last_error();
}

class ARevocationListInTheStore : public VerifyingAVoucher {
 protected:
  // A list of `issuer` that is good now.
  static Bytes revoking(std::vector<std::string> serials, const Identity& issuer) {
    const Time now = system_clock().now();
    crypto::CrlSpec spec{
        .number = 1, .this_update = now - std::chrono::hours(1), .next_update = now + std::chrono::hours(24)};
    for (auto& number : serials) spec.entries.push_back({.serial_hex = std::move(number), .revoked_at = now});
    return must(crypto::make_crl(spec, issuer.certificate, *issuer.key));
  }
};

TEST_F(ARevocationListInTheStore, RefusesASignerThatIsRevoked) {
  append(store_.get(), revoking({pki_.masa().certificate.serial_hex()}, pki_.masa_ca()), CRYPTO_CERTIFICATE_CRL);
  EXPECT_EQ(verify(cms_.get(), store_.get()), nullptr);
  EXPECT_NE(std::string(voucher_last_error()).find("revoked"), std::string::npos) << voucher_last_error();
}

TEST_F(ARevocationListInTheStore, LetsASignerPassThatIsNotRevoked) {
  append(store_.get(), revoking({"0102"}, pki_.masa_ca()), CRYPTO_CERTIFICATE_CRL);
  EXPECT_NE(verify(cms_.get(), store_.get()), nullptr) << voucher_last_error();
}

TEST_F(ARevocationListInTheStore, MustBeTheOneOfTheSignersIssuer) {
  append(store_.get(), revoking({}, pki_.domain()), CRYPTO_CERTIFICATE_CRL);
  EXPECT_EQ(verify(cms_.get(), store_.get()), nullptr);
}

TEST_F(ARevocationListInTheStore, IsToldFromACertificateByItsFlag) {
  const Bytes crl = revoking({}, pki_.masa_ca());
  const ListPtr crl_as_certificate = list_of({pki_.masa_ca().certificate});
  append(crl_as_certificate.get(), crl, CRYPTO_CERTIFICATE_VALID);
  EXPECT_EQ(verify(cms_.get(), crl_as_certificate.get()), nullptr);
  const ListPtr certificate_as_crl = list_of({pki_.masa_ca().certificate});
  append(certificate_as_crl.get(), pki_.masa_ca().certificate.der(), CRYPTO_CERTIFICATE_CRL);
  EXPECT_EQ(verify(cms_.get(), certificate_as_crl.get()), nullptr);
  const ListPtr neither = list_of({pki_.masa_ca().certificate});
  append(neither.get(), crl, 2);
  EXPECT_EQ(verify(cms_.get(), neither.get()), nullptr);
}

// The shape of the objects of RFC 8995, appendix C: id-data, a date with a fraction and an offset, base64url, and
// certificates that are over by now.
TEST_F(VerifyingAVoucher, ReadsARequestAsInAppendixCWhenAskedToAtItsTime) {
  const auto on = [](int year, unsigned month, unsigned day) {
    return Time(std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)));
  };
  const Identity root = Pki::issue({.subject = {{"CN", "highway-test.example.com CA"}},
                                    .not_before = on(2020, 2, 25),
                                    .not_after = on(2022, 2, 24),
                                    .ca = true,
                                    .key_usage = crypto::KeyUsage::cert_sign},
                                   nullptr, KeyType::p384);
  const Identity idevid = Pki::issue(
      {.subject = {{"serialNumber", serial}}, .not_before = on(2021, 4, 13), .not_after = on(2999, 12, 31)}, &root);
  const std::string json =
      R"({"ietf-voucher-request:voucher":{"assertion":"proximity","created-on":"2021-04-13T17:43:23.747-04:00",)"
      R"("serial-number":"00-D0-E5-F2-00-02","nonce":"-_XE9zK9q8Ll1qylMtLKeg"}})";
  const Argument cms(must(
      crypto::cms_sign(as_bytes(json), crypto::oid_id_data, idevid.certificate, *idevid.key, {}, on(2021, 4, 13))));
  const ListPtr store = list_of({root.certificate});
  std::tm then{};
  then.tm_year = 121;
  then.tm_mon = 3;
  then.tm_mday = 14;
  const auto read = [&](VoucherReading reading, const std::tm* at) {
    return VoucherPtr(verify_cms_voucher_as(&cms, nullptr, store.get(), nullptr, reading, at));
  };
  EXPECT_NE(read(VOUCHER_READING_TOLERANT, &then), nullptr) << voucher_last_error();
  EXPECT_EQ(read(VOUCHER_READING_STRICT, &then), nullptr);
  EXPECT_EQ(read(VOUCHER_READING_TOLERANT, nullptr), nullptr);
  EXPECT_EQ(read(static_cast<VoucherReading>(7), &then), nullptr);
  then.tm_mon = 12;
  EXPECT_EQ(read(VOUCHER_READING_TOLERANT, &then), nullptr);
}

TEST_F(VerifyingAVoucher, RefusesAnotherContentType) {
  const Bytes json = to_bytes(to_json(pki_.voucher_for(serial, "bm9uY2U="), Root::voucher));
  const Argument cms(
      must(crypto::cms_sign(json, "1.2.840.113549.1.9.16.1.4", pki_.masa().certificate, *pki_.masa().key)));
  EXPECT_EQ(verify(&cms, store_.get()), nullptr);
}

}  // namespace
}  // namespace cahn::voucher
