// `cahn pledge`: a device: finds a registrar, onboards, joins by EAP-TLS, stays, renews.

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include "apps/cahn/commands.h"
#include "apps/cahn/role_support.h"
#include "apps/common/progress_log.h"
#include "base/file.h"
#include "base/log.h"
#include "bearer/dot1x/supplicant.h"
#include "brski/pledge.h"
#include "discovery/finder.h"
#include "factory/device_folder.h"

namespace cahn::apps {
namespace {

std::atomic<bool> asked_to_stop = false;

void ask_to_stop(int) { asked_to_stop = true; }

struct PledgeSettings {
  explicit PledgeSettings(CLI::App& command) : role(command, "pledge", "device-state") {
    role.add("registrar", registrars,
             "host:port of a registrar or join proxy, instead of finding one; may be repeated");
    role.add("grasp", grasp, "Listen for join proxies that announce themselves by GRASP");
    role.add("mdns", mdns, "Look for join proxies and registrars by mDNS");
    role.add("dns", dns, "Look for a registrar by unicast DNS when that has not helped");
    role.add("dns-domain", dns_domain, "Domain to look in (default: the search domain of this host)");
    role.add("interface", interface, "Wired interface to join by EAP-TLS; without it the device only onboards");
    role.add("radius-name", radius_name, "DNS name of the RADIUS server (default: radius.<network>)");
    role.add("clock", has_clock, "The device can trust its clock (RFC 8995 2.6.1)");
    role.add("patience-seconds", patience, "How long to look for a network before giving up; 0: for ever");
    role.add("once", once, "Try each registrar there is now once, then give up");
    role.add("run-directory", run_directory, "Folder for wpa_supplicant (default: STATE/run)");
  }

  RoleSettings role;
  std::vector<std::string> registrars;
  std::string interface, radius_name, run_directory, dns_domain;
  bool has_clock = false, grasp = true, mdns = true, dns = true;
  std::uint32_t patience = 0;
  bool once = false;
};

struct Device {
  std::filesystem::path state;  // locked by the pledge
  std::unique_ptr<brski::Pledge> pledge;
  std::string serial_number;
};

Result<Device> open_device(const PledgeSettings& settings) {
  const std::filesystem::path& state = settings.role.state();
  brski::PledgeOptions options;
  CAHN_TRY(const std::string key, factory::device_key(state));
  CAHN_TRY(options.idevid, read_identity(state / factory::device_certificate_file, key));
  CAHN_TRY(options.masa_anchors, read_anchors({(state / factory::device_anchor_file).string()}));
  if (settings.has_clock) options.clock = &system_clock();
  options.state = state;
  options.on_progress = log_progress;
  const std::string serial = options.idevid.chain.front().subject_serial_number().value_or("");
  CAHN_TRY(auto pledge, brski::Pledge::open(std::move(options)));
  return Device{state, std::move(pledge), serial};
}

using Credential = Result<brski::NetworkCredential>;

net::awaitable<Credential> onboard_with(brski::Pledge* pledge, net::Endpoint registrar) {
  std::vector<net::Endpoint> candidates = {std::move(registrar)};
  co_return co_await pledge->onboard(std::move(candidates));
}

net::awaitable<Credential> renew(brski::Pledge* pledge) { co_return co_await pledge->renew(); }

// Where a way in may be: what was configured, else all that is found (L746-759, RFC 8995 4.1 and appendix B).
class Surroundings {
 public:
  explicit Surroundings(const PledgeSettings& settings) : candidates_(system_clock()) {
    if (!settings.registrars.empty()) return;
    discovery::FinderOptions options;
    options.grasp = settings.grasp;
    options.mdns = settings.mdns;
    options.mdns_types = {std::string(discovery::proxy_service), std::string(discovery::registrar_service)};
    options.dns = settings.dns;
    options.dns_domain = settings.dns_domain;
    if (!settings.interface.empty()) options.interfaces = {settings.interface};
    finder_ = discovery::Finder::start(std::move(options));
  }

  Result<void> offer_configured(const std::vector<std::string>& registrars) {
    int strength = static_cast<int>(registrars.size());
    for (const std::string& text : registrars) {
      CAHN_TRY(const auto endpoint, net::parse_endpoint(text, 8443));
      discovery::Service service;
      service.instance = text;
      service.address = endpoint.host;
      service.port = endpoint.port;
      candidates_.offer({.service = std::move(service), .strength = strength--});
    }
    return {};
  }

  // Waits for something to try, at most so long.
  void look(std::chrono::milliseconds at_most) {
    if (!finder_) return;
    if (take(finder_->wait(at_most))) {
      // A registrar has an IPv4 and an IPv6 address and is announced in several ways, and the network may pass only
      // one of them: a moment for the others.
      take(finder_->wait(others_come_within));
    }
  }

  discovery::Candidates& candidates() { return candidates_; }

 private:
  static constexpr std::chrono::milliseconds others_come_within{250};

  bool take(const discovery::Finder::News& news) {
    for (const std::string& interface : news.links_up) candidates_.link_changed(interface);
    for (const discovery::Candidate& found : finder_->found())
      if (candidates_.offer(found)) tell(found);
    return news.places;
  }

  void tell(const discovery::Candidate& found) const {
    const auto took = std::chrono::steady_clock::now() - started_;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    log::info("ROAD_STEP", "found " + found.service.instance + " at " + found.service.address + " by " + found.found_by,
              {{"stage", "B"}, {"serial", ""}, {"signer", ""}, {"us", std::to_string(us)}});
  }

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  discovery::Candidates candidates_;
  std::unique_ptr<discovery::Finder> finder_;
};

void wait_a_little(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!asked_to_stop && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

// Every candidate that may be tried now, once. True when one of them led to a credential.
bool try_all(net::Runtime& runtime, brski::Pledge* pledge, discovery::Candidates& candidates, Error& last) {
  while (const auto candidate = candidates.next()) {
    const net::Endpoint registrar{candidate->service.address, candidate->service.port};
    const auto credential =
        net::run_blocking<Credential>(runtime, [pledge, registrar] { return onboard_with(pledge, registrar); });
    if (credential) return true;
    last = credential.error();
    log::warning("ONBOARDING_FAILED", last.message,
                 {{"registrar", registrar.authority()}, {"code", std::string(last.code.name())}});
    candidates.failed(*candidate);
    if (asked_to_stop) return false;
  }
  return false;
}

Result<void> onboard(net::Runtime& runtime, const PledgeSettings& settings, Device& device) {
  if (device.pledge->credential()) return {};
  Surroundings surroundings(settings);
  CAHN_CHECK(surroundings.offer_configured(settings.registrars));
  const auto started = std::chrono::steady_clock::now();
  const auto give_up = started + std::chrono::seconds(settings.patience);
  Error last{brski::BrskiError::no_registrar, "no registrar was found"};
  bool told = false;
  while (!asked_to_stop) {
    surroundings.look(std::chrono::milliseconds(500));
    const bool nobody = !surroundings.candidates().next_try_at();
    if (try_all(runtime, device.pledge.get(), surroundings.candidates(), last)) return {};
    const auto now = std::chrono::steady_clock::now();
    const bool looked = !nobody || now - started >= std::chrono::seconds(2);
    if (nobody && looked && !std::exchange(told, true))
      log::info("NO_REGISTRAR_FOUND", "no registrar is announced here");
    if ((settings.once && looked) || (settings.patience > 0 && now >= give_up)) return std::unexpected(last);
    if (!settings.registrars.empty()) wait_a_little(std::chrono::milliseconds(1000));
  }
  return {};
}

Result<std::unique_ptr<bearer::dot1x::Supplicant>> join(const PledgeSettings& settings, const Device& device) {
  const std::filesystem::path files = device.pledge->files();
  bearer::dot1x::SupplicantOptions options;
  options.interface = settings.interface;
  options.run_directory =
      settings.run_directory.empty() ? device.state / "run" : std::filesystem::path(settings.run_directory);
  options.certificate = files / "ldevid.pem";
  options.key = files / "ldevid.key";
  options.domain_ca = files / "domain-ca.pem";
  options.identity = device.serial_number;
  options.radius_name =
      settings.radius_name.empty() ? "radius." + device.pledge->credential()->network : settings.radius_name;
  return bearer::dot1x::Supplicant::start(std::move(options));
}

// Two thirds of the LDevID's life: renewed well before its end (RFC 8995 9.1.3).
Time renewal_time(const crypto::Certificate& ldevid) {
  return ldevid.not_before() + (ldevid.not_after() - ldevid.not_before()) * 2 / 3;
}

void report_join(bool authenticated, std::chrono::steady_clock::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  if (authenticated)
    log::info("ROAD_STEP", "joined the target network by EAP-TLS with the LDevID",
              {{"stage", "E"}, {"serial", ""}, {"signer", ""}, {"us", std::to_string(us)}});
  else
    log::warning("ROAD_REFUSED", "the target network refused the LDevID",
                 {{"stage", "E"}, {"serial", ""}, {"signer", ""}, {"us", std::to_string(us)}});
}

// Joins and stays: says when the network takes or refuses the device, renews the LDevID in time.
Result<void> stay(net::Runtime& runtime, const PledgeSettings& settings, Device& device) {
  CAHN_TRY(auto supplicant, join(settings, device));
  auto started = std::chrono::steady_clock::now();
  std::optional<bool> known;
  Time next_renewal = renewal_time(device.pledge->credential()->ldevid);
  while (!asked_to_stop) {
    const auto status = known ? supplicant->status() : supplicant->wait_until_authenticated(std::chrono::seconds(10));
    if (status && (status->authenticated || status->refused) && known != status->authenticated) {
      known = status->authenticated;
      report_join(*known, std::chrono::steady_clock::now() - started);
    } else if (!status && !known) {
      known = false;
      log::warning("JOIN_FAILED", status.error().message);
    }
    if (system_clock().now() >= next_renewal) {
      brski::Pledge* pledge = device.pledge.get();
      const auto renewed = net::run_blocking<Credential>(runtime, [pledge] { return renew(pledge); });
      if (renewed) {
        next_renewal = renewal_time(renewed->ldevid);
        supplicant.reset();
        CAHN_TRY(supplicant, join(settings, device));
        known.reset();
        started = std::chrono::steady_clock::now();
      } else {
        log::warning("RENEWAL_FAILED", renewed.error().message);
        next_renewal = system_clock().now() + std::chrono::minutes(1);
      }
    }
    wait_a_little(std::chrono::milliseconds(200));
  }
  return {};
}

struct Running {
  net::Runtime runtime{1};
  std::optional<Device> device;
};

Result<void> prepare(Running& running, PledgeSettings& settings) {
  CAHN_CHECK(settings.role.load());
  std::signal(SIGTERM, ask_to_stop);
  std::signal(SIGINT, ask_to_stop);
  running.runtime.start();
  CAHN_TRY(running.device, open_device(settings));
  return {};
}

Result<void> run_pledge(PledgeSettings& settings) {
  Running running;
  CAHN_CHECK(prepare(running, settings));
  if (settings.role.check_only()) return {};
  CAHN_CHECK(onboard(running.runtime, settings, *running.device));
  if (settings.interface.empty() || asked_to_stop) return {};
  return stay(running.runtime, settings, *running.device);
}

Result<void> renew_now(PledgeSettings& settings) {
  Running running;
  CAHN_CHECK(prepare(running, settings));
  brski::Pledge* pledge = running.device->pledge.get();
  CAHN_TRY(const auto credential, net::run_blocking<Credential>(running.runtime, [pledge] { return renew(pledge); }));
  std::printf("renewed: %s, serial %s, until %s\n", credential.ldevid.subject_text().c_str(),
              credential.ldevid.serial_hex().c_str(), rfc3339(credential.ldevid.not_after()).c_str());
  return {};
}

Result<void> reset(PledgeSettings& settings) {
  Running running;
  CAHN_CHECK(prepare(running, settings));
  return running.device->pledge->factory_reset();
}

}  // namespace

void add_pledge_command(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("pledge", "Be a device: find a network, onboard, join, stay");
  auto settings = std::make_shared<PledgeSettings>(*command);
  CLI::App* renewal = command->add_subcommand("renew", "Renew the LDevID now and exit");
  renewal->fallthrough();
  CLI::App* factory_reset = command->add_subcommand("reset", "Forget the network: back to what the factory made");
  factory_reset->fallthrough();
  command->callback([=, &exit_code] {
    const auto result = renewal->parsed()         ? renew_now(*settings)
                        : factory_reset->parsed() ? reset(*settings)
                                                  : run_pledge(*settings);
    exit_code = result ? exit_done : report(result.error());
  });
}

}  // namespace cahn::apps
