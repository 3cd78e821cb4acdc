#include "bench/support/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace cahn::bench {

double ratio(const Figure& figure) {
  if (figure.floor <= 0 || figure.value <= 0) return 0;
  return figure.more_is_better ? figure.value / figure.floor : figure.floor / figure.value;
}

void report(const std::vector<Figure>& figures, bool json) {
  if (!json) std::printf("%-26s %12s %-8s %12s %7s  %s\n", "name", "value", "unit", "floor", "ratio", "");
  for (const Figure& figure : figures) {
    if (json) {
      std::printf("{\"name\":\"%s\",\"value\":%.4f,\"unit\":\"%s\",\"floor\":%.4f,\"ratio\":%.4f}\n",
                  figure.name.c_str(), figure.value, figure.unit.c_str(), figure.floor, ratio(figure));
    } else if (figure.floor > 0) {
      std::printf("%-26s %12.3f %-8s %12.3f %7.3f  %s\n", figure.name.c_str(), figure.value, figure.unit.c_str(),
                  figure.floor, ratio(figure), figure.note.c_str());
    } else {
      std::printf("%-26s %12.3f %-8s %12s %7s  %s\n", figure.name.c_str(), figure.value, figure.unit.c_str(), "-", "-",
                  figure.note.c_str());
    }
  }
  std::fflush(stdout);
}

double quantile(std::vector<double>& samples, double q) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto at = static_cast<std::size_t>(std::ceil(q * static_cast<double>(samples.size())));
  return samples[std::min(samples.size() - 1, at == 0 ? 0 : at - 1)];
}

}  // namespace cahn::bench
