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
  Candidates candidates_{clock_, 5s, 60s};
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

}  // namespace
}  // namespace cahn::discovery
