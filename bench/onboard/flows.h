// Many simulated pledges at once, each on a connection of its own.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "brski/pledge.h"
#include "net/async.h"

namespace cahn::bench {

struct FlowOptions {
  std::size_t concurrent = 100;
  bool lines = false;                 // a JSON object a line on stdout for whatever a pledge was told
  std::chrono::seconds retry_for{0};  // a flow that fails is begun again until then
  std::chrono::milliseconds response{30'000};
};

struct FlowResult {
  double seconds = 0;  // of the last try
  bool enrolled = false;
  std::string error;  // of the last try, when it failed
};

struct FlowResults {
  std::vector<FlowResult> flows;
  double wall_seconds = 0;
  double cpu_seconds = 0;  // of this process, all threads
  std::size_t failures() const;
  // The duration below which a share of `fraction` of the successful flows lies, in ms; 0 without any.
  double percentile_ms(double fraction) const;
};

// Powers the devices up, starts the clock, and runs `flows` flows, at most `concurrent` at a time. With more flows than
// devices each device is reset to factory state and onboards again. Blocks; `runtime` must be running.
FlowResults run_flows(net::Runtime& runtime, const net::Endpoint& registrar, std::vector<brski::PledgeOptions> devices,
                      std::size_t flows, const FlowOptions& options);

// The devices in the subfolders of `folder`, as the factory leaves them: idevid.key, idevid.pem, masa-anchor.pem.
std::vector<brski::PledgeOptions> read_devices(const std::filesystem::path& folder);

}  // namespace cahn::bench
