// What every role that serves has in common: HTTPS, running until SIGTERM, and the exit codes of programs.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/tls.h"
#include "net/async.h"
#include "net/http.h"

namespace cahn::apps {

// Exit codes of every command: done, refused or failed, wrong usage.
enum ExitCode { exit_done = 0, exit_failed = 1, exit_usage = 2 };

// A running role: servers to stop in order, and its health.
struct Servers {
  std::vector<std::unique_ptr<net::HttpServer>> http;
  std::function<net::awaitable<void>()> stop_others;  // before the HTTP servers; may be empty
};

// The TLS of a BRSKI or EST server: it asks for a client certificate and takes any, so that a refusal can be HTTP and
// say why (decision 63).
// `status`: the OCSP response that is stapled, if any.
Result<crypto::TlsContext> open_to_all(const crypto::TlsIdentity&, crypto::StatusSource status = {});

// Starts an HTTPS server of the role: `router` on `address` and `port`. It joins `servers`.
Result<void> serve(net::Runtime&, Servers& servers, const crypto::TlsContext&, std::string name, std::string address,
                   std::uint16_t port, net::Router router);

// Logs ROLE_READY with `ready_text`, runs until SIGTERM or SIGINT, stops the servers.
void run_role(net::Runtime&, Servers&, const std::string& ready_text, std::function<void()> on_reload = {});

}  // namespace cahn::apps
