#include "base/time.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace cahn {
namespace {

using namespace std::chrono;

class SystemClock final : public Clock {
 public:
  Time now() const override { return time_point_cast<microseconds>(std::chrono::system_clock::now()); }
};

// Reads text from the front; every step says whether it fitted.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool digits(std::size_t count, int& value) {
    if (rest_.size() < count) return false;
    value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  bool one_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    last_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }
  // One to nine digits of a fraction of a second, cut to microseconds.
  bool fraction(microseconds& value) {
    std::int64_t nanoseconds = 0;
    std::int64_t unit = 100'000'000;
    std::size_t count = 0;
    for (; count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9'; ++count, unit /= 10) {
      if (count == 9) return false;
      nanoseconds += (rest_[count] - '0') * unit;
    }
    rest_.remove_prefix(count);
    value = microseconds(nanoseconds / 1000);
    return count > 0;
  }
  char last() const { return last_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  char last_ = 0;
};

bool read_offset(Scanner& scan, minutes& offset) {
  if (scan.one_of("Zz")) return true;
  if (!scan.one_of("+-")) return false;
  const bool west = scan.last() == '-';
  int hour = 0;
  int minute = 0;
  if (!scan.digits(2, hour) || !scan.one_of(":") || !scan.digits(2, minute) || hour > 23 || minute > 59) return false;
  offset = hours(hour) + minutes(minute);
  if (west) offset = -offset;
  return true;
}

bool read_date_time(Scanner& scan, Time& time) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  if (!scan.digits(4, y) || !scan.one_of("-") || !scan.digits(2, mo) || !scan.one_of("-") || !scan.digits(2, d))
    return false;
  if (!scan.one_of("Tt ")) return false;
  if (!scan.digits(2, h) || !scan.one_of(":") || !scan.digits(2, mi) || !scan.one_of(":") || !scan.digits(2, s))
    return false;
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok() || h > 23 || mi > 59 || s > 60) return false;  // 60: a leap second, counted into the next minute
  microseconds fraction{0};
  if (scan.one_of(".") && !scan.fraction(fraction)) return false;
  minutes offset{0};
  if (!read_offset(scan, offset) || !scan.at_end()) return false;
  time = Time(sys_days(date).time_since_epoch() + hours(h) + minutes(mi) + seconds(s) + fraction - offset);
  return true;
}

}  // namespace

std::string_view error_name(TimeError e) {
  switch (e) {
    case TimeError::bad_rfc3339:
      return "bad_rfc3339";
  }
  return "unknown";
}

std::string rfc3339(Time time, bool fraction) {
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const hh_mm_ss<microseconds> clock(time - midnight);
  std::array<char, 64> text{};
  const int base = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                                 static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  std::string result(text.data(), static_cast<std::size_t>(base));
  if (fraction) {
    const int digits = std::snprintf(text.data(), text.size(), ".%06d", static_cast<int>(clock.subseconds().count()));
    result.append(text.data(), static_cast<std::size_t>(digits));
  }
  return result + 'Z';
}

Result<Time> parse_rfc3339(std::string_view text) {
  Scanner scan(text);
  Time time;
  if (!read_date_time(scan, time)) return fail(TimeError::bad_rfc3339, "not a date and time in the form of RFC 3339");
  return time;
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace cahn
