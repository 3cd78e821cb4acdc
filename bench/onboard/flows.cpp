#include "flows.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "crypto/digest.h"
#include "road.h"

namespace cahn::bench {
namespace {

using brski::NetworkCredential;
using brski::Pledge;
using std::chrono::steady_clock;
using test::need;

// One write a line: lines of several threads do not mix, and a line that is out stays out when we are killed.
void print_line(const nlohmann::json& line) {
  const std::string text = line.dump() + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

double seconds_since(steady_clock::time_point began) {
  return std::chrono::duration<double>(steady_clock::now() - began).count();
}

double cpu_seconds() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

struct Device {
  std::string serial_number;
  std::unique_ptr<Pledge> pledge;
  std::atomic<bool> busy = false;
};

struct Run {
  net::Endpoint registrar;
  FlowOptions options;
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<FlowResult> results;
  std::atomic<std::size_t> next = 0;
  steady_clock::time_point began;
};

std::unique_ptr<Device> power_up(brski::PledgeOptions options, const FlowOptions& flow) {
  auto device = std::make_unique<Device>();
  device->serial_number = options.idevid.chain.front().subject_serial_number().value_or("");
  options.limits.response = flow.response;
  if (flow.lines) {
    options.on_progress = [serial = device->serial_number](const brski::Progress& progress) {
      if (progress.stage == "C.10" && progress.done) print_line({{"event", "voucher"}, {"serial", serial}});
    };
  }
  device->pledge = need(Pledge::open(std::move(options)));
  return device;
}

void tell(const Device& device, const Result<NetworkCredential>& got, double seconds) {
  if (got) {
    print_line({{"event", "ldevid"},
                {"serial", device.serial_number},
                {"certificate", got->ldevid.serial_hex()},
                {"voucher_sha256", hex(crypto::sha256(got->voucher))},
                {"ms", seconds * 1000}});
  } else {
    print_line({{"event", "failed"},
                {"serial", device.serial_number},
                {"code", std::string(got.error().code.name())},
                {"error", brski::printable(got.error().message)},
                {"ms", seconds * 1000}});
  }
}

net::awaitable<void> onboard(std::shared_ptr<Run> run, std::size_t index) {
  Device& device = *run->devices[index % run->devices.size()];
  while (device.busy.exchange(true)) co_await net::sleep_for(std::chrono::milliseconds(1));
  need(device.pledge->factory_reset());
  FlowResult& result = run->results[index];
  for (bool again = true; again;) {
    const auto began = steady_clock::now();
    std::vector<net::Endpoint> candidates{run->registrar};
    const auto got = co_await device.pledge->onboard(std::move(candidates));
    result.seconds = seconds_since(began);
    result.enrolled = got.has_value();
    result.error = got ? "" : std::string(got.error().code.name()) + ": " + got.error().message;
    if (run->options.lines) tell(device, got, result.seconds);
    again = !got && steady_clock::now() - run->began < run->options.retry_for;
    if (again) co_await net::sleep_for(std::chrono::milliseconds(100));
  }
  device.busy = false;
}

net::awaitable<void> work(std::shared_ptr<Run> run, std::shared_ptr<std::promise<void>> done) {
  for (std::size_t flow = run->next++; flow < run->results.size(); flow = run->next++) co_await onboard(run, flow);
  done->set_value();
}

std::vector<crypto::Certificate> certificates_in(const std::filesystem::path& file) {
  return need(crypto::Certificate::all_from_pem(to_string(need(read_file(file)))));
}

}  // namespace

std::size_t FlowResults::failures() const {
  return static_cast<std::size_t>(std::ranges::count(flows, false, &FlowResult::enrolled));
}

double FlowResults::percentile_ms(double fraction) const {
  std::vector<double> times;
  for (const FlowResult& flow : flows) {
    if (flow.enrolled) times.push_back(flow.seconds * 1000);
  }
  if (times.empty()) return 0;
  std::ranges::sort(times);
  const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(times.size())));
  return times[std::clamp<std::size_t>(rank, 1, times.size()) - 1];
}

FlowResults run_flows(net::Runtime& runtime, const net::Endpoint& registrar, std::vector<brski::PledgeOptions> devices,
                      std::size_t flows, const FlowOptions& options) {
  auto run = std::make_shared<Run>();
  run->registrar = registrar;
  run->options = options;
  for (brski::PledgeOptions& device : devices) run->devices.push_back(power_up(std::move(device), options));
  run->results.resize(flows);
  const double cpu_began = cpu_seconds();
  run->began = steady_clock::now();
  std::vector<std::future<void>> workers;
  for (std::size_t i = 0; i < std::min(options.concurrent, flows); ++i) {
    auto done = std::make_shared<std::promise<void>>();
    workers.push_back(done->get_future());
    net::spawn_on_strand(runtime.executor(), [run, done]() { return work(run, done); }, "bench flow");
  }
  for (auto& worker : workers) worker.wait();
  return {std::move(run->results), seconds_since(run->began), cpu_seconds() - cpu_began};
}

std::vector<brski::PledgeOptions> read_devices(const std::filesystem::path& folder) {
  std::vector<brski::PledgeOptions> devices;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory() || !exists(entry.path() / "idevid.pem")) continue;
    brski::PledgeOptions options;
    options.idevid.chain = certificates_in(entry.path() / "idevid.pem");
    options.idevid.key = need(crypto::open_key("file:" + absolute(entry.path() / "idevid.key").string()));
    options.masa_anchors = crypto::TrustStore(certificates_in(entry.path() / "masa-anchor.pem"));
    options.clock = &system_clock();
    devices.push_back(std::move(options));
  }
  if (devices.empty()) throw std::runtime_error("no device in " + folder.string());
  return devices;
}

}  // namespace cahn::bench
