#include "discovery/candidates.h"

#include <gtest/gtest.h>

namespace cahn::discovery {
namespace {

using namespace std::chrono_literals;

// L716-759: round-robin in strength order; what fails is temporarily marked as failed.
class ListOfCandidates : public testing::Test {
 protected:
  static Candidate at(const std::string& address, int strength) {
    return {{"r", "r.local", address, 8443, "eth0", {}}, strength};
  }
  std::string next() {
    const auto candidate = candidates_.next();
    return candidate ? candidate->service.address : "none";
  }

  ManualClock clock_{Time(1'000'000s)};
  Candidates candidates_{clock_, {.first_pause = 5s, .longest_pause = 60s, .jitter = {}}};
};

TEST_F(ListOfCandidates, IsEmptyAtFirstAndHasNoTimeToTry) {
  EXPECT_EQ(next(), "none");
  EXPECT_EQ(candidates_.next_try_at(), std::nullopt);
}

TEST_F(ListOfCandidates, GoesRoundFromTheStrongestToTheWeakest) {
  candidates_.offer(at("192.0.2.1", -70));
  candidates_.offer(at("192.0.2.2", -40));
  candidates_.offer(at("192.0.2.3", -55));
  EXPECT_EQ(next(), "192.0.2.2");
  EXPECT_EQ(next(), "192.0.2.3");
  EXPECT_EQ(next(), "192.0.2.1");
  EXPECT_EQ(next(), "192.0.2.2");
}

TEST_F(ListOfCandidates, SetsAFailingOneAsideAndGoesOnWithTheOthers) {
  candidates_.offer(at("192.0.2.1", 2));
  candidates_.offer(at("192.0.2.2", 1));
  candidates_.failed(at("192.0.2.1", 2));
  EXPECT_EQ(next(), "192.0.2.2");
  EXPECT_EQ(next(), "192.0.2.2");
  clock_.advance(5s);
  EXPECT_EQ(next(), "192.0.2.1");
}

TEST_F(ListOfCandidates, DoublesThePauseWithEachFailureUpToTheLongest) {
  const Candidate only = at("192.0.2.1", 1);
  candidates_.offer(only);
  for (const auto pause : {5s, 10s, 20s, 40s, 60s, 60s}) {
    candidates_.failed(only);
    EXPECT_EQ(candidates_.next_try_at(), clock_.now() + pause);
    clock_.advance(pause - 1s);
    EXPECT_EQ(next(), "none");
    clock_.advance(1s);
    EXPECT_EQ(next(), "192.0.2.1");
  }
}

TEST_F(ListOfCandidates, KeepsThePauseOfOneThatAnnouncesItselfAgain) {
  candidates_.offer(at("192.0.2.1", 1));
  candidates_.failed(at("192.0.2.1", 1));
  candidates_.offer(at("192.0.2.1", 9));
  EXPECT_EQ(next(), "none");
}

TEST_F(ListOfCandidates, ForgivesAllFailuresAfterASuccess) {
  const Candidate only = at("192.0.2.1", 1);
  candidates_.offer(only);
  candidates_.failed(only);
  candidates_.failed(only);
  candidates_.succeeded(only);
  EXPECT_EQ(next(), "192.0.2.1");
  candidates_.failed(only);
  EXPECT_EQ(candidates_.next_try_at(), clock_.now() + 5s);
}

TEST_F(ListOfCandidates, IsBoundedAndKeepsTheStrongest) {
  candidates_.offer(at("203.0.113.1", 1000));
  for (int i = 0; i < 10'000; ++i)
    candidates_.offer(at("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1), i % 500));
  EXPECT_EQ(next(), "203.0.113.1");
  int count = 1;
  while (next() != "203.0.113.1") ++count;
  EXPECT_EQ(count, 256);
}

TEST_F(ListOfCandidates, OfEqualStrengthGivesUpTheOneThatFailedMostForANewOne) {
  for (int i = 0; i < 256; ++i)
    candidates_.offer(at("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1), 1));
  EXPECT_FALSE(candidates_.offer(at("192.0.2.1", 1))) << "none of them has failed";
  candidates_.failed(at("10.0.0.7", 1));
  candidates_.failed(at("10.0.0.9", 1));
  candidates_.failed(at("10.0.0.9", 1));
  EXPECT_TRUE(candidates_.offer(at("192.0.2.1", 1)));
  bool forgotten = true;
  for (const Candidate& known : candidates_.ranked()) forgotten = forgotten && known.service.address != "10.0.0.9";
  EXPECT_TRUE(forgotten);
}

// RFC 8995 4.1: "The back-off timer for each MUST be independent of other connection attempts."
TEST_F(ListOfCandidates, KeepsAPauseForEachByItself) {
  candidates_.offer(at("192.0.2.1", 1));
  candidates_.offer(at("192.0.2.2", 1));
  for (int i = 0; i < 4; ++i) candidates_.failed(at("192.0.2.1", 1));
  candidates_.failed(at("192.0.2.2", 1));
  EXPECT_EQ(candidates_.next_try_at(), clock_.now() + 5s);
  clock_.advance(5s);
  EXPECT_EQ(next(), "192.0.2.2");
  EXPECT_EQ(next(), "192.0.2.2") << "the other is set aside for 40 seconds";
}

TEST_F(ListOfCandidates, ShortensAPauseByNoMoreThanHalf) {
  double fraction = 0;
  Candidates candidates(clock_, {.first_pause = 8s, .longest_pause = 1h, .jitter = [&] { return fraction; }});
  const Candidate only = at("192.0.2.1", 1);
  candidates.offer(only);
  candidates.failed(only);
  EXPECT_EQ(candidates.next_try_at(), clock_.now() + 8s);
  fraction = 0.5;
  candidates.failed(only);
  EXPECT_EQ(candidates.next_try_at(), clock_.now() + 12s);
  fraction = 0.9999;
  for (int i = 0; i < 100; ++i) candidates.failed(only);
  EXPECT_GT(*candidates.next_try_at(), clock_.now() + 30min);
  EXPECT_LE(*candidates.next_try_at(), clock_.now() + 1h);
}

TEST(Jitter, IsAFractionOfOne) {
  for (int i = 0; i < 1000; ++i) {
    const double fraction = random_fraction();
    EXPECT_GE(fraction, 0);
    EXPECT_LT(fraction, 1);
  }
}

TEST_F(ListOfCandidates, WaitsAnHourAtMostByDefault) {
  Candidates candidates(clock_);
  const Candidate only = at("192.0.2.1", 1);
  candidates.offer(only);
  for (int i = 0; i < 100; ++i) {
    candidates.failed(only);
    EXPECT_LE(*candidates.next_try_at(), clock_.now() + 1h);
  }
}

TEST_F(ListOfCandidates, TriesAllAgainAtOnceWhenTheLinkComesBack) {
  candidates_.offer(at("192.0.2.1", 1));
  Candidate wireless = at("192.0.2.2", 1);
  wireless.service.interface = "wlan0";
  candidates_.offer(wireless);
  for (int i = 0; i < 3; ++i) {
    candidates_.failed(at("192.0.2.1", 1));
    candidates_.failed(wireless);
  }
  candidates_.link_changed("eth0");
  EXPECT_EQ(next(), "192.0.2.1");
  candidates_.failed(at("192.0.2.1", 1));
  EXPECT_EQ(candidates_.next_try_at(), clock_.now() + 5s) << "its count begins anew";
  EXPECT_EQ(next(), "none");
  candidates_.link_changed();
  EXPECT_EQ(next(), "192.0.2.2");
}

// RFC 8995 appendix B: "it picks up where it left off"
TEST_F(ListOfCandidates, GoesOnWhereItStopped) {
  for (const int i : {1, 2, 3}) candidates_.offer(at("192.0.2." + std::to_string(i), 10 - i));
  EXPECT_EQ(next(), "192.0.2.1");
  candidates_.failed(at("192.0.2.1", 9));
  for (const int i : {1, 2, 3}) candidates_.offer(at("192.0.2." + std::to_string(i), 10 - i));
  clock_.advance(1h);
  EXPECT_EQ(next(), "192.0.2.2");
  EXPECT_EQ(next(), "192.0.2.3");
  EXPECT_EQ(next(), "192.0.2.1");
}

TEST_F(ListOfCandidates, DoesNotTryAnAnnouncementThatIsOverButRemembersItsFailures) {
  Candidate brief = at("192.0.2.1", 1);
  brief.lifetime = 10s;
  EXPECT_TRUE(candidates_.offer(brief));
  EXPECT_FALSE(candidates_.offer(brief));
  for (int i = 0; i < 5; ++i) candidates_.failed(brief);
  clock_.advance(11s);
  EXPECT_EQ(next(), "none");
  EXPECT_EQ(candidates_.next_try_at(), std::nullopt);
  EXPECT_TRUE(candidates_.ranked().empty());
  EXPECT_TRUE(candidates_.offer(brief)) << "back";
  EXPECT_EQ(next(), "none") << "set aside for a minute, of which 49 seconds are left";
  clock_.advance(9s);
  candidates_.offer(brief);
  clock_.advance(9s);
  candidates_.offer(brief);
  clock_.advance(40s);
  candidates_.offer(brief);
  EXPECT_EQ(next(), "192.0.2.1");
}

TEST_F(ListOfCandidates, FoundInTwoWaysIsAsStrongAsTheStronger) {
  Candidate strong = at("192.0.2.1", 5), weak = at("192.0.2.1", 1);
  strong.found_by = "GRASP";
  strong.lifetime = 10s;
  weak.found_by = "mDNS";
  candidates_.offer(strong);
  candidates_.offer(weak);
  EXPECT_EQ(candidates_.next()->found_by, "GRASP");
  clock_.advance(1min);
  EXPECT_EQ(next(), "192.0.2.1") << "the other announcement has no end";
}

TEST_F(ListOfCandidates, ForAProxyAreTriedStrongestFirstEachTime) {
  Candidates candidates(clock_, {.first_pause = 5s, .order = Order::strongest_first});
  for (const int i : {1, 2, 3}) candidates.offer(at("192.0.2." + std::to_string(i), i));
  const auto order = [&] {
    std::string all;
    for (const Candidate& candidate : candidates.ranked()) all += candidate.service.address.back();
    return all;
  };
  EXPECT_EQ(order(), "321");
  EXPECT_EQ(candidates.next()->service.address, "192.0.2.3");
  EXPECT_EQ(candidates.next()->service.address, "192.0.2.3");
  candidates.failed(at("192.0.2.3", 3));
  EXPECT_EQ(order(), "213") << "one that failed is the last resort";
  candidates.failed(at("192.0.2.2", 2));
  candidates.failed(at("192.0.2.2", 2));
  EXPECT_EQ(order(), "132");
  candidates.succeeded(at("192.0.2.3", 3));
  EXPECT_EQ(order(), "312");
}

}  // namespace
}  // namespace cahn::discovery
