// B-375: a registrar asks the MASA only for a pledge that speaks for itself and saw this registrar.

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

class TheRegistrar : public Exchange {
 protected:
  void expect_refused(const BinaryArray* from_pledge) { EXPECT_EQ(registrar_request(from_pledge), nullptr); }
  void expect_refused() { expect_refused(pledge_request().get()); }
  // A request of the pledge that its own function would not sign.
  Argument signed_request(const Voucher& request, const Identity& who) const {
    return Argument(must(crypto::cms_sign(as_bytes(to_json(request, Root::voucher_request)),
                                          crypto::oid_anima_json_voucher, who.certificate, *who.key)));
  }
  Voucher request() const {
    Voucher request;
    request.assertion = Assertion::proximity;
    request.serial_number = serial;
    request.nonce = base64(nonce_octets());
    request.proximity_registrar_cert = registrar_tls_.certificate;
    return request;
  }
};

TEST_F(TheRegistrar, PassesOnTheNonceAndTheWholeRequest) {
  const ArrayPtr pledge = pledge_request();
  const ArrayPtr cms = registrar_request(pledge.get());
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  const auto read = this->read(cms.get(), Root::voucher_request);
  EXPECT_EQ(read.signer, registrar_.certificate);
  EXPECT_EQ(read.certificates.size(), 2U);
  EXPECT_EQ(read.voucher.created_on, Pki::now());
  EXPECT_EQ(read.voucher.serial_number, serial);
  EXPECT_EQ(read.voucher.nonce, base64(nonce_octets()));
  EXPECT_EQ(read.voucher.idevid_issuer, issuer_);
  EXPECT_EQ(read.voucher.prior_signed_voucher_request, octets_of(pledge.get()));
  EXPECT_EQ(read.voucher.assertion, Assertion::proximity);
  EXPECT_FALSE(read.voucher.proximity_registrar_cert);
  EXPECT_FALSE(read.voucher.pinned_domain_cert);
}

TEST_F(TheRegistrar, CarriesItsTlsCertificateWhenItSignsWithAnother) {
  registrar_tls_ = Pki::issue({.subject = {{"CN", "TLS"}}}, &pki_.domain());
  const ArrayPtr cms = registrar_request(pledge_request().get());
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  const auto carried = read(cms.get(), Root::voucher_request).certificates;
  EXPECT_NE(std::ranges::find(carried, registrar_tls_.certificate), carried.end());
}

TEST_F(TheRegistrar, RefusesAPledgeOfAnUnknownMaker) {
  registrar_trusts_ = {pki_.masa_ca().certificate};
  expect_refused();
  registrar_trusts_.clear();
  expect_refused();
}

TEST_F(TheRegistrar, RefusesAPledgeThatSpeaksForAnotherDevice) {
  asked_serial_ = "00-D0-E5-F2-00-03";
  expect_refused();
  serial_ = asked_serial_;
  expect_refused();
}

TEST_F(TheRegistrar, TakesASignerThatNamesNoDevice) {
  pledge_ = Pki::issue({.subject = {{"CN", "signs for a pledge"}}}, &pki_.manufacturer());
  EXPECT_NE(registrar_request(pledge_request().get()), nullptr) << voucher_last_error();
}

TEST_F(TheRegistrar, RefusesARequestThatACaSigned) {
  registrar_trusts_ = {pki_.manufacturer().certificate};
  const Argument cms = signed_request(request(), pki_.manufacturer());
  expect_refused(&cms);
}

TEST_F(TheRegistrar, RefusesAPledgeThatSawAnotherRegistrar) {
  const ArrayPtr cms = pledge_request();
  registrar_tls_ = Pki().registrar();
  expect_refused(cms.get());
}

TEST_F(TheRegistrar, RefusesARequestWithoutProximity) {
  Voucher without_assertion = request(), logged = request(), without_certificate = request();
  without_assertion.assertion.reset();
  logged.assertion = Assertion::logged;
  without_certificate.proximity_registrar_cert.reset();
  for (const Voucher& bad : {without_assertion, logged, without_certificate}) {
    const Argument cms = signed_request(bad, pledge_);
    expect_refused(&cms);
  }
  const Argument good = signed_request(request(), pledge_);
  EXPECT_NE(registrar_request(&good), nullptr) << voucher_last_error();
}

TEST_F(TheRegistrar, RefusesAVoucherInThePlaceOfARequest) {
  const Argument voucher(pki_.sign(pki_.voucher_for(serial, "bm9uY2U=")));
  expect_refused(&voucher);
}

TEST_F(TheRegistrar, NeedsEachOfItsArguments) {
  const ArrayPtr pledge = pledge_request();
  const Argument tls(registrar_tls_.certificate), cert(registrar_.certificate), key = key_of(registrar_),
                                                                                issuer(issuer_), junk(to_bytes("junk"));
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 4};
  const std::tm created = march();
  const ListPtr store = list_of(registrar_trusts_);
  const auto sign = [&](const BinaryArray* cms, const std::tm* at, const char* number, const BinaryArray* its_issuer,
                        const BinaryArray* tls_cert, const BinaryArray* sign_cert, const BinaryArray* sign_key,
                        const BinaryArrayList* trusted) {
    return ArrayPtr(
        sign_voucher_request(cms, at, number, its_issuer, tls_cert, sign_cert, sign_key, nullptr, trusted, nullptr));
  };
  const BinaryArray* const good = pledge.get();
  ASSERT_NE(sign(good, &created, serial, &issuer, &tls, &cert, &key, store.get()), nullptr) << voucher_last_error();
  EXPECT_EQ(sign(good, nullptr, serial, &issuer, &tls, &cert, &key, store.get()), nullptr);
  EXPECT_EQ(sign(good, &created, nullptr, &issuer, &tls, &cert, &key, store.get()), nullptr);
  EXPECT_EQ(sign(good, &created, serial, &issuer, &tls, &cert, &key, nullptr), nullptr);
  for (const BinaryArray* bad : {static_cast<const BinaryArray*>(nullptr), &empty, &impossible}) {
    EXPECT_EQ(sign(good, &created, serial, bad, &tls, &cert, &key, store.get()), nullptr);
  }
  for (const BinaryArray* bad :
       {static_cast<const BinaryArray*>(nullptr), &empty, &impossible, static_cast<const BinaryArray*>(&junk)}) {
    EXPECT_EQ(sign(bad, &created, serial, &issuer, &tls, &cert, &key, store.get()), nullptr);
    EXPECT_EQ(sign(good, &created, serial, &issuer, bad, &cert, &key, store.get()), nullptr);
    EXPECT_EQ(sign(good, &created, serial, &issuer, &tls, bad, &key, store.get()), nullptr);
    EXPECT_EQ(sign(good, &created, serial, &issuer, &tls, &cert, bad, store.get()), nullptr);
  }
}

}  // namespace
}  // namespace cahn::voucher
