// The operator's window of every server role: plain HTTP on loopback, `GET /healthz` and `GET /metrics`, and what else
// the role tells its operator.

#pragma once

#include "net/http.h"

namespace cahn::net {

// `healthy` returns an empty string when all is well, else what is wrong (503). `routes` are further ones of the role.
Result<std::unique_ptr<HttpServer>> start_health_server(Executor, std::uint16_t port,
                                                        std::function<std::string()> healthy, Router routes = {});

}  // namespace cahn::net
