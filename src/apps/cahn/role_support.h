// What the roles' wiring has in common: reading certificates, reporting errors, and running until SIGTERM.

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/cahn/role_settings.h"
#include "base/result.h"
#include "crypto/chain.h"
#include "crypto/tls.h"
#include "net/async.h"
#include "net/http.h"

namespace cahn::apps {

// Exit codes of every command: done, refused or failed, wrong usage.
enum ExitCode { exit_done = 0, exit_failed = 1, exit_usage = 2 };

// Prints "cahn: <message>" (or the settings error) and returns the exit code that belongs to it.
int report(const Error&);

Result<std::vector<crypto::Certificate>> read_certificates(const std::filesystem::path&);
Result<std::vector<crypto::Certificate>> read_certificates(const std::vector<std::string>& files);
Result<crypto::TrustStore> read_anchors(const std::vector<std::string>& files);
// A chain in PEM, leaf first, and the key (file: URI or path) that must be the leaf's.
Result<crypto::TlsIdentity> read_identity(const std::filesystem::path& chain, const std::string& key_uri);

Result<void> write_certificates(const std::filesystem::path&, const std::vector<crypto::Certificate>&);

// A running role: servers to stop in order, and its health.
struct Servers {
  std::vector<std::unique_ptr<net::HttpServer>> http;
  std::function<net::awaitable<void>()> stop_others;  // before the HTTP servers; may be empty
};
// Logs ROLE_READY with `fields`, runs until SIGTERM or SIGINT, stops the servers.
void run_role(net::Runtime&, Servers&, const std::string& ready_text, std::function<void()> on_reload = {});

}  // namespace cahn::apps
