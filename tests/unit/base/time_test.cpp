#include "base/time.h"

#include <gtest/gtest.h>

namespace cahn {
namespace {

using namespace std::chrono;

TEST(Rfc3339, WritesUtcWithAndWithoutFraction) {
  const Time time = sys_days(year(2026) / March / 1) + hours(12) + microseconds(42);
  EXPECT_EQ(rfc3339(time), "2026-03-01T12:00:00Z");
  EXPECT_EQ(rfc3339(time, true), "2026-03-01T12:00:00.000042Z");
  EXPECT_EQ(rfc3339(Time(microseconds(-1)), true), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, ReadsTheExamplesOfTheRfc) {
  EXPECT_EQ(parse_rfc3339("1985-04-12T23:20:50.52Z").value(),
            sys_days(year(1985) / April / 12) + hours(23) + minutes(20) + milliseconds(50'520));
  EXPECT_EQ(parse_rfc3339("1996-12-19T16:39:57-08:00").value(), parse_rfc3339("1996-12-20T00:39:57Z").value());
  EXPECT_EQ(parse_rfc3339("1990-12-31T23:59:60Z").value(), parse_rfc3339("1991-01-01T00:00:00Z").value());
  EXPECT_EQ(parse_rfc3339("1937-01-01T12:00:27.87+00:20").value(), parse_rfc3339("1937-01-01T11:40:27.87Z").value());
}

TEST(Rfc3339, CutsNanosecondsToMicroseconds) {
  EXPECT_EQ(parse_rfc3339("2026-01-01T00:00:00.123456789Z").value(),
            parse_rfc3339("2026-01-01T00:00:00.123456Z").value());
}

TEST(Rfc3339, RefusesWhatIsNotADateAndTimeWithItsOffset) {
  for (const auto* text :
       {"", "2026-03-01", "2026-03-01T12:00:00", "2026-3-1T12:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Z ",
        " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00+0100", "+026-01-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Rfc3339, ReadsWhatItWrites) {
  const Time now = system_clock().now();
  EXPECT_EQ(parse_rfc3339(rfc3339(now, true)).value(), now);
  const Time last = sys_days(year(9999) / December / 31) + hours(23) + minutes(59) + seconds(59);
  EXPECT_EQ(parse_rfc3339(rfc3339(last)).value(), last);
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock{Time(seconds(10))};
  EXPECT_EQ(clock.now(), Time(seconds(10)));
  clock.advance(seconds(5));
  EXPECT_EQ(clock.now(), Time(seconds(15)));
}

}  // namespace
}  // namespace cahn
