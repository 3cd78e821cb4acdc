// `cahn proxy`: a join proxy: devices that can reach nothing else reach a registrar through it.

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/cahn/commands.h"
#include "apps/cahn/role_support.h"
#include "base/log.h"
#include "brski/proxy_attendant.h"
#include "net/health.h"

namespace cahn::apps {
namespace {

struct ProxySettings {
  explicit ProxySettings(CLI::App& command) : role(command, "proxy", "proxy-state") {
    role.add("listen", listen, "Address to listen on");
    role.add("port", port, "TCP port for devices; 0: any free one, which is what they are told");
    role.add("health-port", health_port, "Port of /healthz and /metrics on 127.0.0.1");
    role.add("registrar", registrars, "host:port of a registrar, tried before any that is found; may be repeated");
    role.add("trusted-interface", trusted,
             "Interface of the network where registrars may be looked for by GRASP and mDNS; may be repeated");
    role.add("interface", facing, "Interface where devices are, for GRASP (default: all); may be repeated");
    role.add("mdns", mdns, "Find registrars and announce _brski-proxy._tcp by mDNS");
    role.add("grasp", grasp, "Find registrars and announce AN_Proxy by GRASP");
    role.add("instance", instance, "Instance name of the mDNS announcement");
    role.add("grasp-period", grasp_period, "Seconds between two GRASP announcements; below 60 for tests only");
    role.add("max-connections", max_connections, "Connections at the same time");
    role.add("max-connections-per-device", max_per_device, "Connections of one address at the same time");
    role.add("idle-seconds", idle, "A connection on which nothing happens so long is reset");
  }

  RoleSettings role;
  std::string listen = "::", instance = "CAHN proxy";
  std::uint16_t port = 0, health_port = 14443;
  std::vector<std::string> registrars, trusted, facing;
  bool mdns = true, grasp = true;
  std::uint32_t grasp_period = 60, max_connections = 5000, max_per_device = 16, idle = 300;
};

Result<void> check(const ProxySettings& settings) {
  if (settings.registrars.empty() && settings.trusted.empty())
    return fail(SettingsError::missing,
                "say where the registrar is (`--registrar host:port`) or on which network it may be looked for "
                "(`--trusted-interface eth0`)");
  if (settings.grasp_period == 0) return fail(SettingsError::bad_value, "`grasp-period` must not be 0");
  if (settings.max_connections == 0 || settings.max_per_device == 0 || settings.idle == 0)
    return fail(SettingsError::bad_value,
                "`max-connections`, `max-connections-per-device` and `idle-seconds` must not be 0");
  return {};
}

Result<brski::ProxyOptions> proxy_options(const ProxySettings& settings) {
  brski::ProxyOptions options;
  options.relay.address = settings.listen;
  options.relay.port = settings.port;
  options.relay.max_connections = settings.max_connections;
  options.relay.max_connections_per_address = settings.max_per_device;
  options.relay.idle = std::chrono::seconds(settings.idle);
  for (const std::string& text : settings.registrars) {
    CAHN_TRY(auto endpoint, net::parse_endpoint(text, 8443));
    options.registrars.push_back(std::move(endpoint));
  }
  return options;
}

struct RunningProxy {
  net::Runtime runtime;
  std::unique_ptr<brski::Proxy> proxy;
  std::unique_ptr<brski::ProxyAttendant> attendant;
  Servers servers;
};

net::awaitable<void> stop_parts(RunningProxy* running) {
  running->attendant.reset();
  co_await running->proxy->stop();
}

Result<void> run_proxy(ProxySettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(check(settings));
  CAHN_TRY(auto options, proxy_options(settings));
  if (settings.role.check_only()) return {};
  if (settings.grasp_period < 60)
    log::warning("GRASP_PERIOD_SHORT", "RFC 8995 4.3: announcements should not be less than 60 seconds apart");

  RunningProxy running;
  CAHN_TRY(running.proxy, brski::Proxy::start(running.runtime.executor(), std::move(options)));
  brski::Proxy* const proxy = running.proxy.get();
  CAHN_TRY(auto health, net::start_health_server(running.runtime.executor(), settings.health_port, [proxy] {
             return proxy->registrars().empty() ? std::string("no registrar is known") : std::string();
           }));
  running.servers.http.push_back(std::move(health));
  running.attendant =
      brski::ProxyAttendant::start(*proxy, {.trusted = settings.trusted,
                                            .facing = settings.facing,
                                            .mdns = settings.mdns,
                                            .grasp = settings.grasp,
                                            .instance = settings.instance,
                                            .flood_period = std::chrono::seconds(settings.grasp_period)});
  RunningProxy* const all = &running;
  running.servers.stop_others = [all] { return stop_parts(all); };
  run_role(running.runtime, running.servers, "the join proxy listens on port " + std::to_string(proxy->port()));
  return {};
}

}  // namespace

void add_proxy_command(CLI::App& program, int& exit_code) {
  CLI::App* command =
      program.add_subcommand("proxy", "Run a join proxy: devices reach a registrar through it (RFC 8995 4)");
  auto settings = std::make_shared<ProxySettings>(*command);
  command->callback([settings, &exit_code] {
    const auto result = run_proxy(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
