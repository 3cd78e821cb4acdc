#include "report.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

namespace cahn::bench {
namespace {

double flows_per_second(const FlowResults& results) {
  return static_cast<double>(results.flows.size() - results.failures()) / results.wall_seconds;
}

// With so many at once none can be faster, on the average, than all of them are together.
double floor_p99_ms(const Floor& floor, const FlowOptions& options) {
  return 1000.0 * static_cast<double>(options.concurrent) / floor.flows_per_second;
}

}  // namespace

std::string table(const FlowResults& results, const Floor& floor, const FlowOptions& options, unsigned cores) {
  const double rate = flows_per_second(results);
  std::string out = fmt::format("Onboarding (C+D): {} devices, {} at once, {} cores\n\n", results.flows.size(),
                                options.concurrent, cores);
  out += fmt::format("  {:<32}{:>12}{:>12}{:>8}\n", "", "measured", "floor", "ratio");
  out += fmt::format("  {:<32}{:>12.1f}{:>12.1f}{:>8.3f}\n", "flows a second", rate, floor.flows_per_second,
                     rate / floor.flows_per_second);
  out += fmt::format("  {:<32}{:>12.1f}\n", "median, ms", results.percentile_ms(0.50));
  out += fmt::format("  {:<32}{:>12.1f}{:>12.1f}\n", "99th percentile, ms", results.percentile_ms(0.99),
                     floor_p99_ms(floor, options));
  out += fmt::format("  {:<32}{:>12.2f}{:>12.2f}\n", "CPU of this process, ms a flow",
                     1000 * results.cpu_seconds / static_cast<double>(results.flows.size()), floor.flow_us / 1000);
  out += fmt::format("  {:<32}{:>12}\n\n", "failures", results.failures());
  out += fmt::format(
      "  floor of a flow: {:.0f} us of one core (P-256 sign {:.1f}, verify {:.1f}, key pair {:.1f}; X25519 {:.1f})\n",
      floor.flow_us, floor.sign_us, floor.verify_us, floor.key_pair_us, floor.agree_us);
  std::map<std::string, int> reasons;
  for (const FlowResult& flow : results.flows) {
    if (!flow.enrolled) ++reasons[flow.error];
  }
  for (const auto& [reason, count] : reasons) out += fmt::format("  {} x {}\n", count, reason);
  return out;
}

std::string json_lines(const FlowResults& results, const Floor& floor, const FlowOptions& options) {
  std::string out;
  const auto line = [&out](const char* name, double value, const char* unit, double least, double ratio) {
    const nlohmann::json object = {
        {"name", name}, {"value", value}, {"unit", unit}, {"floor", least}, {"ratio", ratio}};
    out += object.dump() + "\n";
  };
  const double rate = flows_per_second(results);
  const double p99 = results.percentile_ms(0.99);
  const double p99_floor = floor_p99_ms(floor, options);
  const double share = 1.0 - static_cast<double>(results.failures()) / static_cast<double>(results.flows.size());
  line("onboard.flows", rate, "flows/s", floor.flows_per_second, rate / floor.flows_per_second);
  line("onboard.p99_ms", p99, "ms", p99_floor, p99 > 0 ? p99_floor / p99 : 0);
  line("onboard.failures", static_cast<double>(results.failures()), "flows", 0, share);
  return out;
}

}  // namespace cahn::bench
