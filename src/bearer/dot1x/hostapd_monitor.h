// Listens to hostapd on the control socket of every port, and keeps doing so across restarts of hostapd.
//
// Threads: one of its own, on which the callbacks come; they must be quick.

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bearer/dot1x/sessions.h"

namespace cahn::bearer::dot1x {

class HostapdMonitor {
 public:
  struct Callbacks {
    std::function<void(const std::string& port)>
        attached;  // hostapd is there and reports; it may have forgotten everything
    std::function<void(const std::string& port)> lost;  // after `attached`: hostapd is gone or silent
    std::function<void(Station)> joined;                // AP-STA-CONNECTED
    std::function<void(Station)> left;                  // AP-STA-DISCONNECTED
  };
  // `sockets` has a control socket for each port, named after it; `own_sockets` is a private directory for ours.
  static std::unique_ptr<HostapdMonitor> start(std::filesystem::path sockets, std::filesystem::path own_sockets,
                                               std::vector<std::string> ports, Callbacks);
  ~HostapdMonitor();
  // hostapd is known to have ended: do not wait until its silence is noticed.
  void drop_all();

 private:
  struct Impl;
  explicit HostapdMonitor(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::bearer::dot1x
