// B-376, B-377: a MASA signs only for a pledge of its own that met a registrar, and only what its owner answers.

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

class TheMasa : public Exchange {
 protected:
  ArrayPtr answer_to_registrar() {
    const ArrayPtr request = registrar_request(pledge_request().get());
    EXPECT_NE(request, nullptr) << voucher_last_error();
    return masa_voucher(request.get());
  }
  // A registrar's request that its own function would not sign.
  Argument signed_request(const Voucher& request, const Identity& who) const {
    return Argument(must(crypto::cms_sign(as_bytes(to_json(request, Root::voucher_request)),
                                          crypto::oid_anima_json_voucher, who.certificate, *who.key, who.issuers())));
  }
  Voucher request() const {
    Voucher request;
    request.serial_number = serial;
    request.nonce = base64(nonce_octets());
    request.idevid_issuer = issuer_;
    request.prior_signed_voucher_request = octets_of(pledge_request().get());
    return request;
  }
  void expect_refused(const Voucher& request) {
    const Argument cms = signed_request(request, registrar_);
    EXPECT_EQ(masa_voucher(&cms), nullptr);
    EXPECT_EQ(owner_.asked_for, "");
  }
};

TEST_F(TheMasa, SignsAVoucherThatThePledgeAccepts) {
  const ArrayPtr cms = answer_to_registrar();
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  const auto read = this->read(cms.get(), Root::voucher);
  EXPECT_EQ(read.signer, masa_.certificate);
  EXPECT_EQ(read.voucher.serial_number, serial);
  EXPECT_EQ(read.voucher.nonce, base64(nonce_octets()));
  EXPECT_EQ(read.voucher.assertion, Assertion::proximity);
  EXPECT_EQ(read.voucher.pinned_domain_cert, pki_.domain().certificate);
  EXPECT_EQ(read.voucher.idevid_issuer, issuer_);
  EXPECT_FALSE(read.voucher.prior_signed_voucher_request || read.voucher.proximity_registrar_cert);
  EXPECT_EQ(pledge_reads(cms.get()), 0) << voucher_last_error();
  EXPECT_EQ(pinned_, owner_.pin);
}

TEST_F(TheMasa, AsksItsOwnerWithSerialNumberAndCertificates) {
  ASSERT_NE(answer_to_registrar(), nullptr) << voucher_last_error();
  EXPECT_EQ(owner_.asked_for, serial);
  EXPECT_EQ(owner_.carried.size(), 2U);
  EXPECT_NE(std::ranges::find(owner_.carried, pki_.domain().certificate.der()), owner_.carried.end());
}

TEST_F(TheMasa, SignsNothingWhenItsOwnerRefuses) {
  owner_.status = -1;
  EXPECT_EQ(answer_to_registrar(), nullptr);
  EXPECT_EQ(owner_.asked_for, serial);
  EXPECT_STREQ(voucher_last_error(), "the callback refused the device");
}

TEST_F(TheMasa, SignsNothingWhenItsOwnerNamesNoCertificate) {
  owner_.pin.clear();
  EXPECT_EQ(answer_to_registrar(), nullptr);
  owner_.pin = to_bytes("junk");
  EXPECT_EQ(answer_to_registrar(), nullptr);
}

TEST_F(TheMasa, SurvivesAnOwnerThatThrows) {
  const ArrayPtr request = registrar_request(pledge_request().get());
  const Argument cert(masa_.certificate), key = key_of(masa_);
  const ListPtr registrars = list_of(masa_trusts_registrars_), pledges = list_of(masa_trusts_pledges_);
  const voucher_req_fn throws = [](const char*, const BinaryArrayList*, const void*, BinaryArray*) -> int {
    throw std::runtime_error("the owner's database is gone");
  };
  EXPECT_EQ(sign_masa_pledge_voucher(request.get(), nullptr, throws, nullptr, &cert, &key, nullptr, registrars.get(),
                                     nullptr, pledges.get(), nullptr),
            nullptr);
  EXPECT_STREQ(voucher_last_error(), "the owner's database is gone");
}

// Decisions 2 and 3.
TEST_F(TheMasa, IgnoresTheExpiryWhenThereIsANonceAndSaysSo) {
  expires_on_ = march();
  expires_on_->tm_year += 10;
  HeardLog log;
  const ArrayPtr cms = answer_to_registrar();
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  EXPECT_FALSE(read(cms.get(), Root::voucher).voucher.expires_on);
  EXPECT_EQ(log.ids, std::vector<std::string>{"VOUCHER_EXPIRES_ON_IGNORED"});
}

TEST_F(TheMasa, LetsAVoucherWithoutNonceExpire) {
  nonce_.clear();
  expires_on_ = march();
  expires_on_->tm_year += 10;
  HeardLog log;
  const ArrayPtr cms = answer_to_registrar();
  ASSERT_NE(cms, nullptr) << voucher_last_error();
  EXPECT_EQ(rfc3339(*read(cms.get(), Root::voucher).voucher.expires_on), "2036-03-01T12:00:00Z");
  EXPECT_TRUE(log.ids.empty());
  EXPECT_EQ(pledge_reads(cms.get()), 0) << voucher_last_error();
}

TEST_F(TheMasa, SignsNoVoucherThatOutlivesItsPin) {
  nonce_.clear();
  expires_on_ = march();
  expires_on_->tm_year += 100;
  EXPECT_EQ(answer_to_registrar(), nullptr);
}

TEST_F(TheMasa, RefusesARegistrarItDoesNotTrust) {
  masa_trusts_registrars_ = {pki_.manufacturer().certificate};
  EXPECT_EQ(answer_to_registrar(), nullptr);
  masa_trusts_registrars_.clear();
  EXPECT_EQ(answer_to_registrar(), nullptr);
  EXPECT_EQ(owner_.asked_for, "");
}

// RFC 8995 5.5.4.
TEST_F(TheMasa, RefusesASignerThatIsNoRegistrar) {
  registrar_ = registrar_tls_ = Pki::issue({.subject = {{"CN", "Not A Registrar"}}}, &pki_.domain());
  EXPECT_EQ(answer_to_registrar(), nullptr);
  EXPECT_NE(std::string(voucher_last_error()).find("cmcRA"), std::string::npos);
}

TEST_F(TheMasa, RefusesAPledgeThatIsNotItsOwn) {
  masa_trusts_pledges_ = {pki_.domain().certificate};
  EXPECT_EQ(answer_to_registrar(), nullptr);
  masa_trusts_pledges_.clear();
  EXPECT_EQ(answer_to_registrar(), nullptr);
}

TEST_F(TheMasa, RefusesLayersThatDisagree) {
  const Voucher good = request();
  Voucher bad = good;
  bad.serial_number = "00-D0-E5-F2-00-03";
  expect_refused(bad);
  bad = good;
  bad.nonce = base64(as_bytes("fedcba9876543210"));
  expect_refused(bad);
  bad.nonce.reset();
  expect_refused(bad);
  bad = good;
  bad.idevid_issuer = Bytes{0x30, 0x00};
  expect_refused(bad);
  bad = good;
  bad.prior_signed_voucher_request.reset();
  expect_refused(bad);
  bad.prior_signed_voucher_request = to_bytes("junk");
  expect_refused(bad);
  const Argument cms = signed_request(good, registrar_);
  EXPECT_NE(masa_voucher(&cms), nullptr) << voucher_last_error();
}

// Decision 4.
TEST_F(TheMasa, TakesTheIssuersBareKeyIdentifierAndNoneAtAll) {
  Voucher bare = request(), none = request();
  bare.idevid_issuer = pledge_.certificate.authority_key_identifier();
  none.idevid_issuer.reset();
  for (const Voucher& request : {bare, none}) {
    const Argument cms = signed_request(request, registrar_);
    const ArrayPtr voucher = masa_voucher(&cms);
    ASSERT_NE(voucher, nullptr) << voucher_last_error();
    EXPECT_EQ(read(voucher.get(), Root::voucher).voucher.idevid_issuer,
              request.idevid_issuer ? request.idevid_issuer : pledge_.certificate.authority_key_identifier_der());
  }
}

TEST_F(TheMasa, RefusesAPledgeThatSawAnotherRegistrar) {
  const Voucher of_another = request();
  registrar_ =
      Pki::issue({.subject = {{"CN", "Other Registrar"}}, .extended_key_usage = {std::string(crypto::oid_cmc_ra)}},
                 &pki_.domain());
  expect_refused(of_another);
}

// RFC 8995 5.5.5 with the two keys of the document's registrar (L1536-1552).
TEST_F(TheMasa, TakesARegistrarThatSignsWithAnotherKeyThanThatOfItsTls) {
  registrar_ =
      Pki::issue({.subject = {{"CN", "Signing Registrar"}}, .extended_key_usage = {std::string(crypto::oid_cmc_ra)}},
                 &pki_.domain());
  EXPECT_NE(answer_to_registrar(), nullptr) << voucher_last_error();
  // But not when the TLS certificate is no registrar's, or of another CA.
  registrar_tls_ = Pki::issue({.subject = {{"CN", "TLS"}}}, &pki_.domain());
  EXPECT_EQ(answer_to_registrar(), nullptr);
  const Identity other_ca = Pki::issue({.subject = {{"CN", "Other CA"}}, .ca = true}, &pki_.domain());
  registrar_tls_ =
      Pki::issue({.subject = {{"CN", "TLS"}}, .extended_key_usage = {std::string(crypto::oid_cmc_ra)}}, &other_ca);
  EXPECT_EQ(answer_to_registrar(), nullptr);
}

TEST_F(TheMasa, NeedsEachOfItsArguments) {
  const ArrayPtr request = registrar_request(pledge_request().get());
  const Argument cert(masa_.certificate), key = key_of(masa_), junk(to_bytes("junk"));
  const BinaryArray empty{nullptr, 0}, impossible{nullptr, 4};
  const ListPtr registrars = list_of(masa_trusts_registrars_), pledges = list_of(masa_trusts_pledges_);
  std::tm never = march();
  never.tm_hour = 24;
  const auto sign = [&](const BinaryArray* cms, const std::tm* expires, voucher_req_fn callback,
                        const BinaryArray* sign_cert, const BinaryArray* sign_key, const BinaryArrayList* of_registrars,
                        const BinaryArrayList* of_pledges) {
    return ArrayPtr(sign_masa_pledge_voucher(cms, expires, callback, &owner_, sign_cert, sign_key, nullptr,
                                             of_registrars, nullptr, of_pledges, nullptr));
  };
  const BinaryArray* const good = request.get();
  ASSERT_NE(sign(good, nullptr, &answer, &cert, &key, registrars.get(), pledges.get()), nullptr)
      << voucher_last_error();
  EXPECT_EQ(sign(good, &never, &answer, &cert, &key, registrars.get(), pledges.get()), nullptr);
  EXPECT_EQ(sign(good, nullptr, nullptr, &cert, &key, registrars.get(), pledges.get()), nullptr);
  EXPECT_EQ(sign(good, nullptr, &answer, &cert, &key, nullptr, pledges.get()), nullptr);
  EXPECT_EQ(sign(good, nullptr, &answer, &cert, &key, registrars.get(), nullptr), nullptr);
  for (const BinaryArray* bad :
       {static_cast<const BinaryArray*>(nullptr), &empty, &impossible, static_cast<const BinaryArray*>(&junk)}) {
    EXPECT_EQ(sign(bad, nullptr, &answer, &cert, &key, registrars.get(), pledges.get()), nullptr);
    EXPECT_EQ(sign(good, nullptr, &answer, bad, &key, registrars.get(), pledges.get()), nullptr);
    EXPECT_EQ(sign(good, nullptr, &answer, &cert, bad, registrars.get(), pledges.get()), nullptr);
  }
}

}  // namespace
}  // namespace cahn::voucher
