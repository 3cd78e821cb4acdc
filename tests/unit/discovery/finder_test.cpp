// The active way of finding, unicast DNS: again and again, ever more rarely (RFC 8995 4.1, appendix B).

#include "discovery/finder.h"

#include <gtest/gtest.h>

#include <atomic>

#include "discovery/back_off.h"

namespace cahn::discovery {
namespace {

using namespace std::chrono_literals;

TEST(ABackOff, DoublesToAnHourAndStaysThere) {
  BackOff back_off(10s);
  for (const auto pause : {10s, 20s, 40s, 80s, 160s, 320s, 640s, 1280s, 2560s, 3600s, 3600s})
    EXPECT_EQ(back_off.next(), pause);
}

TEST(ABackOff, AsksLessThanThirtyFiveTimesInADay) {
  BackOff back_off(10s);
  int asked = 0;
  for (std::chrono::milliseconds day{}; day < 24h; day += back_off.next()) ++asked;
  EXPECT_LT(asked, 35);
  EXPECT_GT(asked, 24);
}

TEST(ABackOff, BeginsAnewWithALink) {
  BackOff back_off(10s);
  for (int i = 0; i < 20; ++i) back_off.next();
  back_off.begin_anew();
  EXPECT_EQ(back_off.next(), 10s);
  EXPECT_EQ(back_off.next(), 20s);
}

FinderOptions dns_alone(FinderOptions::AskDns ask) {
  FinderOptions options;
  options.grasp = options.mdns = false;
  options.dns = true;
  options.dns_domain = "example.org";
  options.dns_after = 1ms;
  options.ask_dns = std::move(ask);
  return options;
}

TEST(AFinder, AsksDnsAgainUntilThereIsAnAnswerAndAfterIt) {  // RFC 8995 4.1: periodically
  std::atomic<int> asked = 0;
  const auto finder = Finder::start(dns_alone([&](std::string_view type, const DnsOptions& options) {
    EXPECT_EQ(type, registrar_service);
    EXPECT_EQ(options.domain, "example.org");
    if (++asked < 4) return Result<std::vector<Service>>(fail(DiscoveryError::nothing_found, "nothing there"));
    return Result<std::vector<Service>>({{"r", "r.example.org", "192.0.2.1", 8443, {}, {}}});
  }));
  const auto end = std::chrono::steady_clock::now() + 60s;
  while ((finder->found().empty() || asked < 6) && std::chrono::steady_clock::now() < end) finder->wait(100ms);
  ASSERT_EQ(finder->found().size(), 1u);
  EXPECT_EQ(finder->found()[0].service.address, "192.0.2.1");
  EXPECT_GE(asked, 6) << "what DNS says may change";
}

TEST(AFinder, DoesNotAskDnsAtOnce) {  // what is local comes first (RFC 8995 appendix B)
  std::atomic<int> asked = 0;
  auto options = dns_alone([&](std::string_view, const DnsOptions&) {
    ++asked;
    return Result<std::vector<Service>>(fail(DiscoveryError::nothing_found, "nothing there"));
  });
  options.dns_after = 1h;
  const auto finder = Finder::start(options);
  EXPECT_FALSE(finder->wait(50ms).places);
  EXPECT_EQ(asked, 0);
}

}  // namespace
}  // namespace cahn::discovery
