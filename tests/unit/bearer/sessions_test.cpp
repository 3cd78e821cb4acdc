#include "bearer/dot1x/sessions.h"

#include <gtest/gtest.h>

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;

class SessionsOfAPort : public testing::Test {
 protected:
  static JoinAnswer permit(const std::string& device) {
    JoinAnswer answer;
    answer.permit = true;
    answer.device = device;
    answer.session = 600s;
    return answer;
  }
  static JoinAnswer refuse(const std::string& device) {
    JoinAnswer answer;
    answer.device = device;
    return answer;
  }
  bool settle(const Station& station, const JoinAnswer& answer) {
    return sessions_.settle(station, answer, sessions_.ask(), now_);
  }

  const Station here_{"port1", "02:00:00:00:00:01"};
  const Station there_{"port2", "02:00:00:00:00:01"};
  Sessions sessions_;
  Sessions::Instant now_ = Sessions::Instant(1h);
};

TEST_F(SessionsOfAPort, PassNobodyWhoWasNotBothPermittedAndReported) {
  sessions_.joined(here_);
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
  EXPECT_TRUE(settle(here_, permit("d")));
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
  EXPECT_EQ(sessions_.joined(here_), "d");
  EXPECT_TRUE(sessions_.may_pass(here_, now_));
}

TEST_F(SessionsOfAPort, PassAnAddressOnItsOwnPortOnly) {
  settle(here_, permit("d"));
  sessions_.joined(here_);
  EXPECT_EQ(sessions_.joined(there_), "");
  EXPECT_FALSE(sessions_.may_pass(there_, now_));
}

TEST_F(SessionsOfAPort, EndAtOnceWhenAReauthenticationIsRefused) {
  settle(here_, permit("d"));
  sessions_.joined(here_);
  EXPECT_FALSE(settle(here_, refuse("")));
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
}

TEST_F(SessionsOfAPort, EndWhenTheStationLeaves) {
  settle(here_, permit("d"));
  sessions_.joined(here_);
  EXPECT_EQ(sessions_.left(here_), "d");
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
}

TEST_F(SessionsOfAPort, EndWhenNoReauthenticationCame) {
  settle(here_, permit("d"));
  sessions_.joined(here_);
  now_ += 600s + Sessions::reauthentication_grace - 1s;
  EXPECT_TRUE(sessions_.may_pass(here_, now_));
  EXPECT_TRUE(sessions_.expire(now_).empty());
  now_ += 1s;
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
  EXPECT_EQ(sessions_.expire(now_), std::vector{here_});
  EXPECT_TRUE(sessions_.expire(now_).empty());
}

TEST_F(SessionsOfAPort, ACutTakesEveryStationOfTheDeviceAndOfNoOther) {
  const Station other{"port1", "02:00:00:00:00:02"};
  settle(here_, permit("d"));
  settle(there_, permit("d"));
  settle(other, permit("e"));
  for (const Station& station : {here_, there_, other}) sessions_.joined(station);
  EXPECT_EQ(sessions_.cut("d"), (std::vector{here_, there_}));
  EXPECT_EQ(sessions_.passing(now_), std::vector{other});
}

TEST_F(SessionsOfAPort, AReportAfterACutDoesNotLetTheDeviceBackIn) {
  settle(here_, permit("d"));
  sessions_.cut("d");
  EXPECT_EQ(sessions_.joined(here_), "");
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
}

TEST_F(SessionsOfAPort, APermitThatWasAskedForBeforeACutIsVoidAndOneAskedForAfterItIsNot) {
  const auto before = sessions_.ask();
  sessions_.cut("d");
  EXPECT_FALSE(sessions_.settle(here_, permit("d"), before, now_));
  sessions_.joined(here_);
  EXPECT_FALSE(sessions_.may_pass(here_, now_));
  EXPECT_TRUE(settle(here_, permit("d")));
}

TEST_F(SessionsOfAPort, APermitForNobodyIsNoPermit) { EXPECT_FALSE(settle(here_, permit(""))); }

TEST_F(SessionsOfAPort, TheStationsOfADeviceAreRememberedAfterARefusalAndACut) {
  settle(here_, refuse("d"));
  EXPECT_EQ(sessions_.stations_of("d"), std::vector{here_});
  settle(here_, permit("d"));
  sessions_.cut("d");
  EXPECT_EQ(sessions_.stations_of("d"), std::vector{here_});
  EXPECT_TRUE(sessions_.stations_of("e").empty());
}

TEST_F(SessionsOfAPort, TheLossOfTheAuthenticatorEndsTheSessionsOfItsPort) {
  settle(here_, permit("d"));
  settle(there_, permit("e"));
  sessions_.joined(here_);
  sessions_.joined(there_);
  EXPECT_EQ(sessions_.left_all("port1"), std::vector{here_});
  EXPECT_EQ(sessions_.passing(now_), std::vector{there_});
}

TEST_F(SessionsOfAPort, ADeviceThatChangesItsAddressFillsNoMoreThanItsOwnPlaces) {
  settle(there_, permit("e"));
  sessions_.joined(there_);
  for (int i = 0; i < 1000; ++i) settle({"port1", "02:00:00:00:00:" + std::to_string(i)}, permit("d"));
  EXPECT_EQ(sessions_.stations_of("d").size(), Sessions::max_stations_per_device);
  EXPECT_EQ(sessions_.passing(now_), std::vector{there_});
}

TEST_F(SessionsOfAPort, ARefusedStrangerLeavesNoTrace) {
  for (int i = 0; i < 100; ++i) settle({"port1", std::to_string(i)}, refuse(""));
  EXPECT_TRUE(sessions_.stations_of("").empty());
}

}  // namespace
}  // namespace cahn::bearer::dot1x
