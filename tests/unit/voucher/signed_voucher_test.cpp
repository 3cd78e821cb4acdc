#include "voucher/signed_voucher.h"

#include <gtest/gtest.h>

#include "tests/support/pki/pki.h"

namespace cahn::voucher {
namespace {

using test::must;
using test::pki;
using test::Pki;

class Signing : public testing::Test {
 protected:
  Voucher voucher_ = pki().voucher_for("42", "bm9uY2U=");

  Result<Bytes> sign_it(Root root = Root::voucher) {
    return sign(voucher_, root, pki().masa().certificate, *pki().masa().key, pki().masa().issuers());
  }
  void expect_refused(VoucherError code) {
    const auto made = sign_it();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, code) << made.error().message;
  }
};

TEST_F(Signing, GivesAVoucherThatOpens) {
  const Bytes cms = must(sign_it());
  const auto opened = must(open(cms, Root::voucher));
  EXPECT_EQ(opened.voucher.serial_number, "42");
  EXPECT_EQ(opened.voucher.nonce, "bm9uY2U=");
  EXPECT_EQ(opened.voucher.pinned_domain_cert, pki().domain().certificate);
  EXPECT_EQ(opened.signer, pki().masa().certificate);
  EXPECT_EQ(opened.certificates.size(), 2u);
  EXPECT_EQ(opened.signing_time, voucher_.created_on);
  EXPECT_EQ(opened.cms, cms);
}

// Decision 1.
TEST_F(Signing, NamesTheContentAVoucherUnlessAskedForPlainData) {
  EXPECT_EQ(must(crypto::SignedMessage::verify(must(sign_it()))).content_type(), crypto::oid_anima_json_voucher);
  const Bytes plain =
      must(sign(voucher_, Root::voucher, pki().masa().certificate, *pki().masa().key, {}, Format::cms_id_data));
  EXPECT_EQ(must(crypto::SignedMessage::verify(plain)).content_type(), crypto::oid_id_data);
  EXPECT_TRUE(open(plain, Root::voucher));
}

// Decision 2.
TEST_F(Signing, RefusesNonceAndExpiryTogether) {
  voucher_.expires_on = Pki::now() + std::chrono::days(1);
  expect_refused(VoucherError::contradiction);
  voucher_.nonce.reset();
  EXPECT_TRUE(sign_it());
}

TEST_F(Signing, RefusesAVoucherThatOutlivesItsPin) {
  voucher_.nonce.reset();
  voucher_.expires_on = pki().domain().certificate.not_after() + std::chrono::seconds(1);
  expect_refused(VoucherError::contradiction);
}

TEST_F(Signing, RefusesARenewalOfWhatNeverExpires) {
  voucher_.last_renewal_date = Pki::now();
  expect_refused(VoucherError::contradiction);
}

TEST_F(Signing, RefusesAVoucherWithoutWhatMustBeInIt) {
  const Voucher whole = voucher_;
  voucher_.created_on.reset();
  expect_refused(VoucherError::missing_member);
  voucher_ = whole;
  voucher_.assertion.reset();
  expect_refused(VoucherError::missing_member);
  voucher_ = whole;
  voucher_.serial_number.clear();
  expect_refused(VoucherError::missing_member);
  voucher_ = whole;
  voucher_.pinned_domain_cert.reset();
  expect_refused(VoucherError::no_pin);
}

TEST_F(Signing, RefusesAKeyThatIsNotTheSigners) {
  const auto made = sign(voucher_, Root::voucher, pki().masa().certificate, *pki().registrar().key);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, VoucherError::bad_certificate);
}

TEST_F(Signing, ARequestNeedsNoMoreThanASerialNumber) {
  Voucher request;
  request.serial_number = "42";
  const auto device = pki().device("42");
  const Bytes cms = must(sign(request, Root::voucher_request, device.certificate, *device.key));
  EXPECT_EQ(must(open(cms, Root::voucher_request)).signer, device.certificate);
  EXPECT_EQ(test::refusal(open(cms, Root::voucher)).code, VoucherError::wrong_root);
}

class Opening : public testing::Test {
 protected:
  Bytes signed_content(std::string_view content, std::string_view type = crypto::oid_anima_json_voucher) {
    return must(crypto::cms_sign(as_bytes(content), type, pki().masa().certificate, *pki().masa().key));
  }
  void expect_refused(ByteView cms, VoucherError code) {
    const auto opened = open(cms, Root::voucher);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, code) << opened.error().message;
  }
  const std::string json_ = to_json(pki().voucher_for("42", "n"), Root::voucher);
};

TEST_F(Opening, RefusesWhatIsNoCms) {
  expect_refused({}, VoucherError::not_cms);
  expect_refused(as_bytes(json_), VoucherError::not_cms);
}

TEST_F(Opening, RefusesAnotherContentType) {
  expect_refused(signed_content(json_, "1.2.840.113549.1.9.16.1.4"), VoucherError::wrong_content_type);
}

TEST_F(Opening, RefusesContentThatIsNoVoucher) {
  expect_refused(signed_content("hello"), VoucherError::not_json);
  expect_refused(signed_content("{}"), VoucherError::wrong_root);
}

TEST_F(Opening, RefusesAVoucherWithOneOctetChanged) {
  Bytes cms = signed_content(json_);
  const std::string_view serial = "\"42\"";
  const auto at = std::search(cms.begin(), cms.end(), serial.begin(), serial.end());
  ASSERT_NE(at, cms.end());
  at[1] = '5';
  expect_refused(cms, VoucherError::bad_signature);
}

}  // namespace
}  // namespace cahn::voucher
