#include "crypto/ber.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/asn1.h"
#include "crypto/cms.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;
using test::Pki;

std::string normalised(std::string_view ber) {
  const auto result = Normalised::from_ber(must(hex_decode(ber)));
  return result ? hex(result->der()) : "refused: " + result.error().message;
}

TEST(Ber, ThatIsDerStaysAsItIs) {
  for (const char* der : {"0500", "3000", "3003020105", "a003020105", "31060401aa0401bb"}) {
    EXPECT_EQ(normalised(der), der);
  }
}

TEST(Ber, LosesIndefiniteLengths) {
  EXPECT_EQ(normalised("30800000"), "3000");
  EXPECT_EQ(normalised("3080020105a0803080000000000000"), "3007020105a0023000");
}

TEST(Ber, LosesLengthsThatAreNotMinimal) {
  EXPECT_EQ(normalised("308103020105"), "3003020105");
  EXPECT_EQ(normalised("30880000000000000006028300000105"), "3003020105");
}

TEST(Ber, LosesStringsInPieces) {
  EXPECT_EQ(normalised("24800403616263040264650000"), "04056162636465");
  EXPECT_EQ(normalised("24080403616263040164"), "040461626364");
  EXPECT_EQ(normalised("2480248004016100000401620000"), "04026162");
  EXPECT_EQ(normalised("24800000"), "0400");
  EXPECT_EQ(normalised("2400"), "0400");
  // What stands behind such a string is not taken for a part of it.
  EXPECT_EQ(normalised("308024800401610000020105"
                       "0000"),
            "3006040161020105");
}

TEST(Ber, GrowsLengthsWhereTheContentNeedsThem) {
  const std::string half(200, 'a');
  EXPECT_EQ(normalised("24800464" + half + "0464" + half + "0000"), "0481c8" + half + half);
}

TEST(Ber, IsRefusedWithThePlaceWhereItIsNone) {
  EXPECT_EQ(normalised(""), "refused: octet 0: the message is cut off");
  EXPECT_EQ(normalised("30"), "refused: octet 0: the message is cut off");
  EXPECT_EQ(normalised("3080"), "refused: octet 2: an indefinite length without its end");
  EXPECT_EQ(normalised("308000"), "refused: octet 2: the message is cut off");
  EXPECT_EQ(normalised("3080020105"), "refused: octet 5: an indefinite length without its end");
  EXPECT_EQ(normalised("30800000ff"), "refused: octet 4: something behind the end");
  EXPECT_EQ(normalised("30800001000000"), "refused: octet 2: end-of-contents octets with a length");
  EXPECT_EQ(normalised("30020000"), "refused: octet 2: a tag that has no place here");
  EXPECT_EQ(normalised("1f8101050000"), "refused: octet 0: a tag that has no place here");
  EXPECT_EQ(normalised("04800000"), "refused: octet 0: an indefinite length of a primitive element");
  EXPECT_EQ(normalised("3089000000000000000000"), "refused: octet 0: a length that is cut off or too long");
  EXPECT_EQ(normalised("3088ffffffffffffffff"), "refused: octet 0: a length beyond the end");
  EXPECT_EQ(normalised("308004020000"), "refused: octet 6: an indefinite length without its end");
  EXPECT_EQ(normalised("3003048101"), "refused: octet 2: a length beyond the end");
  EXPECT_EQ(normalised("300330800000"), "refused: octet 4: the message is cut off");
}

TEST(Ber, HasNoOtherStringsInPieces) {
  EXPECT_EQ(normalised("2380030200aa0000"), "refused: octet 2: a string in pieces that is no OCTET STRING");
  EXPECT_EQ(normalised("2c800c01610000"), "refused: octet 2: a string in pieces that is no OCTET STRING");
  EXPECT_EQ(normalised("24800201050000"), "refused: octet 5: a piece of an OCTET STRING that is none");
  EXPECT_EQ(normalised("248030000000"), "refused: octet 4: a piece of an OCTET STRING that is none");
}

Bytes nested(int levels) {
  Bytes out;
  for (int i = 0; i < levels; ++i) out.insert(out.end(), {0x30, 0x80});
  out.resize(out.size() + 2 * static_cast<std::size_t>(levels));
  return out;
}

TEST(Ber, IsBoundedInDepthCountAndSize) {
  EXPECT_TRUE(Normalised::from_ber(nested(32)));
  EXPECT_FALSE(Normalised::from_ber(nested(33)));
  EXPECT_FALSE(Normalised::from_ber(nested(100'000)));
  const auto many = [](std::size_t count) {
    Bytes out{0x30, 0x80};
    for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), {0x05, 0x00});
    out.insert(out.end(), {0, 0});
    return out;
  };
  EXPECT_TRUE(Normalised::from_ber(many(16383)));
  EXPECT_FALSE(Normalised::from_ber(many(16384)));
  const auto large = [](std::uint8_t third) {
    Bytes out{0x30, 0x80, 0x04, 0x84, 0x00, third, 0xff, 0xf0};
    out.resize(8 + (std::size_t{third} << 16 | 0xfff0) + 2);
    return out;
  };
  EXPECT_TRUE(Normalised::from_ber(large(0x0e)));
  EXPECT_TRUE(Normalised::from_ber(large(0x0f))) << "not above 1 MiB yet";
  EXPECT_FALSE(Normalised::from_ber(large(0x10)));
}

TEST(Ber, RemembersWhatItRewrote) {
  // SEQUENCE { NULL, SEQUENCE (indefinite) { NULL }, [0] { INTEGER (long length) }, SEQUENCE { NULL } }
  const auto result = must(Normalised::from_ber(must(hex_decode("30120500308005000000a0040281010130020500"))));
  EXPECT_EQ(hex(result.der()), "300f050030020500a00302010130020500");
  const ByteView der = result.der();
  EXPECT_TRUE(result.is_verbatim(der.subspan(2, 2)));
  EXPECT_FALSE(result.is_verbatim(der.subspan(4, 4)));
  EXPECT_FALSE(result.is_verbatim(der.subspan(8, 5)));
  EXPECT_TRUE(result.is_verbatim(der.subspan(13, 4)));
  EXPECT_FALSE(result.is_verbatim(der));
}

// The same message as a writer would make it that streams: every length indefinite and every string in pieces, except
// in what must be DER.
class StreamedMessages : public testing::Test {
 protected:
  const test::Identity ca_ = Pki::issue({.subject = {{"CN", "CA"}}, .ca = true});
  const test::Identity signer_ = Pki::issue({.subject = {{"CN", "signer"}}}, &ca_);
  const std::string content_ = std::string(2500, 'x') + "{\"a\":1}";
  const Bytes der_ = must(cms_sign(as_bytes(content_), oid_anima_json_voucher, signer_.certificate, *signer_.key,
                                   signer_.issuers(), Pki::now()));
  bool attributes_too_ = false, certificates_too_ = false;

  bool is_kept(const DerElement& element) const {
    const Bytes whole = to_bytes(element.whole);
    const bool is_certificate = whole == signer_.certificate.der() || whole == ca_.certificate.der();
    if (is_certificate) return !certificates_too_;
    // [0] { SEQUENCE { OID pkcs-9 … } }
    const std::string start = hex(whole).substr(0, 40);
    return element.tag == tag::context0 && start.find("06092a864886f70d0109") < 20 && !attributes_too_;
  }
  Bytes streamed(ByteView elements) const {
    Bytes out;
    for (DerReader reader(elements); !reader.at_end();) {
      const auto element = reader.next();
      if (!element) throw std::runtime_error("not DER");
      const bool string = element->tag == tag::octet_string && element->content.size() > 100;
      if (is_kept(*element) || ((element->tag & 0x20) == 0 && !string)) {
        out.insert(out.end(), element->whole.begin(), element->whole.end());
        continue;
      }
      out.insert(out.end(), {static_cast<std::uint8_t>(element->tag | 0x20), 0x80});
      const Bytes inside = string ? pieces(element->content) : streamed(element->content);
      out.insert(out.end(), inside.begin(), inside.end());
      out.insert(out.end(), {0, 0});
    }
    return out;
  }
  static Bytes pieces(ByteView octets) {
    Bytes out;
    while (!octets.empty()) {
      const auto piece = octets.first(std::min<std::size_t>(octets.size(), 1000));
      out.insert(out.end(),
                 {0x04, 0x82, static_cast<std::uint8_t>(piece.size() >> 8), static_cast<std::uint8_t>(piece.size())});
      out.insert(out.end(), piece.begin(), piece.end());
      octets = octets.subspan(piece.size());
    }
    return out;
  }
};

TEST_F(StreamedMessages, AreReadAsThoseInDer) {
  const Bytes ber = streamed(der_);
  ASSERT_FALSE(is_der(ber));
  EXPECT_EQ(must(Normalised::from_ber(ber)).der(), der_);
  const auto message = must(SignedMessage::verify(ber));
  EXPECT_EQ(as_text(message.content()), content_);
  EXPECT_EQ(message.signer(), signer_.certificate);
  EXPECT_EQ(message.certificates().size(), 2u);
  EXPECT_EQ(message.signing_time(), Pki::now());
}

// X.509 and RFC 5652 5.3: what a signature covers is DER, and stays octet for octet what was signed.
TEST_F(StreamedMessages, AreRefusedWhenWhatIsSignedIsBer) {
  attributes_too_ = true;
  EXPECT_EQ(test::refusal(SignedMessage::verify(streamed(der_))).message, "signed attributes that are not DER");
  attributes_too_ = false;
  certificates_too_ = true;
  EXPECT_EQ(test::refusal(SignedMessage::verify(streamed(der_))).message, "a certificate that is not DER");
}

TEST_F(StreamedMessages, AreRefusedWithOneOctetOfTheContentChanged) {
  Bytes ber = streamed(der_);
  const auto at = std::find(ber.begin(), ber.end(), std::uint8_t{'x'});
  ASSERT_NE(at, ber.end());
  at[5] ^= 1;
  EXPECT_EQ(test::refusal(SignedMessage::verify(ber)).code, CryptoError::bad_signature);
}

TEST_F(StreamedMessages, AreRefusedWhenCutAnywhere) {
  const Bytes ber = streamed(der_);
  for (std::size_t size = 0; size < ber.size(); ++size) {
    ASSERT_FALSE(SignedMessage::verify(ByteView(ber).first(size))) << size;
  }
}

TEST_F(StreamedMessages, OfCertificatesOnlyAreReadToo) {
  const Bytes ber = streamed(must(certs_only(signer_.chain)));
  ASSERT_FALSE(is_der(ber));
  EXPECT_EQ(must(certs_from_certs_only(ber)).size(), 2u);
}

}  // namespace
}  // namespace cahn::crypto
