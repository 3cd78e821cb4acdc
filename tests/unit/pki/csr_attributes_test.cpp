#include "pki/csr_attributes.h"

#include <gtest/gtest.h>

#include "tests/unit/pki/support.h"

namespace cahn::pki {
namespace {

using test::value_of;

// The example of RFC 7030 4.5.2, OIDs and one Attribute.
constexpr std::string_view rfc7030_example =
    "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==";

Result<std::vector<std::string>> decode_hex(std::string_view text) {
  return decode_csr_attributes(value_of(hex_decode(text)));
}

TEST(CsrAttributes, AreReadAsRfc7030ShowsThem) {
  const auto oids = value_of(decode_csr_attributes(value_of(base64_decode(rfc7030_example))));
  EXPECT_EQ(oids, (std::vector<std::string>{"1.2.840.113549.1.9.7", "1.2.840.10045.2.1", "1.2.840.113549.1.9.14",
                                            "1.2.840.10045.4.3.3"}));
}

TEST(CsrAttributes, ComeBackAsTheyWereWritten) {
  const std::vector<std::string> oids = {
      "2.5.4.5", "0.9.2342.19200300.100.1.1", "1.2.840.113549.1.9.7", "2.999.18446744073709551615", "1.39.128", "2.40"};
  EXPECT_EQ(value_of(decode_csr_attributes(value_of(encode_csr_attributes(oids)))), oids);
}

TEST(CsrAttributes, ComeBackWhenThereAreManyLongOnes) {
  std::string longest = "2.1";
  for (int i = 0; i < 20; ++i) longest += ".18446744073709551615";
  const std::vector<std::string> oids(max_csr_attributes, longest);
  EXPECT_EQ(value_of(decode_csr_attributes(value_of(encode_csr_attributes(oids)))), oids);
}

TEST(CsrAttributes, AreWrittenAsOpensslReadsThem) {
  test::Folder folder;
  test::write(folder / "a.der", as_text(value_of(encode_csr_attributes({"2.5.4.5", "1.2.840.10045.4.3.3"}))));
  const auto [status, output] = test::run(folder, "openssl asn1parse -inform DER -in a.der");
  EXPECT_EQ(status, 0);
  EXPECT_NE(output.find("OBJECT            :serialNumber"), output.npos) << output;
  EXPECT_NE(output.find("OBJECT            :ecdsa-with-SHA384"), output.npos) << output;
}

TEST(CsrAttributes, MayBeNone) { EXPECT_TRUE(value_of(decode_hex("3000")).empty()); }

TEST(CsrAttributes, AreNotWrittenFromWhatIsNoOid) {
  for (const auto* bad : {"", "1", "3.1", "1.40", "0.40", "1..2", ".1.2", "1.2.", "1.2.x", "1.2.-3", "1.2.+3", " 1.2",
                          "1.18446744073709551616", "2.18446744073709551615", "serialNumber",
                          "1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3"}) {
    EXPECT_FALSE(encode_csr_attributes({bad}).has_value()) << bad;
  }
  EXPECT_FALSE(encode_csr_attributes(std::vector<std::string>(max_csr_attributes + 1, "2.5.4.5")).has_value());
}

TEST(CsrAttributes, AreRefusedWhenTheyAreNotExactlyThatDer) {
  for (const auto* bad : {
           "",              // nothing
           "30",            // no length
           "300506035504",  // cut
           "30050603550405"
           "00",                      // something behind
           "31050603550405",          // SET
           "308006035504050000",      // indefinite length
           "30810506 03550405",       // long form of a short length
           "3082000506 03550405",     // leading zero of a length
           "3084ffffffff0603550405",  // 4 GiB
           "30850000000005"
           "0603550405",
           "30020600",  // OID without octets
           "30030601"
           "80",  // arc that never ends
           "3004060280"
           "01",                              // arc with a leading zero
           "300d060bffffffffffffffffffff7f",  // arc over 2^64
           "3003020105",                      // INTEGER
           "30053003060155",                  // Attribute without values
           "300730050601550500",              // values no SET
           "3009300706015531000500",          // a third member
       }) {
    std::string digits(bad);
    std::erase(digits, ' ');
    const auto decoded = decode_hex(digits);
    ASSERT_FALSE(decoded.has_value()) << bad;
    EXPECT_EQ(decoded.error().code, PkiError::bad_answer);
  }
}

// Found by fuzzing: an OID was read that could not have been written.
TEST(CsrAttributes, AreReadWithNoMoreArcsThanAreWritten) {
  Bytes der = {0x30, 34, 0x06, 32};
  der.insert(der.end(), 32, 0x01);  // 33 arcs: the first number stands for two
  EXPECT_FALSE(decode_csr_attributes(der).has_value());
  der = {0x30, 33, 0x06, 31};
  der.insert(der.end(), 31, 0x01);
  EXPECT_TRUE(encode_csr_attributes(value_of(decode_csr_attributes(der))).has_value());
}

TEST(CsrAttributes, AreBoundedInNumber) {
  Bytes der = {0x30, 0x82, 0x01, 0x86};  // 130 OIDs of three octets
  for (int i = 0; i < 130; ++i) der.insert(der.end(), {0x06, 0x01, 0x55});
  EXPECT_FALSE(decode_csr_attributes(der).has_value());
}

}  // namespace
}  // namespace cahn::pki
