// How every benchmark reports: a table for people, or with `--json` one object a line, each value with a floor measured
// in the same run.

#pragma once

#include <string>
#include <vector>

namespace cahn::bench {

struct Figure {
  std::string name;  // "revoke.ack_p99_ms"
  double value = 0;
  std::string unit;  // "ms", "flows/s"
  double floor = 0;  // the same unit; 0: no floor for this figure
  bool more_is_better = false;
  std::string note;  // for people: what the floor is, or the target
};

// value/floor where more is better, floor/value where less is: 1 is as good as the floor.
double ratio(const Figure&);
void report(const std::vector<Figure>&, bool json);

// The q-quantile (0..1) of the samples, which are sorted in place; 0 without samples.
double quantile(std::vector<double>& samples, double q);

}  // namespace cahn::bench
