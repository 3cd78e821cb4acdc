// Who may announce what, from where, for how long: RFC 8990 2.5.2, 2.5.6.2, 2.8.11 and RFC 8995 4.1.1, 4.3.

#include "discovery/grasp_rules.h"

#include <gtest/gtest.h>

namespace cahn::discovery::grasp {
namespace {

using namespace std::chrono_literals;

Ipv6 address(std::uint8_t first, std::uint8_t second, std::uint8_t last) {
  Ipv6 made{};
  made[0] = first;
  made[1] = second;
  made[15] = last;
  return made;
}

const Ipv6 neighbour = address(0xfe, 0x80, 1);
const Ipv6 other_neighbour = address(0xfe, 0x80, 2);
const Ipv6 wide = address(0xfd, 0xa3, 1);

Flood saying(Objective objective, std::uint32_t ttl = 180000) {
  return {.session_id = 1, .initiator = std::string(16, 'x'), .ttl_ms = ttl, .objectives = {std::move(objective)}};
}

std::vector<Heard> in_dull(const Objective& objective, const Ipv6& source = neighbour) {
  return places_in(saying(objective), {source, "eth0"}, Instance::dull, proxy_objective);
}
std::vector<Heard> in_trusted(const Objective& objective, const Ipv6& source = wide) {
  return places_in(saying(objective), {source, "eth1"}, Instance::trusted, registrar_objective);
}

TEST(APledge, HearsAProxyOnItsLink) {
  const auto places = in_dull(proxy_announcement(neighbour, 4443));
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].service.address, "fe80::1%eth0");
  EXPECT_EQ(places[0].service.port, 4443);
  EXPECT_EQ(places[0].service.interface, "eth0");
  EXPECT_EQ(places[0].lifetime, 180s);
}

TEST(APledge, DiscardsAFloodWhoseSourceIsNotLinkLocal) {
  EXPECT_TRUE(in_dull(proxy_announcement(wide, 4443), wide).empty());
  EXPECT_TRUE(in_dull(proxy_announcement(neighbour, 4443), wide).empty());
}

TEST(APledge, DiscardsALoopCountOtherThanOne) {
  for (const int count : {0, 2, 255}) {
    Objective objective = proxy_announcement(neighbour, 4443);
    objective.loop_count = static_cast<std::uint8_t>(count);
    EXPECT_TRUE(in_dull(objective).empty()) << count;
  }
}

TEST(APledge, DiscardsOtherObjectives) {
  Objective objective = proxy_announcement(neighbour, 4443);
  objective.name = "AN_ACP";
  EXPECT_TRUE(in_dull(objective).empty());
  objective.name = "an_proxy";
  EXPECT_TRUE(in_dull(objective).empty()) << "names are compared octet by octet";
  Objective registrar = registrar_announcement(neighbour, 8443);
  registrar.loop_count = 1;
  EXPECT_TRUE(in_dull(registrar).empty());
}

TEST(APledge, GoesOnlyToWhoSpeaks) {
  EXPECT_TRUE(in_dull(proxy_announcement(other_neighbour, 4443)).empty());
  EXPECT_TRUE(in_dull(proxy_announcement(wide, 4443)).empty());
  Objective v4 = proxy_announcement(neighbour, 4443);
  v4.locator = {Locator::Kind::ipv4, std::string("\x0a\x00\x00\x01", 4), 6, 4443};
  EXPECT_TRUE(in_dull(v4).empty());
  Objective name = proxy_announcement(neighbour, 4443);
  name.locator = {Locator::Kind::fqdn, "proxy.example.com", 6, 4443};
  EXPECT_TRUE(in_dull(name).empty());
  Objective nowhere = proxy_announcement(neighbour, 4443);
  nowhere.locator = {};
  EXPECT_TRUE(in_dull(nowhere).empty());
}

TEST(APledge, UsesTcpOnly) {
  Objective udp = proxy_announcement(neighbour, 4443);
  udp.locator.protocol = 17;
  EXPECT_TRUE(in_dull(udp).empty());
  Objective portless = proxy_announcement(neighbour, 4443);
  portless.locator.port.reset();
  EXPECT_TRUE(in_dull(portless).empty());
  EXPECT_TRUE(in_dull(proxy_announcement(neighbour, 0)).empty());
}

TEST(APledge, AsksThatTheObjectiveIsForSynchronization) {
  Objective objective = proxy_announcement(neighbour, 4443);
  objective.flags = 2;
  EXPECT_TRUE(in_dull(objective).empty());
  objective.flags = 5;
  EXPECT_EQ(in_dull(objective).size(), 1u);
}

TEST(APledge, TakesEveryProxyOfAFlood) {
  Flood flood = saying(proxy_announcement(neighbour, 4443));
  flood.objectives.push_back({.name = "AN_ACP", .locator = Locator::tcp(neighbour, 1)});
  flood.objectives.push_back(proxy_announcement(neighbour, 4444));
  EXPECT_EQ(places_in(flood, {neighbour, "eth0"}, Instance::dull, proxy_objective).size(), 2u);
}

TEST(AProxy, HearsARegistrarInTheTrustedNetwork) {
  const auto places = in_trusted(registrar_announcement(wide, 8443));
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].service.address, "fda3::1");
  EXPECT_EQ(places[0].service.port, 8443);
}

TEST(AProxy, TakesAnAnnouncementRelayedFromElsewhere) {
  EXPECT_EQ(in_trusted(registrar_announcement(wide, 8443), address(0xfd, 0xa3, 9)).size(), 1u);
}

TEST(AProxy, DiscardsAFloodOfALinkLocalSourceThatWantsToTravel) {
  Objective objective = registrar_announcement(neighbour, 8443);
  EXPECT_TRUE(in_trusted(objective, neighbour).empty());
  objective.loop_count = 1;
  ASSERT_EQ(in_trusted(objective, neighbour).size(), 1u);
  EXPECT_EQ(in_trusted(objective, neighbour)[0].service.address, "fe80::1%eth1");
  EXPECT_TRUE(in_trusted(objective, other_neighbour).empty());
}

TEST(AProxy, AsksThatTheRegistrarSpeaksEstOverTls) {
  Objective objective = registrar_announcement(wide, 8443);
  for (const char* value : {"", "EST-COAPS", "EST-TLSX", "est-tls"}) {
    objective.value = value;
    EXPECT_TRUE(in_trusted(objective).empty()) << value;
  }
  objective.value.reset();
  EXPECT_TRUE(in_trusted(objective).empty());
  objective.value = "EST-COAPS,EST-TLS";
  EXPECT_EQ(in_trusted(objective).size(), 1u);
}

TEST(AProxy, TakesAnIPv4RegistrarButNoAddressThatIsNobody) {
  Objective objective = registrar_announcement(wide, 8443);
  objective.locator = {Locator::Kind::ipv4, std::string("\x0a\x4d\x00\x02", 4), 6, 8443};
  ASSERT_EQ(in_trusted(objective).size(), 1u);
  EXPECT_EQ(in_trusted(objective)[0].service.address, "10.77.0.2");
  for (const int first : {0, 127, 224, 255}) {
    objective.locator.where[0] = static_cast<char>(first);
    EXPECT_TRUE(in_trusted(objective).empty()) << first;
  }
  for (const Ipv6& nobody : {Ipv6{}, address(0, 0, 1), address(0xff, 0x02, 1)})
    EXPECT_TRUE(in_trusted(registrar_announcement(nobody, 8443)).empty()) << address_text(nobody);
}

TEST(ALifetime, IsTheTtlWithinABound) {
  const auto lifetime = [](std::uint32_t ttl) {
    return places_in(saying(proxy_announcement(neighbour, 1), ttl), {neighbour, "e"}, Instance::dull, proxy_objective)
        .at(0)
        .lifetime;
  };
  EXPECT_EQ(lifetime(1), 1ms);
  EXPECT_EQ(lifetime(0), longest_lifetime) << "zero is indefinite";
  EXPECT_EQ(lifetime(0xffffffff), longest_lifetime);
}

class TheCache : public testing::Test {
 protected:
  static std::vector<Heard> heard(int port, std::chrono::milliseconds lifetime = 180s) {
    Service service;
    service.address = "fe80::1%eth0";
    service.port = static_cast<std::uint16_t>(port);
    return {{service, lifetime}};
  }
  FloodCache cache_;
  FloodCache::Instant now_{};
};

TEST_F(TheCache, ForgetsAPlaceWhenItsTimeIsOver) {
  EXPECT_TRUE(cache_.take(heard(1, 10s), now_));
  EXPECT_EQ(cache_.current(now_ + 9s).size(), 1u);
  EXPECT_TRUE(cache_.current(now_ + 10s).empty());
  EXPECT_TRUE(cache_.take(heard(1), now_ + 11s)) << "back again";
}

TEST_F(TheCache, ProlongsAPlaceThatIsHeardAgain) {
  cache_.take(heard(1, 10s), now_);
  EXPECT_FALSE(cache_.take(heard(1, 10s), now_ + 9s));
  EXPECT_EQ(cache_.current(now_ + 18s).size(), 1u);
}

TEST_F(TheCache, ShortensThePlaceThatSaysSo) {
  cache_.take(heard(1, 180s), now_);
  cache_.take(heard(1, 1ms), now_);
  EXPECT_TRUE(cache_.current(now_ + 1s).empty());
}

TEST_F(TheCache, IsBoundedAndALateVoiceIsHeardAllTheSame) {
  for (int port = 1; port <= 1000; ++port) cache_.take(heard(port), now_ + std::chrono::milliseconds(port));
  const auto current = cache_.current(now_ + 2s);
  EXPECT_EQ(current.size(), FloodCache::max_places);
  EXPECT_EQ(current.back().service.port, 1000);
}

}  // namespace
}  // namespace cahn::discovery::grasp
