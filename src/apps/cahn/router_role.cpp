// `cahn router`: a router of the domain: its port gates, its RADIUS server, and the agent that hears the registrar.

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <memory>

#include "apps/cahn/commands.h"
#include "apps/cahn/role_support.h"
#include "assurance/router_agent.h"
#include "base/file.h"
#include "base/log.h"
#include "bearer/dot1x/dot1x_bearer.h"
#include "credential/did.h"
#include "crypto/csr.h"
#include "discovery/dns_sd.h"
#include "net/health.h"

namespace cahn::apps {
namespace {

struct RouterSettings {
  explicit RouterSettings(CLI::App& command) : role(command, "router", "router-state") {
    role.add("registrar", registrars,
             "host:port of the registrar's command server (default: found by mDNS); may be repeated");
    role.add("command-port", command_port, "Port of the command server on a registrar found by mDNS");
    role.add("ownership", ownership, "File: the credential Trust(person, router+) of the router's owner");
    role.add("interface", interfaces, "Wired port that devices plug into; may be repeated");
    role.add("radius-certificate", radius_certificate, "PEM file: chain of the RADIUS server, issued by the domain CA");
    role.add("domain-ca", domain_ca, "PEM file: the domain CA, which issues LDevIDs");
    role.add("onboarding-service", onboarding, "address:port a device may reach before it joins; may be repeated");
    role.add("health-port", health_port, "Port of /healthz, /metrics and /status on 127.0.0.1");
    role.add("fail-closed", fail_closed, "Let nobody in once the lease of the last decisions has run out");
    role.add("run-directory", run_directory, "Folder for hostapd and FreeRADIUS (default: STATE/run)");
  }

  RoleSettings role;
  std::vector<std::string> registrars, interfaces, onboarding;
  std::string ownership, radius_certificate, domain_ca, run_directory;
  std::uint16_t command_port = 8445, health_port = 18446;
  bool fail_closed = true;
};

// router.key router.pem: the router's own identity, self-signed (L518, decision 67); radius.key radius.csr: for the
// domain CA.
struct RouterIdentity {
  StateDirectory state;
  crypto::TlsIdentity tls;
};

Result<RouterIdentity> open_router(const std::filesystem::path& path) {
  CAHN_TRY(auto state, StateDirectory::open(path));
  CAHN_TRY(auto key, crypto::open_or_create_key_file(crypto::KeyType::p256, state / "router.key"));
  if (!std::filesystem::exists(state / "router.pem")) {
    crypto::CertificateSpec spec;
    spec.subject = {{"CN", "router"}};
    spec.key = key->public_key();
    spec.not_before = system_clock().now() - std::chrono::hours(1);
    spec.not_after = crypto::no_expiration();
    spec.key_usage = crypto::KeyUsage::digital_signature;
    CAHN_TRY(auto certificate, crypto::issue_certificate(spec, *key));
    CAHN_CHECK(write_certificates(state / "router.pem", {certificate}));
  }
  CAHN_TRY(auto radius_key, crypto::open_or_create_key_file(crypto::KeyType::p256, state / "radius.key"));
  CAHN_TRY(const Bytes csr, crypto::make_csr({.subject = {{"CN", "radius"}}}, *radius_key));
  CAHN_CHECK(write_file(state / "radius.csr", csr));
  CAHN_TRY(auto tls, read_identity(state / "router.pem", (state / "router.key").string()));
  return RouterIdentity{std::move(state), std::move(tls)};
}

Result<void> init_router(RouterSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_TRY(auto identity, open_router(settings.role.state()));
  std::printf("{\"router\":\"%s\",\"radius_csr\":\"%s\"}\n",
              credential::did_key(identity.tls.key->public_key()).c_str(), (identity.state / "radius.csr").c_str());
  return {};
}

using Endpoints = std::vector<net::Endpoint>;

// Browsing blocks, so it has a thread of its own.
net::awaitable<Endpoints> browse_on(boost::asio::thread_pool* pool, std::uint16_t command_port) {
  auto browse = [command_port]() -> net::awaitable<Endpoints> {
    Endpoints found;
    const auto services = discovery::browse(discovery::registrar_service, std::chrono::seconds(3));
    if (services)
      for (const discovery::Service& service : *services) found.push_back({service.address, command_port});
    co_return found;
  };
  co_return co_await boost::asio::co_spawn(*pool, std::move(browse), boost::asio::use_awaitable);
}

net::awaitable<Endpoints> give(Endpoints endpoints) { co_return endpoints; }

Result<std::function<net::awaitable<Endpoints>()>> registrar_finder(const RouterSettings& settings,
                                                                    boost::asio::thread_pool& pool) {
  Endpoints configured;
  for (const std::string& text : settings.registrars) {
    CAHN_TRY(auto endpoint, net::parse_endpoint(text, settings.command_port));
    configured.push_back(std::move(endpoint));
  }
  std::function<net::awaitable<Endpoints>()> finder;
  if (configured.empty())
    finder = [&pool, port = settings.command_port] { return browse_on(&pool, port); };
  else
    finder = [configured] { return give(configured); };
  return finder;
}

Result<std::unique_ptr<bearer::Bearer>> open_bearer(net::Executor executor, const RouterSettings& settings,
                                                    const StateDirectory& state) {
  bearer::dot1x::Options options;
  options.ports = settings.interfaces;
  options.run_directory =
      settings.run_directory.empty() ? state / "run" : std::filesystem::path(settings.run_directory);
  options.radius_certificate = std::filesystem::absolute(settings.radius_certificate);
  options.radius_key = std::filesystem::absolute(state / "radius.key");
  options.domain_ca = std::filesystem::absolute(settings.domain_ca);
  for (const std::string& text : settings.onboarding) {
    CAHN_TRY(const auto endpoint, net::parse_endpoint(text, 8443));
    options.onboarding_services.push_back({endpoint.host, endpoint.port});
  }
  return bearer::dot1x::make_bearer(executor, std::move(options));
}

void log_station(const bearer::StationEvent& event) {
  const bool refused = event.state == bearer::StationState::refused;
  const char* what = refused                                       ? "a station was refused"
                     : event.state == bearer::StationState::joined ? "a station joined; its port is open"
                                                                   : "a station left; its port is shut";
  log::write(refused ? log::Level::warning : log::Level::info,
             refused                                       ? "STATION_REFUSED"
             : event.state == bearer::StationState::joined ? "STATION_JOINED"
                                                           : "STATION_LEFT",
             what, {{"station", event.station}, {"device", event.device}});
}

using Done = Result<void>;

net::awaitable<Done> start_bearer(bearer::Bearer* bearer, bearer::Authoriser authoriser) {
  co_return co_await bearer->start(std::move(authoriser), log_station);
}

net::awaitable<void> stop_parts(assurance::RouterAgent* agent, bearer::Bearer* bearer) {
  co_await agent->stop();
  co_await bearer->stop();
}

std::string health_of(const assurance::RouterAgent& agent) {
  const auto status = agent.status();
  if (status.connected || status.lease_left.count() > 0) return {};
  return "no registrar, and the lease of its last decisions has run out: " + status.last_error;
}

Result<void> run_router(RouterSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(settings.role.require("ownership", settings.ownership));
  CAHN_CHECK(settings.role.require("interface", settings.interfaces));
  CAHN_CHECK(settings.role.require("radius-certificate", settings.radius_certificate));
  CAHN_CHECK(settings.role.require("domain-ca", settings.domain_ca));
  if (settings.role.check_only()) return {};

  boost::asio::thread_pool browsing(1);
  net::Runtime runtime;
  runtime.start();
  CAHN_TRY(auto identity, open_router(settings.role.state()));
  CAHN_TRY(auto store, store::Store::open(identity.state / "router.db"));
  CAHN_TRY(auto bearer, open_bearer(runtime.executor(), settings, identity.state));
  assurance::RouterAgentOptions options;
  options.identity = identity.tls;
  CAHN_TRY(const Bytes ownership, read_file(settings.ownership));
  options.ownership = to_string(ownership);
  CAHN_TRY(options.find_registrars, registrar_finder(settings, browsing));
  options.table.fail_closed = settings.fail_closed;
  CAHN_TRY(auto agent, assurance::RouterAgent::open(runtime.executor(), system_clock(), assurance::kernel_boot_clock(),
                                                    *store, *bearer, std::move(options)));
  bearer::Bearer* gates = bearer.get();
  assurance::RouterAgent* running = agent.get();
  const auto started =
      net::run_blocking<Done>(runtime, [gates, running] { return start_bearer(gates, running->authoriser()); });
  if (!started) return fail(started.error(), "starting the port gates");
  agent->run();

  Servers servers;
  CAHN_TRY(auto health, net::start_health_server(runtime.executor(), settings.health_port,
                                                 [running] { return health_of(*running); }));
  servers.http.push_back(std::move(health));
  servers.stop_others = [running, gates] { return stop_parts(running, gates); };
  run_role(runtime, servers, "the router's gates are shut until a device proves itself");
  return {};
}

}  // namespace

void add_router_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("router", "Run a router: port gates, RADIUS, the registrar's commands");
  auto settings = std::make_shared<RouterSettings>(*command);
  CLI::App* init = command->add_subcommand("init", "Make the identity and print its name, without running");
  init->fallthrough();
  command->callback([=, &exit_code] {
    const auto result = init->parsed() ? init_router(*settings) : run_router(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
