// bench_voucher: how many vouchers a second one core carries from the pledge's request to the pledge's judgement.
//
// The floor is their 3 signatures and 8 verifications, timed in the same run. Each flow is of another device; there are
// more devices than certificates are remembered, so that every flow decodes its IDevID anew.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "bench/support/floor.h"
#include "bench/support/report.h"
#include "bench/voucher/steps.h"

namespace {

constexpr std::size_t most_devices = 1000;

cahn::bench::Figure measure(std::size_t flows) {
  using Clock = std::chrono::steady_clock;
  const cahn::bench::FloorCounts counts{.signatures = 3, .verifications = 8, .agreements = 0, .key_pairs = 0};
  const cahn::bench::Steps steps(most_devices);
  const auto floor = cahn::bench::measure_floor(1, counts);
  steps.run(0);  // what a process does once
  const auto began = Clock::now();
  for (std::size_t i = 1; i <= flows; ++i) steps.run(i % steps.devices());
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return {.name = "voucher.flows",
          .value = static_cast<double>(flows) / seconds,
          .unit = "flows/s",
          .floor = floor.flows_per_second,
          .more_is_better = true,
          .note = "one core; floor: 3 signatures, 8 verifications; target: ratio 0.5"};
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t flows = 2000;
  bool json = false;
  CLI::App app{"Vouchers in memory on one core: request, registrar's request, voucher, judgement."};
  app.add_option("--flows", flows, "vouchers in all")->check(CLI::Range(1, 1'000'000));
  app.add_flag("--json", json, "one JSON object a line");
  CLI11_PARSE(app, argc, argv);
  try {
    cahn::bench::report({measure(flows)}, json);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_voucher: %s\n", e.what());
    return 2;
  }
}
