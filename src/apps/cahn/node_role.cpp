// `cahn node`: a claim node by itself, without the registrar around it.

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/cahn/commands.h"
#include "apps/cahn/registrar_settings.h"
#include "apps/cahn/role_support.h"
#include "base/file.h"
#include "base/log.h"
#include "cascade/claim_service.h"
#include "net/health.h"

namespace cahn::apps {
namespace {

struct NodeSettings {
  explicit NodeSettings(CLI::App& command) : role(command, "node", "node-state") {
    role.add("listen", listen, "Address to listen on");
    role.add("health-port", health_port, "Port of /healthz and /metrics on 127.0.0.1");
    role.add("tls-certificate", tls_certificate, "PEM file: chain of the HTTPS server");
    role.add("tls-key", tls_key, "Key of --tls-certificate");
    node.add_to(role);
  }
  RoleSettings role;
  ClaimNodeSettings node;
  std::string listen = "::", tls_certificate, tls_key;
  std::uint16_t health_port = 18444;
};

Result<void> run_node(NodeSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(settings.role.require("owner", settings.node.owners));
  CAHN_CHECK(settings.role.require("binding-key", settings.node.binding_keys));
  CAHN_CHECK(settings.role.require("tls-certificate", settings.tls_certificate));
  CAHN_CHECK(settings.role.require("tls-key", settings.tls_key));
  cascade::ClaimNodeOptions options;
  options.owners = settings.node.owners;
  options.binding_keys = settings.node.binding_keys;
  CAHN_TRY(options.rules_directory, find_rules(settings.node.rules));
  CAHN_TRY(auto tls, read_identity(settings.tls_certificate, settings.tls_key));
  if (settings.role.check_only()) return {};

  CAHN_TRY(auto state, StateDirectory::open(settings.role.state()));
  CAHN_TRY(options.node_key, crypto::open_or_create_key_file(crypto::KeyType::ed25519, state / "node.key"));
  CAHN_TRY(auto store, store::Store::open(state / "claims.db"));
  CAHN_TRY(auto node, cascade::ClaimNode::open(*store, system_clock(), options));
  crypto::TlsServerOptions tls_options;
  tls_options.identity = tls;
  CAHN_TRY(auto context, crypto::TlsContext::server(tls_options));
  net::Router router;
  cascade::add_claim_routes(router, *node);
  net::Runtime runtime;
  Servers servers;
  net::ServerOptions server_options{
      .name = "claims", .address = settings.listen, .port = settings.node.node_port, .tls = context};
  CAHN_TRY(auto server, net::HttpServer::start(runtime.executor(), std::move(server_options), std::move(router)));
  servers.http.push_back(std::move(server));
  CAHN_TRY(auto health,
           net::start_health_server(runtime.executor(), settings.health_port, [] { return std::string(); }));
  servers.http.push_back(std::move(health));
  run_role(runtime, servers, "the claim node listens on port " + std::to_string(settings.node.node_port));
  return {};
}

}  // namespace

Result<std::string> find_rules(const std::string& named) {
  std::vector<std::filesystem::path> places;
  if (!named.empty()) places.emplace_back(named);
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  if (named.empty()) {
    places.push_back(program / "../share/cahn/rules");  // installed
    places.push_back(program / "../../../rules");       // in a build tree
  }
  std::string tried;
  for (const std::filesystem::path& place : places) {
    if (std::filesystem::is_directory(place, ignored))
      return std::filesystem::weakly_canonical(place, ignored).string();
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  return fail(SettingsError::missing, "the Prolog rules are not in " + tried + "; say where with --rules");
}

void add_node_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("node", "Run a claim node by itself");
  auto settings = std::make_shared<NodeSettings>(*command);
  command->callback([=, &exit_code] {
    const auto result = run_node(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
