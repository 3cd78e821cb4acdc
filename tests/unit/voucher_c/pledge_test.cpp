// B-374, B-378: what a pledge signs, and what it accepts.

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

class ThePledgesRequest : public Exchange {};

TEST_F(ThePledgesRequest, SaysWhatRfc8995DemandsAndNoMore) {
  const ArrayPtr cms = pledge_request();
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  const auto read = this->read(cms.get(), Root::voucher_request);
  EXPECT_EQ(read.signer, pledge_.certificate);
  EXPECT_EQ(read.voucher.created_on, Pki::now());
  EXPECT_EQ(read.voucher.serial_number, serial);
  EXPECT_EQ(read.voucher.nonce, base64(nonce_octets()));
  EXPECT_EQ(read.voucher.assertion, Assertion::proximity);
  EXPECT_EQ(read.voucher.proximity_registrar_cert, registrar_tls_.certificate);
  EXPECT_FALSE(read.voucher.pinned_domain_cert || read.voucher.prior_signed_voucher_request ||
               read.voucher.expires_on || read.voucher.idevid_issuer || read.voucher.last_renewal_date ||
               read.voucher.domain_cert_revocation_checks);
}

TEST_F(ThePledgesRequest, HasNoNonceWhenNoneIsGiven) {
  nonce_.clear();
  const ArrayPtr cms = pledge_request();
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  EXPECT_FALSE(read(cms.get(), Root::voucher_request).voucher.nonce);
}

TEST_F(ThePledgesRequest, CarriesTheFurtherCertificates) {
  const Argument tls(registrar_tls_.certificate), cert(pledge_.certificate), key = key_of(pledge_);
  const std::tm created = march();
  const ListPtr further = list_of({pki_.manufacturer().certificate});
  const ArrayPtr cms(sign_pledge_voucher_request(&created, serial, nullptr, &tls, &cert, &key, further.get()));
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  EXPECT_EQ(read(cms.get(), Root::voucher_request).certificates.size(), 2U);
}

TEST_F(ThePledgesRequest, IsSignedWithAnRsaKeyToo) {
  pledge_ = Pki::issue({.subject = {{"serialNumber", serial}}}, &pki_.manufacturer(), crypto::KeyType::rsa2048);
  EXPECT_NE(pledge_request(), nullptr) << voucher_last_error();
}

TEST_F(ThePledgesRequest, NeedsEachOfItsArguments) {
  const Argument tls(registrar_tls_.certificate), cert(pledge_.certificate),
      key = key_of(pledge_), nonce(nonce_octets()), junk(to_bytes("junk"));
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 4};
  const std::tm created = march();
  std::tm never = march();
  never.tm_mday = 0;
  const auto sign = [&](const std::tm* at, const char* number, const BinaryArray* with_nonce,
                        const BinaryArray* tls_cert, const BinaryArray* sign_cert, const BinaryArray* sign_key) {
    return ArrayPtr(sign_pledge_voucher_request(at, number, with_nonce, tls_cert, sign_cert, sign_key, nullptr));
  };
  ASSERT_NE(sign(&created, serial, &nonce, &tls, &cert, &key), nullptr) << voucher_last_error();
  ASSERT_NE(sign(&created, serial, &empty, &tls, &cert, &key), nullptr) << voucher_last_error();
  EXPECT_EQ(sign(nullptr, serial, &nonce, &tls, &cert, &key), nullptr);
  EXPECT_EQ(sign(&never, serial, &nonce, &tls, &cert, &key), nullptr);
  EXPECT_EQ(sign(&created, nullptr, &nonce, &tls, &cert, &key), nullptr);
  EXPECT_EQ(sign(&created, "", &nonce, &tls, &cert, &key), nullptr);
  EXPECT_EQ(sign(&created, serial, &impossible, &tls, &cert, &key), nullptr);
  for (const BinaryArray* bad :
       {static_cast<const BinaryArray*>(nullptr), &empty, &impossible, static_cast<const BinaryArray*>(&junk)}) {
    EXPECT_EQ(sign(&created, serial, &nonce, bad, &cert, &key), nullptr);
    EXPECT_EQ(sign(&created, serial, &nonce, &tls, bad, &key), nullptr);
    EXPECT_EQ(sign(&created, serial, &nonce, &tls, &cert, bad), nullptr);
  }
}

class ThePledge : public Exchange {
 protected:
  ThePledge() {
    voucher_.domain_cert_revocation_checks = false;
    voucher_.created_on = system_clock().now();
  }
  Argument signed_by(const Identity& who) const {
    return Argument(must(crypto::cms_sign(as_bytes(to_json(voucher_, Root::voucher)), crypto::oid_anima_json_voucher,
                                          who.certificate, *who.key, who.issuers(), voucher_.created_on)));
  }
  void expect_accepted() {
    const Argument voucher = signed_by(masa_);
    EXPECT_EQ(pledge_reads(&voucher), 0) << voucher_last_error();
    EXPECT_FALSE(pinned_.empty());
    EXPECT_NE(out_certs_, nullptr);
  }
  void expect_refused() { expect_refused(signed_by(masa_)); }
  void expect_refused(const Argument& voucher) {
    EXPECT_EQ(pledge_reads(&voucher), -1);
    EXPECT_TRUE(pinned_.empty());
    EXPECT_EQ(out_certs_, nullptr);
  }

  Voucher voucher_ = pki_.voucher_for(serial, base64(nonce_octets()));
};

TEST_F(ThePledge, AcceptsItsVoucherAndLearnsThePin) {
  expect_accepted();
  EXPECT_EQ(pinned_, pki_.domain().certificate.der());
  EXPECT_EQ(contents(out_certs_.get()).size(), 2U);
}

TEST_F(ThePledge, RefusesAVoucherForAnotherDevice) {
  voucher_.serial_number = "00-D0-E5-F2-00-03";
  expect_refused();
  EXPECT_STREQ(voucher_last_error(), "the voucher is for 00-D0-E5-F2-00-03");
}

TEST_F(ThePledge, RefusesTheNonceOfAnotherAttempt) {
  voucher_.nonce = base64(as_bytes("fedcba9876543210"));
  expect_refused();
}

TEST_F(ThePledge, RefusesANonceThatItDidNotSend) {
  nonce_.clear();
  expect_refused();
}

TEST_F(ThePledge, TakesAVoucherWithoutNonce) {
  voucher_.nonce.reset();
  voucher_.expires_on = system_clock().now() + std::chrono::hours(1);
  expect_accepted();
  nonce_.clear();
  expect_accepted();
}

TEST_F(ThePledge, RefusesAVoucherThatExpired) {
  voucher_.nonce.reset();
  voucher_.created_on = system_clock().now() - std::chrono::hours(2);
  voucher_.expires_on = system_clock().now() - std::chrono::hours(1);
  expect_refused();
}

TEST_F(ThePledge, RefusesAVoucherFromTheFuture) {
  voucher_.created_on = system_clock().now() + std::chrono::hours(1);
  expect_refused();
}

TEST_F(ThePledge, RefusesNonceAndExpiryTogether) {
  voucher_.expires_on = system_clock().now() + std::chrono::hours(1);
  expect_refused();
}

TEST_F(ThePledge, RefusesAVoucherWithoutPin) {
  voucher_.pinned_domain_cert.reset();
  expect_refused();
}

TEST_F(ThePledge, RefusesARegistrarThatThePinDoesNotCover) {
  registrar_tls_ = Pki().registrar();
  expect_refused();
}

TEST_F(ThePledge, TakesThePinOfTheRegistrarsOwnCertificate) {
  voucher_.pinned_domain_cert = registrar_.certificate;
  expect_accepted();
}

TEST_F(ThePledge, FindsThePathFromTheRegistrarToThePinOverTheDomainStore) {
  const Identity middle = Pki::issue(
      {.subject = {{"CN", "Owner Middle CA"}}, .ca = true, .key_usage = crypto::KeyUsage::cert_sign}, &pki_.domain());
  registrar_tls_ = Pki::issue({.subject = {{"CN", "Other Registrar"}}}, &middle);
  expect_refused();
  domain_trusts_ = {middle.certificate, pki_.domain().certificate};
  expect_accepted();
}

TEST_F(ThePledge, HoldsThePinToTheDomainStoreWhereThereIsOne) {
  domain_trusts_ = {pki_.domain().certificate};
  expect_accepted();
  domain_trusts_ = {pki_.manufacturer().certificate};
  expect_refused();
}

TEST_F(ThePledge, RefusesASignerItDoesNotTrust) {
  pledge_trusts_ = {pki_.domain().certificate};
  expect_refused();
  pledge_trusts_.clear();
  expect_refused();
}

// Decision 7: one CA may have issued the devices too.
TEST_F(ThePledge, RefusesVouchersThatADeviceOrACaSigned) {
  pledge_trusts_ = {pki_.manufacturer().certificate};
  expect_refused(signed_by(pki_.device("00-D0-E5-F2-00-66")));
  const Identity ca = Pki::issue({.subject = {{"CN", "Some CA"}}, .ca = true}, &pki_.manufacturer());
  expect_refused(signed_by(ca));
  // A MASA of that CA is one, and so is a certificate that is in the store itself.
  masa_ = Pki::issue({.subject = {{"CN", "MASA"}}}, &pki_.manufacturer());
  expect_accepted();
  pledge_trusts_ = {masa_.certificate};
  expect_accepted();
}

TEST_F(ThePledge, RefusesARequestInThePlaceOfAVoucher) {
  const Argument cms(
      must(crypto::cms_sign(as_bytes(to_json(voucher_, Root::voucher_request)), crypto::oid_anima_json_voucher,
                            masa_.certificate, *masa_.key, masa_.issuers())));
  expect_refused(cms);
}

TEST_F(ThePledge, NeedsEachOfItsArguments) {
  const Argument voucher = signed_by(masa_);
  const Argument tls(registrar_tls_.certificate), nonce(nonce_), junk(to_bytes("junk"));
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 4};
  const ListPtr masas = list_of(pledge_trusts_);
  BinaryArray pin{nullptr, 0};
  const auto status = [&](const BinaryArray* cms, const char* number, const BinaryArray* sent,
                          const BinaryArray* tls_cert, const BinaryArrayList* store, BinaryArray* out) {
    const int result = verify_masa_pledge_voucher(cms, number, sent, tls_cert, nullptr, nullptr, store, nullptr, out);
    if (out != nullptr) free_binary_array_content(out);
    return result;
  };
  EXPECT_EQ(status(&voucher, serial, &nonce, &tls, masas.get(), &pin), 0) << voucher_last_error();
  EXPECT_EQ(status(&voucher, nullptr, &nonce, &tls, masas.get(), &pin), -1);
  EXPECT_EQ(status(&voucher, "", &nonce, &tls, masas.get(), &pin), -1);
  EXPECT_EQ(status(&voucher, serial, nullptr, &tls, masas.get(), &pin), -1);
  EXPECT_EQ(status(&voucher, serial, &impossible, &tls, masas.get(), &pin), -1);
  EXPECT_EQ(status(&voucher, serial, &nonce, &tls, nullptr, &pin), -1);
  EXPECT_EQ(status(&voucher, serial, &nonce, &tls, masas.get(), nullptr), -1);
  for (const BinaryArray* bad :
       {static_cast<const BinaryArray*>(nullptr), &empty, &impossible, static_cast<const BinaryArray*>(&junk)}) {
    EXPECT_EQ(status(bad, serial, &nonce, &tls, masas.get(), &pin), -1);
    EXPECT_EQ(status(&voucher, serial, &nonce, bad, masas.get(), &pin), -1);
  }
}

}  // namespace
}  // namespace cahn::voucher
