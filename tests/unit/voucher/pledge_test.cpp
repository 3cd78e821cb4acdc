// RFC 8995 5.6.1 and 5.6.2: a pledge accepts a voucher only for itself, for this attempt, from its manufacturer, and
// then only the registrar that it pins.

#include <gtest/gtest.h>

#include "tests/support/pki/pki.h"
#include "voucher/signed_voucher.h"

namespace cahn::voucher {
namespace {

using test::Identity;
using test::must;
using test::Pki;

constexpr const char* serial = "00-D0-E5-F2-00-02";
constexpr const char* nonce = "QWJjZGVmZ2hpamtsbW5vcA==";

class PledgeReadingAVoucher : public testing::Test {
 protected:
  const Pki pki_;
  Voucher voucher_ = pki_.voucher_for(serial, nonce);
  PledgeExpectation expected_ = pki_.expectation(serial, nonce);

  // Signs whatever is in the voucher, also what `sign` would refuse to.
  Bytes signed_by(const Identity& who) {
    return must(crypto::cms_sign(as_bytes(to_json(voucher_, Root::voucher)), crypto::oid_anima_json_voucher,
                                 who.certificate, *who.key, who.issuers(), voucher_.created_on));
  }
  void expect_accepted(ByteView cms) {
    const auto read = read_as_pledge(cms, expected_);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->serial_number, serial);
  }
  void expect_accepted() { expect_accepted(signed_by(pki_.masa())); }
  void expect_refused(ByteView cms, VoucherError code) {
    const auto read = read_as_pledge(cms, expected_);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, code) << read.error().message;
  }
  void expect_refused(VoucherError code) { expect_refused(signed_by(pki_.masa()), code); }
};

TEST_F(PledgeReadingAVoucher, AcceptsTheOneItAskedFor) { expect_accepted(); }

TEST_F(PledgeReadingAVoucher, RefusesOneForAnotherDevice) {
  voucher_.serial_number = "00-D0-E5-F2-00-03";
  expect_refused(VoucherError::wrong_serial);
}

TEST_F(PledgeReadingAVoucher, RefusesEveryOneIfItHasNoSerialNumberItself) {
  expected_.idevid = Pki::issue({.subject = {{"CN", serial}}}, &pki_.manufacturer()).certificate;
  expect_refused(VoucherError::wrong_serial);
}

TEST_F(PledgeReadingAVoucher, FindsItsWayOverIntermediatesThatItWasGiven) {
  const auto ca = Pki::issue({.subject = {{"CN", "MASA issuing CA"}}, .ca = true}, &pki_.masa_ca());
  auto masa = Pki::issue({.subject = {{"CN", "MASA"}}}, &ca);
  masa.chain = {masa.certificate};  // the message carries nothing but the signer
  expect_refused(signed_by(masa), VoucherError::signer_not_trusted);
  expected_.intermediates = {ca.certificate};
  expect_accepted(signed_by(masa));
}

TEST_F(PledgeReadingAVoucher, TrustsNoIntermediateForItself) {
  const auto ca = Pki::issue({.subject = {{"CN", "Nobody's CA"}}, .ca = true});
  const auto masa = Pki::issue({.subject = {{"CN", "MASA"}}}, &ca);
  expected_.intermediates = {ca.certificate};
  expect_refused(signed_by(masa), VoucherError::signer_not_trusted);
}

TEST_F(PledgeReadingAVoucher, RefusesTheAnswerToAnotherRequest) {
  voucher_.nonce = "AAAAAAAAAAAAAAAAAAAAAA==";
  expect_refused(VoucherError::wrong_nonce);
}

TEST_F(PledgeReadingAVoucher, RefusesAnotherSpellingOfItsNonce) {
  voucher_.nonce = "QWJjZGVmZ2hpamtsbW5vcA";
  expect_refused(VoucherError::wrong_nonce);
}

TEST_F(PledgeReadingAVoucher, RefusesANonceWhenItSentNone) {
  expected_.nonce.reset();
  expect_refused(VoucherError::wrong_nonce);
}

TEST_F(PledgeReadingAVoucher, AcceptsOneWithoutNonceUnlessItsPolicyForbids) {
  voucher_.nonce.reset();
  expect_accepted();
  expected_.nonceless_allowed = false;
  expect_refused(VoucherError::wrong_nonce);
}

TEST_F(PledgeReadingAVoucher, RefusesAnExpiredOneIfItHasAClock) {
  voucher_.nonce.reset();
  voucher_.expires_on = Pki::now() + std::chrono::minutes(20);
  expect_accepted();
  expected_.now = *voucher_.expires_on;
  expect_refused(VoucherError::expired);
  expected_.now.reset();  // RFC 8995 2.6.1
  expect_accepted();
}

TEST_F(PledgeReadingAVoucher, RefusesOneFromTheFutureIfItHasAClock) {
  voucher_.created_on = Pki::now() + std::chrono::minutes(4);  // clocks differ
  expect_accepted();
  voucher_.created_on = Pki::now() + std::chrono::hours(1);
  expect_refused(VoucherError::not_yet_valid);
  expected_.now.reset();
  expect_accepted();
}

TEST_F(PledgeReadingAVoucher, RefusesOneSignedInTheFuture) {
  const auto& masa = pki_.masa();
  expect_refused(must(crypto::cms_sign(as_bytes(to_json(voucher_, Root::voucher)), crypto::oid_id_data,
                                       masa.certificate, *masa.key, masa.issuers(), Pki::now() + std::chrono::days(1))),
                 VoucherError::not_yet_valid);
}

TEST_F(PledgeReadingAVoucher, RefusesNonceAndExpiryTogether) {
  voucher_.expires_on = Pki::now() + std::chrono::minutes(20);
  expect_refused(VoucherError::contradiction);
}

TEST_F(PledgeReadingAVoucher, RefusesOneWithoutAPin) {
  voucher_.pinned_domain_cert.reset();
  expect_refused(VoucherError::no_pin);
}

TEST_F(PledgeReadingAVoucher, AcceptsItsIssuerAsTheWholeExtensionOrTheBareKeyIdentifier) {
  voucher_.idevid_issuer = expected_.idevid.authority_key_identifier_der();
  expect_accepted();
  voucher_.idevid_issuer = expected_.idevid.authority_key_identifier();
  expect_accepted();
}

TEST_F(PledgeReadingAVoucher, RefusesOneForADeviceOfAnotherIssuer) {
  voucher_.idevid_issuer = pki_.masa().certificate.authority_key_identifier_der();
  expect_refused(VoucherError::wrong_issuer);
}

TEST_F(PledgeReadingAVoucher, RefusesAnAssertionThatItsPolicyDoesNotTake) {
  for (const auto& [assertion, accepts] : {std::pair{Assertion::logged, &PledgeExpectation::accept_logged},
                                           {Assertion::verified, &PledgeExpectation::accept_verified},
                                           {Assertion::proximity, &PledgeExpectation::accept_proximity}}) {
    voucher_.assertion = assertion;
    expect_accepted();
    expected_.*accepts = false;
    expect_refused(VoucherError::assertion_refused);
    expected_.*accepts = true;
  }
}

TEST_F(PledgeReadingAVoucher, RefusesOneOctetChanged) {
  Bytes cms = signed_by(pki_.masa());
  const std::string_view text(serial);
  const auto at = std::search(cms.begin(), cms.end(), text.begin(), text.end());
  ASSERT_NE(at, cms.end());
  at[0] = '1';
  expect_refused(cms, VoucherError::bad_signature);
}

TEST_F(PledgeReadingAVoucher, RefusesTheMasaOfAnotherMaker) {
  const Pki stranger;
  expect_refused(signed_by(stranger.masa()), VoucherError::signer_not_trusted);
}

TEST_F(PledgeReadingAVoucher, RefusesEveryOneIfItHasNoAnchors) {
  expected_.masa_anchors = {};
  expect_refused(VoucherError::signer_not_trusted);
}

TEST_F(PledgeReadingAVoucher, RefusesARevokedMasa) {
  const crypto::CrlSpec list{.this_update = Pki::now(),
                             .next_update = Pki::now() + std::chrono::days(1),
                             .entries = {{pki_.masa().certificate.serial_hex(), Pki::now()}}};
  const auto& ca = pki_.masa_ca();
  expected_.masa_anchors = crypto::TrustStore(
      {ca.certificate}, {must(crypto::Crl::from_der(must(make_crl(list, ca.certificate, *ca.key))))});
  expect_refused(VoucherError::signer_not_trusted);
}

TEST_F(PledgeReadingAVoucher, RefusesOneSignedByAnotherDeviceOfTheSameMaker) {
  expect_refused(signed_by(pki_.device("00-D0-E5-F2-00-03")), VoucherError::signer_not_trusted);
}

// The tests of decision 7 below use anchors under which chain building alone would succeed.
TEST_F(PledgeReadingAVoucher, RefusesADeviceWhoseCaIsAnchored) {
  expected_.masa_anchors = pki_.manufacturer_anchors();
  expect_refused(signed_by(pki_.device("00-D0-E5-F2-00-03")), VoucherError::signer_is_not_the_masa);
}

TEST_F(PledgeReadingAVoucher, RefusesADeviceOfAnotherCaUnderAnAnchoredRoot) {
  const Identity root = Pki::issue({.subject = {{"CN", "root"}}, .ca = true});
  const Identity devices = Pki::issue({.subject = {{"CN", "other devices"}}, .ca = true}, &root);
  const Identity with_url = Pki::issue({.subject = {{"CN", "d"}}, .masa_url = "m.example"}, &devices);
  const Identity with_serial = Pki::issue({.subject = {{"serialNumber", "7"}}}, &devices);
  expected_.masa_anchors = crypto::TrustStore({root.certificate});
  expect_refused(signed_by(with_url), VoucherError::signer_is_not_the_masa);
  expect_refused(signed_by(with_serial), VoucherError::signer_is_not_the_masa);
}

// No device by its looks, but from the CA that issues devices: it might be anything that the factory certifies.
TEST_F(PledgeReadingAVoucher, RefusesAnySignerUnderTheCaOfItsOwnIdevid) {
  const Identity plain = Pki::issue({.subject = {{"CN", "MASA or not"}}}, &pki_.manufacturer());
  expected_.masa_anchors = pki_.manufacturer_anchors();
  expect_refused(signed_by(plain), VoucherError::signer_is_not_the_masa);
  // Appendix C of RFC 8995 has such a MASA: then its certificate is the anchor.
  expected_.masa_anchors = crypto::TrustStore({plain.certificate});
  expect_accepted(signed_by(plain));
}

TEST_F(PledgeReadingAVoucher, RefusesACaBelowTheAnchor) {
  const Identity ca = Pki::issue({.subject = {{"CN", "sub CA"}}, .ca = true}, &pki_.masa_ca());
  expect_refused(signed_by(ca), VoucherError::signer_is_not_the_masa);
}

TEST_F(PledgeReadingAVoucher, RefusesAnAnchorThatMaySignCertificatesOnly) {
  expect_refused(signed_by(pki_.masa_ca()), VoucherError::signer_is_not_the_masa);
}

TEST_F(PledgeReadingAVoucher, AcceptsTheAnchoredMasaWhoseCertificateIsNotCarried) {
  expected_.masa_anchors = crypto::TrustStore({pki_.masa().certificate});
  expect_accepted();
  const Identity masa = Pki::issue({.subject = {{"CN", "self-signed MASA"}}, .ca = true});
  expected_.masa_anchors = crypto::TrustStore({masa.certificate});
  expect_accepted(signed_by(masa));
}

TEST_F(PledgeReadingAVoucher, RefusesAnExpiredMasaIfItHasAClock) {
  expected_.now = pki_.masa().certificate.not_after() + std::chrono::days(1);
  expect_refused(VoucherError::signer_not_trusted);
  expected_.now.reset();
  expect_accepted();
}

TEST_F(PledgeReadingAVoucher, RefusesARequestInAVouchersPlace) {
  const auto& masa = pki_.masa();
  expect_refused(must(sign(voucher_, Root::voucher_request, masa.certificate, *masa.key)), VoucherError::wrong_root);
}

class PledgeCheckingThePin : public PledgeReadingAVoucher {
 protected:
  void expect_mismatch(const std::vector<crypto::Certificate>& chain, std::optional<Time> now = Pki::now()) {
    const auto checked = check_pin(voucher_, chain, now);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, VoucherError::pin_mismatch) << checked.error().message;
  }
};

TEST_F(PledgeCheckingThePin, AcceptsARegistrarUnderThePinnedCa) {
  EXPECT_TRUE(check_pin(voucher_, pki_.registrar().chain, Pki::now()));
  EXPECT_TRUE(check_pin(voucher_, std::span(pki_.registrar().chain).first(1), Pki::now()));
}

TEST_F(PledgeCheckingThePin, AcceptsThePinnedRegistrarItself) {
  voucher_.pinned_domain_cert = pki_.registrar().certificate;
  EXPECT_TRUE(check_pin(voucher_, pki_.registrar().chain, Pki::now()));
}

// RFC 8995 5.6.2: the key is what counts, so that a registrar may renew its certificate.
TEST_F(PledgeCheckingThePin, AcceptsAnotherCertificateOfThePinnedKey) {
  voucher_.pinned_domain_cert = must(crypto::issue_certificate({.subject = {{"CN", "older"}},
                                                                .key = pki_.registrar().key->public_key(),
                                                                .not_before = Pki::now(),
                                                                .not_after = Pki::now()},
                                                               *pki_.registrar().key));
  EXPECT_TRUE(check_pin(voucher_, pki_.registrar().chain, Pki::now()));
}

TEST_F(PledgeCheckingThePin, RefusesARegistrarOfAnotherDomain) {
  const Pki other;
  expect_mismatch(other.registrar().chain);
  expect_mismatch(other.registrar().chain, std::nullopt);
}

TEST_F(PledgeCheckingThePin, RefusesThePinnedCaShownBesideAForeignRegistrar) {
  const Pki other;
  expect_mismatch({other.registrar().certificate, pki_.domain().certificate, pki_.registrar().certificate});
}

TEST_F(PledgeCheckingThePin, RefusesAnEmptyChain) { expect_mismatch({}); }

TEST_F(PledgeCheckingThePin, RefusesWithoutAPin) {
  voucher_.pinned_domain_cert.reset();
  EXPECT_EQ(test::refusal(check_pin(voucher_, pki_.registrar().chain, Pki::now())).code, VoucherError::no_pin);
}

TEST_F(PledgeCheckingThePin, RefusesAnExpiredRegistrarIfItHasAClock) {
  const Time later = pki_.registrar().certificate.not_after() + std::chrono::days(1);
  EXPECT_EQ(test::refusal(check_pin(voucher_, pki_.registrar().chain, later)).code, VoucherError::expired);
  EXPECT_TRUE(check_pin(voucher_, pki_.registrar().chain, std::nullopt));
  voucher_.pinned_domain_cert = pki_.registrar().certificate;
  EXPECT_EQ(test::refusal(check_pin(voucher_, pki_.registrar().chain, later)).code, VoucherError::expired);
}

}  // namespace
}  // namespace cahn::voucher
