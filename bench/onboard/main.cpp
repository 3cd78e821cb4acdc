// bench_onboard: how many devices a second a registrar and a MASA take from IDevID to LDevID.
//
// Without --registrar all roles live in this process and share its cores. With it, devices of --devices (folders as the
// factory leaves them) go to a registrar elsewhere, and each thing they are told is one line on stdout, so that a test
// that kills the registrar can hold it to what it acknowledged.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <thread>

#include "base/log.h"
#include "report.h"
#include "road.h"

namespace {

// Each has a TLS context of its own; beyond so many they onboard again.
constexpr std::size_t most_devices = 1000;

struct Settings {
  std::size_t flows = 0;
  unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  bool json = false;
  std::string registrar, devices;
  cahn::bench::FlowOptions flow;
  double retry_seconds = 0;
};

std::vector<cahn::brski::PledgeOptions> make_devices(cahn::test::Road& road, std::size_t count) {
  std::vector<cahn::brski::PledgeOptions> devices;
  for (std::size_t i = 0; i < count; ++i)
    devices.push_back(road.pledge_options(road.born("BENCH-" + std::to_string(i))));
  return devices;
}

cahn::bench::FlowResults measure_here(const Settings& settings) {
  cahn::test::RoadOptions options;
  options.threads = settings.cores;
  cahn::test::Road road(options);
  auto devices = make_devices(road, std::min(settings.flows, std::max(most_devices, 2 * settings.flow.concurrent)));
  return run_flows(road.runtime(), road.registrar_endpoint(), std::move(devices), settings.flows, settings.flow);
}

cahn::bench::FlowResults measure_there(const Settings& settings) {
  auto devices = cahn::bench::read_devices(settings.devices);
  const std::size_t flows = devices.size();
  cahn::net::Runtime runtime(settings.cores);
  runtime.start();
  const auto registrar = cahn::test::need(cahn::net::parse_endpoint(settings.registrar, 8443));
  return run_flows(runtime, registrar, std::move(devices), flows, settings.flow);
}

int run(const Settings& settings) {
  cahn::log::configure({.level = cahn::log::Level::error, .json = false, .role = "bench"});
  const auto floor = cahn::bench::measure_floor(settings.cores);
  const auto results = settings.registrar.empty() ? measure_here(settings) : measure_there(settings);
  std::fputs(table(results, floor, settings.flow, settings.cores).c_str(), settings.json ? stderr : stdout);
  if (settings.json) std::fputs(json_lines(results, floor, settings.flow).c_str(), stdout);
  return results.failures() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{
      "Onboards many simulated devices at once and compares the rate with what the arithmetic alone would take."};
  app.add_option("--pledges", settings.flow.concurrent, "devices at once")->check(CLI::Range(1, 10'000));
  app.add_option("--flows", settings.flows, "flows in all, without --registrar (default: ten times --pledges)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--cores", settings.cores, "threads that carry all of it")->check(CLI::Range(1U, 1024U));
  app.add_flag("--json", settings.json, "one JSON object a line on stdout, the table on stderr");
  auto* registrar = app.add_option("--registrar", settings.registrar, "host:port of a registrar elsewhere");
  auto* devices = app.add_option("--devices", settings.devices, "folder of device folders")->needs(registrar);
  registrar->needs(devices);
  app.add_option("--retry", settings.retry_seconds, "begin failed devices again for so many seconds");
  CLI11_PARSE(app, argc, argv);
  if (settings.flows == 0) settings.flows = 10 * settings.flow.concurrent;
  settings.flow.lines = !settings.registrar.empty();
  settings.flow.retry_for = std::chrono::seconds(static_cast<long>(settings.retry_seconds));
  try {
    return run(settings);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_onboard: %s\n", e.what());
    return 2;
  }
}
