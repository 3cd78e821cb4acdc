// `cahn registrar`: registrar, domain CA, EST, claim node and command server of one domain, wired together.

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "apps/cahn/commands.h"
#include "apps/cahn/registrar_makers.h"
#include "apps/cahn/registrar_parts.h"
#include "apps/cahn/registrar_settings.h"
#include "apps/cahn/role_support.h"
#include "assurance/claims_admission.h"
#include "assurance/command_server.h"
#include "assurance/decision_loop.h"
#include "assurance/owners.h"
#include "base/log.h"
#include "brski/registrar.h"
#include "cascade/claim_service.h"
#include "credential/did.h"
#include "discovery/dns_sd.h"
#include "discovery/grasp_link.h"
#include "net/health.h"
#include "pki/cmp_server.h"
#include "pki/csr_attributes.h"
#include "pki/est_server.h"
#include "pki/ocsp_server.h"
#include "pki/ocsp_staple.h"
#include "pki/service.h"

namespace cahn::apps {
namespace {

RegistrarIdentityOptions identity_options(const RegistrarSettings& settings) {
  RegistrarIdentityOptions options;
  options.owner_name = settings.domain_name;
  if (options.owner_name.empty() && !settings.node.owners.empty()) options.owner_name = settings.node.owners.front();
  options.dns_names = settings.dns_names;
  options.ip_addresses = settings.ip_addresses;
  options.ldevid_lifetime = std::chrono::days(settings.ldevid_days);
  if (settings.ldevid_seconds > 0) options.ldevid_lifetime = std::chrono::seconds(settings.ldevid_seconds);
  options.ca_key = settings.ca_key;
  // A path, not a URI, is one from here.
  if (!options.ca_key.empty() && options.ca_key.find(':') == std::string::npos) {
    options.ca_key = std::filesystem::absolute(options.ca_key).string();
  }
  options.status_url = settings.status_url;
  options.ca_url = settings.ca;
  options.ca_certificate = settings.ca_certificate;
  return options;
}

Result<void> check_owners(const RegistrarSettings& settings) {
  CAHN_CHECK(settings.role.require("owner", settings.node.owners));
  for (const std::string& owner : settings.node.owners)
    if (!owner.starts_with("mailto:"))
      return fail(SettingsError::bad_value, "`owner` must be a mailto: URI, not `" + owner + "`");
  return {};
}

// A CA elsewhere is told by URL and certificate.
Result<void> check_ca(const RegistrarSettings& settings) {
  if (settings.ca.empty() != settings.ca_certificate.empty())
    return fail(SettingsError::missing, "`ca` and `ca-certificate` are needed both, or neither");
  if (!settings.ca.empty() && !settings.ca.starts_with("https://"))
    return fail(SettingsError::bad_value, "`ca` must begin with https://");
  if (!settings.ca.empty() && !settings.status_url.empty())
    return fail(SettingsError::bad_value, "`status-url` is a setting of `cahn ca` where the CA is elsewhere");
  return {};
}

Result<void> must_hold_the_ca(const RegistrarSettings& settings, const std::string& command) {
  if (settings.ca.empty()) return {};
  return fail(SettingsError::bad_value, "the CA is elsewhere: use `" + command + "` there");
}

void print_names(const std::filesystem::path& state, const crypto::PublicKey& registrar, const crypto::PublicKey& node,
                 const std::string& more = {}) {
  std::printf("{\"registrar\":\"%s\",\"command_key\":\"%s\",\"domain_ca\":\"%s\"%s}\n",
              credential::did_key(registrar).c_str(), credential::did_key(node).c_str(),
              (state / "domain-ca.pem").c_str(), more.c_str());
}

// `cahn registrar init`: makes the identities and says their names, so that their owner can sign for them.
Result<void> init_registrar(RegistrarSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(check_owners(settings));
  CAHN_CHECK(check_ca(settings));
  if (!settings.ca.empty()) {
    CAHN_TRY(const auto request, prepare_registrar(settings.role.state(), identity_options(settings)));
    print_names(request.state.path(), request.tls_key->public_key(), request.node_key->public_key(),
                ",\"request\":\"" + (request.state / "tls.csr").string() + "\"");
    return {};
  }
  net::Runtime runtime(1);
  runtime.start();
  CAHN_TRY(auto parts, open_registrar(runtime, settings.role.state(), identity_options(settings)));
  print_names(parts.state.path(), parts.tls.key->public_key(), parts.node_key->public_key());
  return {};
}

// `cahn registrar roll-over`: a new key for the domain CA. The registrar must not be running.
Result<void> roll_over_ca(RegistrarSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(check_owners(settings));
  CAHN_CHECK(must_hold_the_ca(settings, "cahn ca roll-over"));
  net::Runtime runtime(1);
  runtime.start();
  CAHN_TRY(auto parts, open_registrar(runtime, settings.role.state(), identity_options(settings)));
  CAHN_CHECK(roll_over(runtime, parts.state, *parts.own_ca));
  std::printf("{\"domain_ca\":\"%s\",\"roots\":%zu}\n", (parts.state / "domain-ca.pem").c_str(),
              parts.own_ca->roots().size());
  return {};
}

struct ServerCertificateRequest {
  std::string csr, out, name;
};

// `cahn registrar server-certificate`: signs the RADIUS server's CSR of a router of this domain.
Result<void> sign_server_certificate(RegistrarSettings& settings, const ServerCertificateRequest& request) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(check_owners(settings));
  CAHN_CHECK(must_hold_the_ca(settings, "cahn ca sign"));
  CAHN_TRY(const Bytes csr, read_file(request.csr));
  net::Runtime runtime(1);
  runtime.start();
  CAHN_TRY(auto parts, open_registrar(runtime, settings.role.state(), identity_options(settings)));
  CAHN_TRY(const auto chain, issue_server_certificate(runtime, *parts.own_ca, pki::Profile::radius_server, csr,
                                                      request.name, {request.name}, {}));
  return write_certificates(request.out, chain);
}

// Looks after devices that say nothing, after what is stapled, and for what a CA elsewhere has revoked, until it is told
// to stop.
struct Watch {
  std::atomic<bool> stopping = false, done = true;
  std::shared_ptr<pki::OcspStaple> staple;
};

net::awaitable<void> learn_revocations(pki::RemoteCa* ca) {
  auto fetching = ca->fetch_crl();
  const auto fetched = co_await std::move(fetching);
  if (!fetched)
    log::warning("REGISTRAR_CRL_NOT_FETCHED", "the CRL of the CA was not taken over: " + fetched.error().message);
}

// `ca`: one in another process, or null.
net::awaitable<void> watch_silent_devices(Watch* watch, brski::Registrar* registrar, pki::RemoteCa* ca) {
  constexpr std::chrono::milliseconds step{100};
  constexpr std::chrono::seconds period{30}, staple_period{15};  // a response holds for a minute
  std::chrono::milliseconds since_refresh{0};
  if (ca) co_await learn_revocations(ca);
  for (std::chrono::milliseconds waited{0}; !watch->stopping; waited += step) {
    co_await net::sleep_for(step);
    since_refresh += step;
    if (watch->staple && since_refresh >= staple_period) {
      since_refresh = {};
      co_await pki::OcspStaple::refresh(watch->staple);
    }
    if (waited < period) continue;
    waited = {};
    co_await registrar->look_after_silent_devices();
    if (ca) co_await learn_revocations(ca);
  }
  watch->done = true;
}

// Everything a running registrar consists of, in the order it is built; it goes the other way round.
struct RunningRegistrar {
  net::Runtime runtime;
  std::optional<RegistrarParts> parts;
  std::unique_ptr<pki::DeviceRegistry> registry;
  std::unique_ptr<store::Store> claims;
  std::unique_ptr<cascade::ClaimNode> node;
  std::unique_ptr<admission::Admission> admission;
  std::unique_ptr<brski::Registrar> registrar;
  std::unique_ptr<assurance::DecisionLoop> loop;
  std::unique_ptr<assurance::CommandServer> commands;
  std::vector<std::unique_ptr<discovery::Announcement>> announcements;
  Watch watch;
  std::vector<std::unique_ptr<discovery::grasp::FloodAnnouncement>> floods;
  Servers servers;
};

Result<void> open_claim_node(RunningRegistrar& running, const RegistrarSettings& settings) {
  cascade::ClaimNodeOptions options;
  options.owners = settings.node.owners;
  options.binding_keys = settings.node.binding_keys;
  CAHN_TRY(options.rules_directory, find_rules(settings.node.rules));
  options.node_key = running.parts->node_key;
  CAHN_TRY(running.claims, store::Store::open(running.parts->state / "claims.db"));
  CAHN_TRY(running.node, cascade::ClaimNode::open(*running.claims, system_clock(), options));
  running.admission = assurance::claims_admission(*running.node);
  return {};
}

Result<void> open_brski(RunningRegistrar& running, const RegistrarSettings& settings) {
  CAHN_TRY(running.registry, pki::DeviceRegistry::open(*running.parts->store));
  pki::CertificateAuthority* ca = &running.parts->ca();
  brski::RegistrarOptions options;
  options.identity = running.parts->tls;
  options.domain_ca = ca->ca_certificates();
  options.retired_roots = running.parts->roots;
  CAHN_TRY(options.manufacturers, read_manufacturers(settings.manufacturers));
  CAHN_TRY(options.masa_tls_anchors, read_anchors(settings.masa_anchors));
  CAHN_CHECK(read_policies(settings, options));
  options.network = settings.network;
  options.name_of_key = [](const crypto::PublicKey& key) { return credential::did_key(key); };
  options.revocation = [ca](std::string_view serial) { return ca->revocation(serial); };
  options.store = running.parts->store.get();
  CAHN_TRY(running.registrar, brski::Registrar::create(running.runtime.executor(), std::move(options),
                                                       *running.admission, *running.registry));
  return {};
}

Result<void> open_assurance(RunningRegistrar& running, const RegistrarSettings& settings) {
  CAHN_TRY(running.loop, assurance::DecisionLoop::open(running.runtime.executor(), *running.node, *running.registry,
                                                       running.parts->ca(), *running.parts->store, system_clock(),
                                                       {.network = settings.network, .segment = {}}));
  CAHN_TRY(const Bytes ownership, read_file(settings.ownership));
  CAHN_TRY(const Bytes commander, read_file(settings.command_ownership));
  assurance::CommandServerOptions options;
  options.address = settings.listen;
  options.port = settings.command_port;
  options.identity = running.parts->tls;
  options.ownership = to_string(ownership);
  options.command_key = running.parts->node_key;
  options.commander = to_string(commander);
  options.owner_check = assurance::owners_of(*running.node);
  options.network = settings.network;
  options.epoch = running.loop->epoch();
  options.lease = std::chrono::seconds(settings.lease_seconds);
  options.log = running.parts->store.get();
  CAHN_TRY(running.commands,
           assurance::CommandServer::start(running.runtime.executor(), system_clock(), std::move(options),
                                           running.loop->state(), running.loop->last_number()));
  running.loop->run(*running.commands);
  return {};
}

// EST and CMP for devices; CRL and OCSP for everybody, unless the CA is elsewhere and offers them itself.
void add_pki_routes(net::Router& router, RunningRegistrar& running, const RegistrarSettings& settings) {
  pki::CertificateAuthority* ca = &running.parts->ca();
  pki::EstOptions est;
  est.csr_attribute_oids = settings.csr_attributes;
  est.enrolment = settings.est_enrolment;
  est.server_keys = settings.est_server_keys;
  est.require_pop_linking = settings.est_pop_linking;
  pki::add_est_routes(router, *ca, *running.registrar, std::move(est));
  if (settings.cmp) {
    pki::CmpOptions cmp;
    cmp.signer = running.parts->tls;
    cmp.revoke = [ca](std::string serial, crypto::RevocationReason reason) { return ca->revoke(serial, reason); };
    pki::add_cmp_routes(router, *ca, *running.registrar, std::move(cmp));
  }
  if (!running.parts->own_ca) return;
  pki::add_crl_route(router, *running.parts->own_ca);
  pki::add_ocsp_routes(router, *running.parts->own_ca);
}

Result<void> open_servers(RunningRegistrar& running, const RegistrarSettings& settings) {
  // For pledges whose voucher demands it, which can ask nobody but the registrar itself (RFC 8366 5.3).
  crypto::StatusSource status;
  if (running.parts->own_ca) {
    CAHN_TRY(running.watch.staple, pki::OcspStaple::create(*running.parts->own_ca, running.parts->tls.chain.front()));
    const auto staple = running.watch.staple;
    net::run_blocking<void>(running.runtime, [staple] { return pki::OcspStaple::refresh(staple); });
    status = staple->source();
  }
  CAHN_TRY(const auto context, open_to_all(running.parts->tls, std::move(status)));
  const net::Executor executor = running.runtime.executor();
  const auto serve_here = [&](const char* name, std::uint16_t port, net::Router router) {
    return serve(running.runtime, running.servers, context, name, settings.listen, port, std::move(router));
  };
  net::Router brski_router;
  running.registrar->add_routes(brski_router);
  add_pki_routes(brski_router, running, settings);
  CAHN_CHECK(serve_here("registrar", settings.port, std::move(brski_router)));
  net::Router claims_router;
  cascade::add_claim_routes(claims_router, *running.node);
  CAHN_CHECK(serve_here("claims", settings.node.node_port, std::move(claims_router)));
  net::Router operator_router;
  pki::add_device_routes(operator_router, *running.registry, running.parts->ca());
  CAHN_TRY(std::string token, operator_token(running.parts->state / "operator.token"));
  running.registrar->add_operator_routes(operator_router, std::move(token));
  CAHN_TRY(auto health, net::start_health_server(
                            executor, settings.health_port, [] { return std::string(); }, std::move(operator_router)));
  running.servers.http.push_back(std::move(health));
  return {};
}

void announce(RunningRegistrar& running, const RegistrarSettings& settings) {
  if (!settings.announce) return;
  std::vector<std::string_view> services = {discovery::registrar_service};
  if (settings.cmp) services.push_back(discovery::registrar_cmp_service);
  for (const std::string_view service : services) {
    auto announcement = discovery::Announcement::start(settings.instance, service, settings.port);
    if (!announcement) {
      log::warning("REGISTRAR_NOT_ANNOUNCED", "no mDNS announcement: " + announcement.error().message +
                                                  "; devices must be told the address, or start avahi-daemon");
      return;
    }
    running.announcements.push_back(std::move(*announcement));
    log::info("REGISTRAR_ANNOUNCED", "announced as " + std::string(service) + " by mDNS",
              {{"instance", settings.instance}});
  }
}

// RFC 8995 4.3: to proxies; 4.1.1: a registrar may tell pledges on its own links of itself as a proxy would.
void announce_by_grasp(RunningRegistrar& running, const RegistrarSettings& settings) {
  namespace grasp = discovery::grasp;
  if (settings.grasp_period < 60)
    log::warning("GRASP_PERIOD_SHORT", "RFC 8995 4.3: announcements should not be less than 60 seconds apart");
  const auto flood = [&](std::string_view objective) {
    auto announcement = grasp::FloodAnnouncement::start({.objective = std::string(objective),
                                                         .tcp_port = settings.port,
                                                         .interfaces = settings.grasp_interfaces,
                                                         .period = std::chrono::seconds(settings.grasp_period)});
    if (announcement)
      running.floods.push_back(std::move(*announcement));
    else
      log::warning("REGISTRAR_NOT_FLOODED", "no GRASP announcement: " + announcement.error().message);
  };
  if (settings.grasp) flood(grasp::registrar_objective);
  if (settings.grasp_to_pledges) flood(grasp::proxy_objective);
}

net::awaitable<void> stop_parts(RunningRegistrar* running) {
  running->announcements.clear();
  running->floods.clear();
  running->watch.stopping = true;
  while (!running->watch.done) co_await net::sleep_for(std::chrono::milliseconds(5));
  co_await running->commands->stop();
  co_await running->loop->stop();
}

// After SIGHUP: the configuration file, and the files it names.
Result<void> reload_makers(RegistrarSettings& settings, brski::Registrar& registrar) {
  CAHN_CHECK(settings.role.load());
  CAHN_TRY(auto manufacturers, read_manufacturers(settings.manufacturers));
  CAHN_TRY(auto masa_anchors, read_anchors(settings.masa_anchors));
  return registrar.set_manufacturers(std::move(manufacturers), std::move(masa_anchors));
}

Result<void> run_registrar(RegistrarSettings& settings) {
  CAHN_CHECK(settings.role.load());
  CAHN_CHECK(check_owners(settings));
  CAHN_CHECK(check_ca(settings));
  CAHN_CHECK(settings.role.require("manufacturer", settings.manufacturers));
  CAHN_CHECK(settings.role.require("masa-anchor", settings.masa_anchors));
  CAHN_CHECK(settings.role.require("binding-key", settings.node.binding_keys));
  CAHN_CHECK(settings.role.require("ownership", settings.ownership));
  CAHN_CHECK(settings.role.require("command-ownership", settings.command_ownership));
  brski::RegistrarOptions unused;
  CAHN_CHECK(read_policies(settings, unused));
  CAHN_CHECK(read_manufacturers(settings.manufacturers));
  if (settings.grasp_period == 0) return fail(SettingsError::bad_value, "`grasp-period` must not be 0");
  CAHN_CHECK(pki::encode_csr_attributes(settings.csr_attributes));
  if (settings.role.check_only()) return {};

  RunningRegistrar running;
  running.runtime.start();
  CAHN_TRY(running.parts, open_registrar(running.runtime, settings.role.state(), identity_options(settings)));
  CAHN_CHECK(open_claim_node(running, settings));
  CAHN_CHECK(open_brski(running, settings));
  CAHN_CHECK(open_assurance(running, settings));
  CAHN_CHECK(open_servers(running, settings));
  announce(running, settings);
  announce_by_grasp(running, settings);
  RunningRegistrar* all = &running;
  running.servers.stop_others = [all] { return stop_parts(all); };
  running.watch.done = false;
  net::spawn_on_strand(
      running.runtime.executor(),
      [all] { return watch_silent_devices(&all->watch, all->registrar.get(), all->parts->remote_ca.get()); },
      "watch of silent devices");
  const auto reload = [all, &settings] {
    const auto set = reload_makers(settings, *all->registrar);
    if (set)
      log::info("REGISTRAR_RELOADED", "the list of makers was read again");
    else
      log::error("REGISTRAR_NOT_RELOADED", "the list of makers stays as it was: " + set.error().message);
  };
  run_role(running.runtime, running.servers,
           "the registrar of " + settings.node.owners.front() + " listens on port " + std::to_string(settings.port),
           reload);
  return {};
}

}  // namespace

void add_registrar_command(CLI::App& program, int& exit_code) {
  CLI::App* command =
      program.add_subcommand("registrar", "Run a domain's registrar, CA, EST, claim node and command server");
  auto settings = std::make_shared<RegistrarSettings>(*command);
  auto request = std::make_shared<ServerCertificateRequest>();
  const auto finish = [&exit_code](const Result<void>& result) {
    exit_code = result ? exit_done : report(result.error());
  };

  CLI::App* init = command->add_subcommand("init", "Make the identities and print their names, without running");
  init->fallthrough();
  CLI::App* sign = command->add_subcommand("server-certificate", "Sign the CSR of this domain's RADIUS server");
  sign->fallthrough();
  sign->add_option("--csr", request->csr, "DER file")->required();
  sign->add_option("--name", request->name, "DNS name for the certificate")->required();
  sign->add_option("--out", request->out, "PEM file to write")->required();
  CLI::App* roll = command->add_subcommand("roll-over", "Give the domain CA a new key; the registrar must be stopped");
  roll->fallthrough();
  command->callback([=] {
    if (init->parsed()) return finish(init_registrar(*settings));
    if (roll->parsed()) return finish(roll_over_ca(*settings));
    if (sign->parsed()) return finish(sign_server_certificate(*settings, *request));
    finish(run_registrar(*settings));
  });
}

}  // namespace cahn::apps
