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

struct Run {
  const net::Endpoint registrar;
  const std::vector<brski::PledgeOptions>& devices;
  const FlowOptions& options;
  const steady_clock::time_point began = steady_clock::now();
  std::atomic<std::size_t> next = 0;
  std::vector<FlowResult> results;
};

void tell(const Run& run, const std::string& serial, const Result<NetworkCredential>& got, double seconds) {
  if (!run.options.lines) return;
  if (got) {
    print_line({{"event", "ldevid"},
                {"serial", serial},
                {"certificate", got->ldevid.serial_hex()},
                {"voucher_sha256", hex(crypto::sha256(got->voucher))},
                {"ms", seconds * 1000}});
  } else {
    print_line({{"event", "failed"},
                {"serial", serial},
                {"code", std::string(got.error().code.name())},
                {"error", brski::printable(got.error().message)},
                {"ms", seconds * 1000}});
  }
}

brski::PledgeOptions options_of(const Run& run, std::size_t index, const std::string& serial) {
  brski::PledgeOptions options = run.devices[index];
  options.limits.response = run.options.response;
  if (run.options.lines) {
    options.on_progress = [serial](const brski::Progress& progress) {
      if (progress.stage == "C.10" && progress.done) print_line({{"event", "voucher"}, {"serial", serial}});
    };
  }
  return options;
}

// A device begins anew: state, nonce and TLS.
net::awaitable<void> onboard(std::shared_ptr<Run> run, std::size_t index) {
  const std::string serial = run->devices[index].idevid.chain.front().subject_serial_number().value_or("");
  FlowResult& result = run->results[index];
  for (;;) {
    auto pledge = need(Pledge::open(options_of(*run, index, serial)));
    const auto began = steady_clock::now();
    std::vector<net::Endpoint> candidates{run->registrar};
    const auto got = co_await pledge->onboard(std::move(candidates));
    result.seconds = seconds_since(began);
    result.enrolled = got.has_value();
    result.error = got ? "" : std::string(got.error().code.name()) + ": " + got.error().message;
    tell(*run, serial, got, result.seconds);
    if (got || steady_clock::now() - run->began >= run->options.retry_for) co_return;
    co_await net::sleep_for(std::chrono::milliseconds(100));
  }
}

net::awaitable<void> work(std::shared_ptr<Run> run, std::shared_ptr<std::promise<void>> done) {
  for (std::size_t index = run->next++; index < run->devices.size(); index = run->next++) co_await onboard(run, index);
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

FlowResults run_flows(net::Runtime& runtime, const net::Endpoint& registrar,
                      const std::vector<brski::PledgeOptions>& devices, const FlowOptions& options) {
  auto run = std::make_shared<Run>(registrar, devices, options);
  run->results.resize(devices.size());
  const double cpu_began = cpu_seconds();
  std::vector<std::future<void>> workers;
  for (std::size_t i = 0; i < std::min(options.concurrent, devices.size()); ++i) {
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
