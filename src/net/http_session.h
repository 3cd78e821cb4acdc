// HTTP on one accepted connection. Inside `net` only.

#pragma once

#include <memory>
#include <vector>

#include "base/metrics.h"
#include "net/http.h"
#include "net/listener.h"
#include "net/route_table.h"

namespace cahn::net {

// What all connections of one HTTP server share; immutable but for its counters.
struct HttpService {
  HttpService(std::string server_name, const ServerLimits& server_limits, const Router& router);
  void count(int status) const;
  void time(std::chrono::steady_clock::duration) const;  // from the whole request to the whole answer

  const std::string name;
  const ServerLimits limits;
  const RouteTable routes;

 private:
  mutable std::vector<metrics::Counter> by_class_;  // 1xx to 5xx
  mutable metrics::Timer seconds_;
};

awaitable<void> serve_http(std::shared_ptr<const HttpService>, std::shared_ptr<Accepted>);

}  // namespace cahn::net
