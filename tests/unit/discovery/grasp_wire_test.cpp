// GRASP floods, octet by octet. The expected octets are written out by hand from RFC 8990 2.8.11 and 2.9.5 and from
// figures 11 and 12 of RFC 8995, which lost a bracket in print: objective and locator are one array of two.

#include <gtest/gtest.h>

#include "discovery/cbor.h"
#include "discovery/dns_sd.h"
#include "discovery/grasp.h"

namespace cahn::discovery::grasp {
namespace {

constexpr std::array<std::uint8_t, 16> fe80_1 = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::array<std::uint8_t, 16> fda3 = {0xfd, 0xa3, 0x79, 0xa6, 0xf6, 0xee, 0, 0,
                                               0x02, 0,    0,    0x00, 0x64, 0,    0, 1};

// Figure 11.
const std::string proxy_flood =
    "85"                                  // array of 5
    "09"                                  // M_FLOOD
    "1a00bc4e4f"                          // session-id 12340815
    "50fe800000000000000000000000000001"  // initiator
    "1a0002bf20"                          // 180000
    "82"                                  // [objective, locator]
    "84"
    "68"
    "414e5f50726f7879"
    "04"
    "01"
    "60"  // ["AN_Proxy", 4, 1, ""]
    "84"
    "1867"
    "50fe800000000000000000000000000001"
    "06"
    "19115b";  // [103, fe80::1, 6, 4443]

Bytes octets(const std::string& text) { return hex_decode(text).value(); }

Flood figure_11_flood() {
  return {.session_id = 12340815,
          .initiator = to_string(ByteView(fe80_1)),
          .ttl_ms = 180000,
          .objectives = {proxy_announcement(fe80_1, 4443)}};
}

Flood figure_12_flood() {
  return {.session_id = 51804321,
          .initiator = to_string(ByteView(fda3)),
          .ttl_ms = 180000,
          .objectives = {registrar_announcement(fda3, 8443)}};
}

// Figure 12.
const std::string registrar_flood =
    "85"
    "09"
    "1a031678a1"
    "50fda379a6f6ee00000200000064000001"
    "1a0002bf20"
    "82"
    "84"
    "71"
    "414e5f6a6f696e5f726567697374726172"
    "04"
    "18ff"
    "67"
    "4553542d544c53"
    "84"
    "1867"
    "50fda379a6f6ee00000200000064000001"
    "06"
    "1920fb";

TEST(AFlood, OfAProxyIsWrittenAsFigure11MeansIt) { EXPECT_EQ(hex(write_flood(figure_11_flood())), proxy_flood); }

TEST(AFlood, OfARegistrarIsWrittenAsFigure12MeansIt) {
  EXPECT_EQ(hex(write_flood(figure_12_flood())), registrar_flood);
}

TEST(AFlood, IsReadAsItWasWritten) {
  EXPECT_EQ(read_flood(octets(proxy_flood)), figure_11_flood());
  EXPECT_EQ(read_flood(octets(registrar_flood)), figure_12_flood());
}

// RFC 8949 5.2: other spellings of the same value.
TEST(AFlood, IsUnderstoodWithIndefiniteLengthsAndLongIntegers) {
  const std::string other =
      "9f"
      "1809"
      "1b0000000000bc4e4f"
      "5f"
      "48fe80000000000000"
      "480000000000000001"
      "ff"
      "1b000000000002bf20"
      "9f"
      "9f"
      "7f"
      "65414e5f5072"
      "636f7879"
      "ff"
      "1804"
      "190001"
      "60"
      "ff"
      "9f"
      "190067"
      "50fe800000000000000000000000000001"
      "1806"
      "1a0000115b"
      "ff"
      "ff"
      "ff";
  EXPECT_EQ(read_flood(octets(other)), figure_11_flood());
}

// RFC 8995 4.1.1: "This announcement can be within the same message as the ACP announcement".
TEST(AFlood, MayCarrySeveralObjectivesWithLocatorsOfAllKinds) {
  Flood flood = figure_11_flood();
  flood.objectives.push_back({.name = "AN_ACP", .value = "IKEv2", .locator = Locator::tcp(fe80_1, 15000)});
  flood.objectives.push_back(
      {.name = "SRV.est", .value = {}, .locator = {Locator::Kind::ipv4, std::string("\xc0\x00\x02\x01", 4), 6, 443}});
  flood.objectives.push_back(
      {.name = "a", .value = {}, .locator = {Locator::Kind::fqdn, "registrar.example.com", 6, 443}});
  flood.objectives.push_back(
      {.name = "b", .value = {}, .locator = {Locator::Kind::uri, "coaps://[2001:db8::1]", {}, {}}});
  flood.objectives.push_back({.name = "c", .value = {}, .locator = {}});
  EXPECT_EQ(read_flood(write_flood(flood)), flood);
}

TEST(AFlood, KeepsAnObjectiveWhoseValueIsNoText) {
  CborWriter out;
  out.begin_array(5);
  for (const std::uint64_t number : {9, 1}) out.number(number);
  out.bytes(fe80_1);
  out.number(0);
  out.begin_array(2);
  out.begin_array(4);
  out.text("AN_Proxy");
  out.number(4);
  out.number(1);
  out.begin_array(2);  // any, RFC 8990 2.10.1
  out.null();
  out.bytes(fe80_1);
  out.begin_array(0);
  const auto flood = read_flood(out.take());
  ASSERT_TRUE(flood) << flood.error().message;
  EXPECT_EQ(flood->objectives.front().value, std::nullopt);
  EXPECT_EQ(flood->objectives.front().locator.kind, Locator::Kind::none);
}

TEST(AFlood, PassesOverOptionsItDoesNotKnow) {
  // An unknown option in the place of a locator (200), and one behind the objectives (107, the draft's signature).
  const std::string text =
      "86"
      "09"
      "01"
      "50fe800000000000000000000000000001"
      "00"
      "82"
      "84"
      "68"
      "414e5f50726f7879"
      "04"
      "01"
      "60"
      "82"
      "18c8"
      "f6"
      "82"
      "186b"
      "43aabbcc";
  const auto flood = read_flood(octets(text));
  ASSERT_TRUE(flood) << flood.error().message;
  ASSERT_EQ(flood->objectives.size(), 1u);
  EXPECT_EQ(flood->objectives.front().locator.kind, Locator::Kind::unknown);
}

TEST(AFlood, MayNameALocatorWithoutAPort) {  // locator3 of RFC 8995 4.3
  const std::string text =
      "85"
      "09"
      "01"
      "50fe800000000000000000000000000001"
      "00"
      "82"
      "84"
      "68"
      "414e5f50726f7879"
      "04"
      "01"
      "60"
      "84"
      "1867"
      "50fe800000000000000000000000001234"
      "1829"
      "f6";
  const auto flood = read_flood(octets(text));
  ASSERT_TRUE(flood) << flood.error().message;
  EXPECT_EQ(flood->objectives.front().locator.protocol, 41u);
  EXPECT_EQ(flood->objectives.front().locator.port, std::nullopt);
}

TEST(AnotherMessageOfGrasp, IsNotAFloodAndNotAFault) {
  for (const char* text : {"8100", "840201f680", "83186301f6"})  // M_NOOP, something of M_RESPONSE, M_INVALID
    EXPECT_EQ(read_flood(octets(text)).error().code, DiscoveryError::not_a_flood) << text;
}

struct Bad {
  const char* what;
  std::string text;
};

class ABadFlood : public testing::TestWithParam<Bad> {};

TEST_P(ABadFlood, IsRefusedAsMalformed) {
  const auto flood = read_flood(octets(GetParam().text));
  ASSERT_FALSE(flood) << GetParam().what;
  EXPECT_EQ(flood.error().code, DiscoveryError::malformed) << flood.error().message;
}

const std::string head =
    "85"
    "09"
    "01"
    "50fe800000000000000000000000000001"
    "00";
const std::string locator =
    "84"
    "1867"
    "50fe800000000000000000000000000001"
    "06"
    "19115b";
const std::string objective =
    "84"
    "68"
    "414e5f50726f7879"
    "04"
    "01"
    "60";

INSTANTIATE_TEST_SUITE_P(
    OfEachKind, ABadFlood,
    testing::Values(Bad{"nothing", ""}, Bad{"a number", "09"}, Bad{"an empty array", "80"},
                    Bad{"text as type",
                        "85"
                        "6109"},
                    Bad{"cut short", proxy_flood.substr(0, proxy_flood.size() - 2)},
                    Bad{"an octet too many", proxy_flood + "00"},
                    Bad{"no objective",
                        "84"
                        "09"
                        "01"
                        "50fe800000000000000000000000000001"
                        "00"},
                    Bad{"only an option", head + "82"
                                                 "186b"
                                                 "43aabbcc"},
                    Bad{"a session-id of 33 bits",
                        "85"
                        "09"
                        "1b0000000100000000"
                        "50fe800000000000000000000000000001"
                        "00"
                        "82" +
                            objective + locator},
                    Bad{"a negative session-id",
                        "85"
                        "09"
                        "20"
                        "50fe800000000000000000000000000001"
                        "00"
                        "82" +
                            objective + locator},
                    Bad{"an initiator of 15 octets",
                        "85"
                        "09"
                        "01"
                        "4ffe8000000000000000000000000000"
                        "00"
                        "82" +
                            objective + locator},
                    Bad{"an initiator of text",
                        "85"
                        "09"
                        "01"
                        "70" +
                            std::string(32, '3') +
                            "00"
                            "82" +
                            objective + locator},
                    Bad{"a ttl of 33 bits",
                        "85"
                        "09"
                        "01"
                        "50fe800000000000000000000000000001"
                        "1b0000000100000000"
                        "82" +
                            objective + locator},
                    Bad{"a ttl of text",
                        "85"
                        "09"
                        "01"
                        "50fe800000000000000000000000000001"
                        "6131"
                        "82" +
                            objective + locator},
                    Bad{"an objective alone", head + objective}, Bad{"an entry of one", head + "81" + objective},
                    Bad{"an objective of two", head +
                                                   "82"
                                                   "82"
                                                   "68"
                                                   "414e5f50726f7879"
                                                   "04" +
                                                   locator},
                    Bad{"an objective of a map", head +
                                                     "82"
                                                     "a1"
                                                     "0102" +
                                                     locator},
                    Bad{"a name of octets", head +
                                                "82"
                                                "84"
                                                "48"
                                                "414e5f50726f7879"
                                                "04"
                                                "01"
                                                "60" +
                                                locator},
                    Bad{"an empty name", head +
                                             "82"
                                             "84"
                                             "60"
                                             "04"
                                             "01"
                                             "60" +
                                             locator},
                    Bad{"a loop-count of 256", head +
                                                   "82"
                                                   "84"
                                                   "68"
                                                   "414e5f50726f7879"
                                                   "04"
                                                   "190100"
                                                   "60" +
                                                   locator},
                    Bad{"negative flags", head +
                                              "82"
                                              "84"
                                              "68"
                                              "414e5f50726f7879"
                                              "23"
                                              "01"
                                              "60" +
                                              locator},
                    Bad{"a locator that is no array", head + "82" + objective + "f6"},
                    Bad{"a locator without its type", head + "82" + objective +
                                                          "81"
                                                          "6131"},
                    Bad{"a locator of three", head + "82" + objective +
                                                  "83"
                                                  "1867"
                                                  "50fe800000000000000000000000000001"
                                                  "06"},
                    Bad{"an IPv6 address of four octets", head + "82" + objective +
                                                              "84"
                                                              "1867"
                                                              "44c0000201"
                                                              "06"
                                                              "19115b"},
                    Bad{"an IPv4 address of sixteen octets", head + "82" + objective +
                                                                 "84"
                                                                 "1868"
                                                                 "50fe800000000000000000000000000001"
                                                                 "06"
                                                                 "19115b"},
                    Bad{"an FQDN of octets", head + "82" + objective +
                                                 "84"
                                                 "1869"
                                                 "44c0000201"
                                                 "06"
                                                 "19115b"},
                    Bad{"a port of 65536", head + "82" + objective +
                                               "84"
                                               "1867"
                                               "50fe800000000000000000000000000001"
                                               "06"
                                               "1a00010000"},
                    Bad{"a protocol that is missing", head + "82" + objective +
                                                          "84"
                                                          "1867"
                                                          "50fe800000000000000000000000000001"
                                                          "f6"
                                                          "19115b"}),
    [](const auto& info) {
      std::string name;
      for (const char c : std::string(info.param.what)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

TEST(AHostileFlood, DeclaringHugeSizesCostsNothing) {
  for (const char* text : {"9bffffffffffffffff", "9a7fffffff", "bbffffffffffffffff", "9b8000000000000001",
                           "5bffffffffffffffff", "7bfffffffffffffff0", "5b7fffffffffffffff00", "9f9bffffffffffffffff"})
    EXPECT_EQ(read_cbor(octets(text)).error().code, DiscoveryError::malformed) << text;
}

TEST(AHostileFlood, NestedTooDeeplyIsRefused) {
  for (const char* level : {"81", "9f", "c1", "a100", "bf00"}) {
    std::string text;
    for (int i = 0; i < 500; ++i) text += level;
    EXPECT_EQ(read_cbor(octets(text)).error().code, DiscoveryError::malformed) << level;
  }
}

TEST(AHostileFlood, OfTooManyItemsOrOctetsIsRefused) {
  EXPECT_FALSE(read_cbor(octets("9f" + std::string(600, '0') + "ff")));
  std::string chunks = "7f";
  for (int i = 0; i < 300; ++i) chunks += "60";
  EXPECT_FALSE(read_cbor(octets(chunks + "ff")));
  EXPECT_FALSE(read_flood(Bytes(2049, 0x80)));
  Flood flood = figure_11_flood();
  flood.objectives.resize(max_objectives + 1, flood.objectives.front());
  EXPECT_FALSE(read_flood(write_flood(flood)));
}

TEST(CborOfStrangers, IsRefusedWhenItIsNotWellFormed) {
  for (const char* text : {"ff", "1c", "9fff00", "7f4161ff", "7f7f6161ffff", "bf00ff", "c1", "81", "f8", "18"})
    EXPECT_EQ(read_cbor(octets(text)).error().code, DiscoveryError::malformed) << text;
}

TEST(CborOfStrangers, IsReadInAllItsKinds) {
  const auto item =
      read_cbor(octets("89"
                       "20"
                       "a10102"
                       "c16131"
                       "f4"
                       "f5"
                       "f6"
                       "f7"
                       "f93c00"
                       "fb3ff0000000000000"));
  ASSERT_TRUE(item) << item.error().message;
  using Kind = CborItem::Kind;
  std::vector<Kind> kinds;
  for (const CborItem& child : item->children) kinds.push_back(child.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::negative_integer, Kind::map, Kind::tag, Kind::boolean, Kind::boolean,
                                      Kind::null, Kind::undefined, Kind::floating, Kind::floating}));
  EXPECT_EQ(item->children[1].children.size(), 2u);
  EXPECT_EQ(item->children[4].number, 1u);
}

}  // namespace
}  // namespace cahn::discovery::grasp
