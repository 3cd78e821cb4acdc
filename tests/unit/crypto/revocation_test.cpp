// Where certificates say that their revocation is told, and what messages carry about it. What of it is believed is
// tested with vouchers (tests/unit/voucher/domain_revocation_test.cpp).

#include "crypto/revocation.h"

#include <gtest/gtest.h>
#include <openssl/cms.h>

#include "crypto/asn1.h"
#include "crypto/cms.h"
#include "crypto/ocsp.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::Identity;
using test::must;
using test::Pki;

TEST(ACertificate, SaysWhereItsRevocationIsTold) {
  const Identity ca = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const Identity with = Pki::issue({.subject = {{"CN", "a"}},
                                    .crl_url = "http://ca.example/list",
                                    .ocsp_url = "http://ca.example/ocsp",
                                    .ca_issuers_url = "http://ca.example/ca"},
                                   &ca);
  EXPECT_EQ(with.certificate.crl_urls(), std::vector<std::string>{"http://ca.example/list"});
  EXPECT_EQ(with.certificate.ocsp_urls(), std::vector<std::string>{"http://ca.example/ocsp"});
  EXPECT_TRUE(ca.certificate.crl_urls().empty());
  EXPECT_TRUE(ca.certificate.ocsp_urls().empty());
}

TEST(AnOcspRequestOfOurs, IsReadByOurResponderWithItsNonce) {
  const Identity ca = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const Identity leaf = Pki::issue({.subject = {{"CN", "a"}}}, &ca);
  const Bytes nonce(32, 9);
  const auto request = must(OcspRequest::from_der(must(make_ocsp_request(leaf.certificate, ca.certificate, nonce))));
  ASSERT_EQ(request.certificates().size(), 1u);
  EXPECT_EQ(request.certificates()[0].serial_hex, leaf.certificate.serial_hex());
  EXPECT_TRUE(request.certificates()[0].is_issued_by(ca.certificate));
  EXPECT_EQ(request.nonce(), nonce);
  const OcspResponseSpec spec{.answers = {{.status = OcspAnswer::Status::good}},
                              .this_update = Pki::now(),
                              .next_update = Pki::now() + std::chrono::hours(1)};
  const Bytes response = must(make_ocsp_response(request, spec, ca.certificate, *ca.key));
  EXPECT_EQ(must(read_ocsp_response(response, leaf.certificate, ca.certificate, Pki::now(), nonce)).status,
            OcspAnswer::Status::good);
  EXPECT_FALSE(read_ocsp_response(response, leaf.certificate, ca.certificate, Pki::now(), Bytes(32, 8)))
      << "the answer to another request";
}

// The message with `choices` (RevocationInfoChoice, DER) where a SignedData has its crls.
Bytes with_choices(const Bytes& message, const Bytes& choices) {
  DerReader info(DerReader(message).next()->content);
  const Bytes type = to_bytes(info.next(tag::oid)->whole);
  DerReader fields(DerReader(info.next(tag::context0)->content).next()->content);
  Bytes inner;
  const auto add = [](Bytes& to, ByteView more) { to.insert(to.end(), more.begin(), more.end()); };
  for (int i = 0; i < 4; ++i) add(inner, fields.next()->whole);  // up to the certificates
  add(inner, der_element(tag::context1, choices));
  add(inner, fields.rest());
  Bytes outer = type;
  add(outer, der_element(tag::context0, der_element(tag::sequence, inner)));
  return der_element(tag::sequence, outer);
}

class EvidenceInAMessage : public testing::Test {
 protected:
  static Bytes list_of(const Identity& ca) {
    return must(make_crl({.this_update = Pki::now(), .next_update = Pki::now() + std::chrono::hours(1), .entries = {}},
                         ca.certificate, *ca.key));
  }
  static Bytes other(ByteView oid, ByteView info) {  // [1] OtherRevocationInfoFormat
    Bytes content = der_element(tag::oid, oid);
    content.insert(content.end(), info.begin(), info.end());
    return der_element(tag::context1, content);
  }
  const Identity ca_ = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const Bytes list_ = list_of(ca_);
  const Bytes plain_ = must(certs_only(ca_.chain));
  const Bytes ocsp_oid_{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x10, 0x02};
};

TEST_F(EvidenceInAMessage, IsItsListsAndOcspResponses) {
  EXPECT_TRUE(must(revocation_in_cms(plain_)).lists.empty());
  const Bytes response = make_ocsp_failure(OcspFailure::try_later);
  Bytes choices = list_;
  const Bytes stapled = other(ocsp_oid_, response);
  choices.insert(choices.end(), stapled.begin(), stapled.end());
  const auto found = must(revocation_in_cms(with_choices(plain_, choices)));
  ASSERT_EQ(found.lists.size(), 1u);
  EXPECT_EQ(found.lists[0].der(), list_);
  ASSERT_EQ(found.ocsp.size(), 1u);
  EXPECT_EQ(found.ocsp[0], response);
}

TEST_F(EvidenceInAMessage, OfUnknownKindsIsPassedOver) {
  const auto found =
      must(revocation_in_cms(with_choices(plain_, other(Bytes{0x2a, 0x03}, der_element(tag::sequence, {})))));
  EXPECT_TRUE(found.lists.empty());
  EXPECT_TRUE(found.ocsp.empty());
}

TEST_F(EvidenceInAMessage, IsRefusedWhenItIsNoneOrTooMuch) {
  EXPECT_FALSE(revocation_in_cms(with_choices(plain_, der_element(tag::sequence, Bytes{0x02, 0x01, 0x00}))));
  EXPECT_FALSE(revocation_in_cms(with_choices(plain_, other(ocsp_oid_, {}))));
  Bytes many;
  for (int i = 0; i < 21; ++i) {
    many.insert(many.end(), list_.begin(), list_.end());
  }
  EXPECT_FALSE(revocation_in_cms(with_choices(plain_, many)));
  EXPECT_FALSE(revocation_in_cms(Bytes(10, 0x30)));
}

TEST(OpensslsCms, WithAListIsReadAlike) {
  const Identity ca = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const Crl list = must(Crl::from_der(
      must(make_crl({.this_update = Pki::now(), .next_update = Pki::now() + std::chrono::hours(1), .entries = {}},
                    ca.certificate, *ca.key))));
  const Bytes signed_message = must(cms_sign(as_bytes("{}"), oid_id_data, ca.certificate, *ca.key));
  const unsigned char* cursor = signed_message.data();
  CmsPtr message(d2i_CMS_ContentInfo(nullptr, &cursor, static_cast<long>(signed_message.size())));
  ASSERT_EQ(CMS_add1_crl(message.get(), list.handle()), 1);
  const Bytes carrying = encode<i2d_CMS_ContentInfo>(message.get());
  EXPECT_TRUE(SignedMessage::verify(carrying)) << "the signature does not cover it";
  const auto found = must(revocation_in_cms(carrying));
  ASSERT_EQ(found.lists.size(), 1u);
  EXPECT_EQ(found.lists[0].der(), list.der());
}

}  // namespace
}  // namespace cahn::crypto
