// The port controller that hostapd lacks on a wire: it joins the Authoriser's answers with what hostapd says of each
// station and makes the kernel's gate follow. A station passes when both have said yes, and not a moment longer.
//
// All changes of the gate run on one thread, which looks at the sessions when it makes the change and not before:
// whatever order events and cuts come in, the last change follows the last word.
//
// Threads: safe from any thread. Authoriser and `on_event` run on `executor`, the latter in order.

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bearer/bearer.h"
#include "bearer/dot1x/station_set.h"
#include "net/async.h"

namespace cahn::bearer::dot1x {

class PortController {
 public:
  struct Parts {
    net::Executor executor;
    std::unique_ptr<StationSet> gate;
    std::vector<std::string> ports;
    std::filesystem::path hostapd_sockets;  // one for each port, named after it
    std::filesystem::path own_sockets;      // a private directory for ours
    std::filesystem::path memory;           // a file: the stations to invite after a restart
    std::uint16_t das_port = 0;             // of the first port; the others follow
    std::string das_secret;
    std::chrono::milliseconds renew_every{2500};
    std::chrono::milliseconds authoriser_patience{2000};
    Authoriser authoriser;
    std::function<void(StationEvent)> on_event;  // may be empty
  };
  static Result<std::shared_ptr<PortController>> start(Parts);
  // Shuts the gate and joins its threads.
  ~PortController();
  PortController(const PortController&) = delete;
  PortController& operator=(const PortController&) = delete;

  // The answer for one authentication; a permit is recorded for when hostapd reports the station.
  net::awaitable<JoinAnswer> authorise(JoinRequest);
  net::awaitable<Result<void>> cut(std::string device);
  void invite(const std::string& device);
  // Waits until hostapd reports on every port. Errors: unavailable.
  net::awaitable<Result<void>> wait_until_attached(std::chrono::milliseconds patience);
  // hostapd has ended: its sessions are void.
  void authenticator_ended();
  // Shuts the gate for good; authorise() refuses from now on.
  net::awaitable<void> stop();

 private:
  struct Impl;
  explicit PortController(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::bearer::dot1x
