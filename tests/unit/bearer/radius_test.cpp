#include "bearer/dot1x/radius.h"

#include <gtest/gtest.h>

#include "tests/unit/bearer/fake_hostapd.h"

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view secret = "xyzzy5461";
const ManualClock at_1700000000{Time(1'700'000'000s)};

RadiusPacket disconnect_request() {
  return {RadiusCode::disconnect_request,
          7,
          {{RadiusAttribute::calling_station_id, to_bytes("02-00-00-00-00-AA")},
           {RadiusAttribute::event_timestamp, {0x65, 0x53, 0xf1, 0x00}}}};
}

// The octets below were computed with Python's hmac and hashlib from the text of RFC 5176 2.3 and RFC 3579 3.2.
const Bytes request_octets = *hex_decode(
    "2807003f46e636e317a07b7c4f07a29f7e0687da1f1330322d30302d30302d30302d30302d414137066553f100501268fe662af944d3026ba7"
    "bbf0a0d85f91");
const Bytes ack_octets = *hex_decode("29070014e8a7b9645d28d5f97a3dbe71d1ffc1bc");
const Bytes nak_octets =
    *hex_decode("2a07002ca70faa4713ef5ee07baad72f03365a306506000001f75012240141fec734f1f52076b4bd025ac71b");

TEST(DisconnectRequest, IsSignedAsRfc5176Says) {
  EXPECT_EQ(hex(encode_radius_request(disconnect_request(), secret)), hex(request_octets));
}

TEST(RadiusAnswer, IsReadWhenItsAuthenticatorsAreRight) {
  const auto ack = decode_radius_answer(ack_octets, request_octets, secret);
  ASSERT_TRUE(ack.has_value()) << ack.error().message;
  EXPECT_EQ(ack->code, RadiusCode::disconnect_ack);
  const auto nak = decode_radius_answer(nak_octets, request_octets, secret);
  ASSERT_TRUE(nak.has_value()) << nak.error().message;
  EXPECT_EQ(nak->code, RadiusCode::disconnect_nak);
  ASSERT_EQ(nak->attributes.size(), 1U);
  EXPECT_EQ(nak->attributes[0].second, (Bytes{0, 0, 1, 0xf7}));
}

TEST(RadiusAnswer, IsRefusedWhenAnyOctetIsAnother) {
  for (const Bytes& octets : {ack_octets, nak_octets}) {
    for (std::size_t i = 0; i < octets.size(); ++i) {
      Bytes changed = octets;
      changed[i] ^= 0x10;
      EXPECT_FALSE(decode_radius_answer(changed, request_octets, secret)) << i;
    }
    for (std::size_t size = 0; size < octets.size(); ++size)
      EXPECT_FALSE(decode_radius_answer(ByteView(octets).first(size), request_octets, secret)) << size;
  }
}

TEST(RadiusAnswer, IsRefusedUnderAnotherSecretAndToAnotherRequest) {
  EXPECT_FALSE(decode_radius_answer(ack_octets, request_octets, "another"));
  Bytes other = request_octets;
  other[10] ^= 1;
  EXPECT_FALSE(decode_radius_answer(ack_octets, other, secret));
}

class DisconnectingAStation : public testing::Test {
 protected:
  Result<void> disconnect() {
    return radius_disconnect(das_.port(), "02:00:00:00:00:aa", secret, at_1700000000, {200ms, 3});
  }
  test::FakeDas das_{std::string(secret)};
};

TEST_F(DisconnectingAStation, IsDoneWhenItIsAcknowledged) {
  EXPECT_TRUE(disconnect().has_value());
  ASSERT_EQ(das_.requests().size(), 1U);
  const std::string octets = hex(das_.requests()[0]);
  EXPECT_NE(octets.find("37066553f100"), std::string::npos) << "Event-Timestamp";
  EXPECT_NE(octets.find(hex(as_bytes("02-00-00-00-00-aa"))), std::string::npos) << "Calling-Station-Id";
  EXPECT_NE(octets.find("5012"), std::string::npos) << "Message-Authenticator";
}

TEST_F(DisconnectingAStation, IsTriedAgainWhenAnAnswerIsLost) {
  das_.drop_first = 2;
  EXPECT_TRUE(disconnect().has_value());
  EXPECT_EQ(das_.requests().size(), 3U);
}

TEST_F(DisconnectingAStation, GivesUpWhenNobodyAnswers) {
  das_.drop_first = 100;
  const auto done = disconnect();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, BearerError::unavailable);
}

TEST_F(DisconnectingAStation, PassesOverAForgedAnswer) {
  das_.forge = true;
  das_.code = 41;
  EXPECT_TRUE(disconnect().has_value());
}

TEST_F(DisconnectingAStation, IsFineWhenThereIsNoSuchSessionAndAnErrorForAnyOtherReason) {
  das_.code = 42;
  EXPECT_EQ(disconnect().error().code, BearerError::refused);
}

TEST(DisconnectingAnUnknownStation, IsFine) {
  test::FakeDas das{std::string(secret)};
  das.answer_with_attributes({101, 6, 0, 0, 0x01, 0xf7});
  das.code = 42;
  EXPECT_TRUE(radius_disconnect(das.port(), "02:00:00:00:00:aa", secret, at_1700000000).has_value());
}

TEST(StatusServer, GetsNoAnswerWhereNobodyListens) {
  std::uint16_t port = 0;
  {
    port = test::FakeDas(std::string(secret)).port();
  }
  const auto status = radius_status(port, secret, {20ms, 2});
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, BearerError::unavailable);
}

}  // namespace
}  // namespace cahn::bearer::dot1x
