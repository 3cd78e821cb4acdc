// B-381, B-384: the JSON of a voucher, out and in.

#include <nlohmann/json.hpp>

#include "tests/unit/voucher_c/c_library.h"

namespace cahn::voucher {
namespace {

std::string json_of(const ::Voucher* voucher) {
  char* const text = serialize_voucher(voucher);
  if (text == nullptr) return {};
  std::string copy(text);
  free(text);
  return copy;
}

VoucherPtr from(std::string_view json, VoucherReading reading = VOUCHER_READING_STRICT) {
  return VoucherPtr(deserialize_voucher_as(as_bytes(json).data(), json.size(), reading));
}

// A voucher with every attribute but the one that must not stand beside the nonce, or the nonce.
VoucherPtr whole_voucher() {
  VoucherPtr voucher(init_voucher());
  const std::tm time = march();
  const Argument pin(pki().domain().certificate), issuer(Bytes{0x30, 0x00});
  EXPECT_EQ(set_attr_time_voucher(voucher.get(), ATTR_CREATED_ON, &time), 0);
  EXPECT_EQ(set_attr_time_voucher(voucher.get(), ATTR_EXPIRES_ON, &time), 0);
  EXPECT_EQ(set_attr_time_voucher(voucher.get(), ATTR_LAST_RENEWAL_DATE, &time), 0);
  EXPECT_EQ(set_attr_enum_voucher(voucher.get(), ATTR_ASSERTION, VOUCHER_ASSERTION_VERIFIED), 0);
  EXPECT_EQ(set_attr_str_voucher(voucher.get(), ATTR_SERIAL_NUMBER, serial), 0);
  EXPECT_EQ(set_attr_array_voucher(voucher.get(), ATTR_IDEVID_ISSUER, &issuer), 0);
  EXPECT_EQ(set_attr_array_voucher(voucher.get(), ATTR_PINNED_DOMAIN_CERT, &pin), 0);
  EXPECT_EQ(set_attr_bool_voucher(voucher.get(), ATTR_DOMAIN_CERT_REVOCATION_CHECKS, true), 0);
  return voucher;
}

TEST(SerializeVoucher, WritesTheExampleOfTheDocument) {
  const VoucherPtr voucher(init_voucher());
  ASSERT_EQ(set_attr_enum_voucher(voucher.get(), ATTR_ASSERTION, VOUCHER_ASSERTION_PROXIMITY), 0);
  EXPECT_EQ(json_of(voucher.get()), R"({"ietf-voucher-request:voucher":{"assertion":"proximity"}})");
}

TEST(SerializeVoucher, WritesAnEmptyVoucher) {
  EXPECT_EQ(json_of(VoucherPtr(init_voucher()).get()), R"({"ietf-voucher-request:voucher":{}})");
}

TEST(SerializeVoucher, NeedsAVoucher) { EXPECT_EQ(serialize_voucher(nullptr), nullptr); }

TEST(SerializeVoucher, CallsItAVoucherWhenItPinsAndARequestOtherwise) {
  const VoucherPtr voucher = whole_voucher();
  EXPECT_TRUE(json_of(voucher.get()).starts_with(R"({"ietf-voucher:voucher":)"));
  const Argument octets(pki().registrar().certificate);
  for (const auto attribute : {ATTR_PRIOR_SIGNED_VOUCHER_REQUEST, ATTR_PROXIMITY_REGISTRAR_CERT}) {
    ASSERT_EQ(set_attr_array_voucher(voucher.get(), attribute, &octets), 0);
    EXPECT_TRUE(json_of(voucher.get()).starts_with(R"({"ietf-voucher-request:voucher":)"));
    ASSERT_EQ(clear_attr_voucher(voucher.get(), attribute), 0);
  }
  ASSERT_EQ(clear_attr_voucher(voucher.get(), ATTR_PINNED_DOMAIN_CERT), 0);
  EXPECT_TRUE(json_of(voucher.get()).starts_with(R"({"ietf-voucher-request:voucher":)"));
}

TEST(SerializeVoucher, WritesDatesInUtcAndOctetsInBase64) {
  const auto members = nlohmann::json::parse(json_of(whole_voucher().get()))["ietf-voucher:voucher"];
  EXPECT_EQ(members["created-on"], "2026-03-01T12:00:00Z");
  EXPECT_EQ(members["expires-on"], "2026-03-01T12:00:00Z");
  EXPECT_EQ(members["last-renewal-date"], "2026-03-01T12:00:00Z");
  EXPECT_EQ(members["assertion"], "verified");
  EXPECT_EQ(members["serial-number"], serial);
  EXPECT_EQ(members["idevid-issuer"], "MAA=");
  EXPECT_EQ(members["pinned-domain-cert"], base64(pki().domain().certificate.der()));
  EXPECT_EQ(members["domain-cert-revocation-checks"], true);
  EXPECT_EQ(members.size(), 8U);
}

TEST(SerializeVoucher, WritesOctetsThatAreNoCertificateAsTheyAre) {
  const VoucherPtr voucher(init_voucher());
  const Argument octets(Bytes{1, 2, 3});
  ASSERT_EQ(set_attr_array_voucher(voucher.get(), ATTR_PINNED_DOMAIN_CERT, &octets), 0);
  EXPECT_EQ(json_of(voucher.get()), R"({"ietf-voucher:voucher":{"pinned-domain-cert":"AQID"}})");
  EXPECT_EQ(from(json_of(voucher.get())), nullptr);
}

TEST(DeserializeVoucher, ReadsWhatWasWritten) {
  const VoucherPtr voucher = whole_voucher();
  const VoucherPtr again = from(json_of(voucher.get()));
  ASSERT_NE(again, nullptr) << voucher_last_error();
  EXPECT_EQ(json_of(again.get()), json_of(voucher.get()));
  EXPECT_TRUE(is_same_time(*get_attr_time_voucher(again.get(), ATTR_EXPIRES_ON), march()));
  EXPECT_EQ(get_attr_time_voucher(again.get(), ATTR_EXPIRES_ON)->tm_wday, 0);
  EXPECT_STREQ(*get_attr_str_voucher(again.get(), ATTR_SERIAL_NUMBER), serial);
  EXPECT_EQ(*get_attr_enum_voucher(again.get(), ATTR_ASSERTION), VOUCHER_ASSERTION_VERIFIED);
  EXPECT_EQ(octets_of(get_attr_array_voucher(again.get(), ATTR_PINNED_DOMAIN_CERT)), pki().domain().certificate.der());
  EXPECT_TRUE(*get_attr_bool_voucher(again.get(), ATTR_DOMAIN_CERT_REVOCATION_CHECKS));
}

TEST(DeserializeVoucher, ReadsRequestsWithTheirOwnAttributes) {
  const VoucherPtr request(init_voucher());
  const Argument prior(to_bytes("a message")), seen(pki().registrar().certificate), nonce(nonce_octets());
  ASSERT_EQ(set_attr_str_voucher(request.get(), ATTR_SERIAL_NUMBER, serial), 0);
  ASSERT_EQ(set_attr_array_voucher(request.get(), ATTR_PRIOR_SIGNED_VOUCHER_REQUEST, &prior), 0);
  ASSERT_EQ(set_attr_array_voucher(request.get(), ATTR_PROXIMITY_REGISTRAR_CERT, &seen), 0);
  ASSERT_EQ(set_attr_array_voucher(request.get(), ATTR_NONCE, &nonce), 0);
  const VoucherPtr again = from(json_of(request.get()));
  ASSERT_NE(again, nullptr) << voucher_last_error();
  EXPECT_EQ(octets_of(get_attr_array_voucher(again.get(), ATTR_PRIOR_SIGNED_VOUCHER_REQUEST)), to_bytes("a message"));
  EXPECT_EQ(compare_binary_array(get_attr_array_voucher(again.get(), ATTR_PROXIMITY_REGISTRAR_CERT), &seen), 1);
  EXPECT_EQ(compare_binary_array(get_attr_array_voucher(again.get(), ATTR_NONCE), &nonce), 1);
}

TEST(DeserializeVoucher, RefusesWhatIsNoVoucher) {
  const std::string good = json_of(whole_voucher().get());
  ASSERT_NE(from(good), nullptr);
  EXPECT_EQ(deserialize_voucher(nullptr, 0), nullptr);
  EXPECT_EQ(deserialize_voucher(nullptr, 7), nullptr);
  EXPECT_EQ(deserialize_voucher(as_bytes(good).data(), 0), nullptr);
  for (const char* json :
       {"", "{}", "[]", "null", "{", "\"text\"", R"({"ietf-voucher:voucher":1})", R"({"ietf-voucher:voucher":{}})",
        R"({"ietf-voucher-request:voucher":{}})", R"({"ietf-voucher-request:voucher":{"serial-number":""}})",
        R"({"ietf-voucher-request:voucher":{"serial-number":42}})",
        R"({"ietf-voucher-request:voucher":{"serial-number":"a","serial-number":"b"}})",
        R"({"ietf-voucher-request:voucher":{"serial-number":"a","assertion":"none"}})",
        R"({"ietf-voucher-request:voucher":{"serial-number":"a","created-on":"yesterday"}})",
        R"({"ietf-voucher-request:voucher":{"serial-number":"a","idevid-issuer":"*"}})"}) {
    EXPECT_EQ(from(json), nullptr) << json;
  }
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_EQ(from(good.substr(0, size)), nullptr) << size;
}

TEST(DeserializeVoucher, RefusesAVoucherAndARequestInOne) {
  const char* request = R"("ietf-voucher-request:voucher":{"serial-number":"42"})";
  const char* voucher =
      R"("ietf-voucher:voucher":{"serial-number":"42","assertion":"logged","created-on":"2026-03-01T12:00:00Z"})";
  ASSERT_NE(from("{" + std::string(request) + "}"), nullptr);
  ASSERT_NE(from("{" + std::string(voucher) + "}"), nullptr);
  for (const auto reading : {VOUCHER_READING_STRICT, VOUCHER_READING_TOLERANT}) {
    EXPECT_EQ(from("{" + std::string(request) + "," + voucher + "}", reading), nullptr);
  }
}

TEST(DeserializeVoucher, RefusesNonceAndExpiryInAVoucher) {
  EXPECT_EQ(from(R"({"ietf-voucher:voucher":{"serial-number":"42","assertion":"logged",)"
                 R"("created-on":"2026-03-01T12:00:00Z","expires-on":"2026-03-01T12:00:00Z","nonce":"bm9uY2U="}})"),
            nullptr);
}

TEST(DeserializeVoucher, RefusesJsonOfMoreThan256KiB) {
  const std::string start = R"({"ietf-voucher-request:voucher":{"serial-number":"42","x":")";
  EXPECT_NE(from(start + std::string(200 << 10, 'x') + "\"}}"), nullptr);
  EXPECT_EQ(from(start + std::string(256 << 10, 'x') + "\"}}"), nullptr);
}

// As the JSON of RFC 8995, appendix C, is.
TEST(DeserializeVoucher, ReadsWhatTheFieldSendsOnlyWhenAskedTo) {
  const std::string request =
      R"({"ietf-voucher-request:voucher":{"assertion":"proximity","created-on":"2021-04-13T17:43:23.747-04:00",)"
      R"("serial-number":"00-D0-E5-F2-00-02","nonce":"-_XE9zK9q8Ll1qylMtLKeg"}})";
  EXPECT_EQ(from(request), nullptr);
  const VoucherPtr read = from(request, VOUCHER_READING_TOLERANT);
  ASSERT_NE(read, nullptr) << voucher_last_error();
  EXPECT_EQ(get_attr_time_voucher(read.get(), ATTR_CREATED_ON)->tm_hour, 21);
  EXPECT_EQ(octets_of(get_attr_array_voucher(read.get(), ATTR_NONCE)),
            must(base64url_decode("-_XE9zK9q8Ll1qylMtLKeg")));
  EXPECT_EQ(from(request, static_cast<VoucherReading>(2)), nullptr);
}

TEST(DeserializeVoucher, ReadsARequestUnderTheVouchersNameOnlyWhenAskedTo) {
  const char* request = R"({"ietf-voucher:voucher":{"serial-number":"42","nonce":"bm9uY2U="}})";
  EXPECT_EQ(from(request), nullptr);
  EXPECT_NE(from(request, VOUCHER_READING_TOLERANT), nullptr);
}

// Decision 3.
TEST(TheNonce, IsGivenAsTheOctetsOfItsBase64AndWrittenBackAsItWas) {
  const auto with = [](std::string_view nonce) {
    return R"({"ietf-voucher-request:voucher":{"serial-number":"42","nonce":")" + std::string(nonce) + "\"}}";
  };
  const VoucherPtr base64_nonce = from(with("bm9uY2U="));
  ASSERT_NE(base64_nonce, nullptr);
  EXPECT_EQ(octets_of(get_attr_array_voucher(base64_nonce.get(), ATTR_NONCE)), to_bytes("nonce"));
  const VoucherPtr neither = from(with("not base64!"));
  ASSERT_NE(neither, nullptr);
  EXPECT_TRUE(is_attr_voucher_nonempty(neither.get(), ATTR_NONCE));
  EXPECT_EQ(get_attr_array_voucher(neither.get(), ATTR_NONCE), nullptr);
  EXPECT_EQ(json_of(neither.get()), with("not base64!"));
}

}  // namespace
}  // namespace cahn::voucher
