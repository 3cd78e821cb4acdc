// What `cahn pledge` is made of: its settings, the device, the search for a way in, and staying.

#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/cahn/role_settings.h"
#include "brski/pledge.h"
#include "net/async.h"

namespace cahn::apps {

struct PledgeSettings {
  explicit PledgeSettings(CLI::App& command) : role(command, "pledge", "device-state") {
    role.add("registrar", registrars,
             "host:port of a registrar or join proxy, instead of finding one; may be repeated");
    role.add("grasp", grasp, "Listen for join proxies that announce themselves by GRASP");
    role.add("mdns", mdns, "Look for join proxies and registrars by mDNS");
    role.add("dns", dns, "Look for a registrar by unicast DNS when that has not helped");
    role.add("dns-domain", dns_domain, "Domain to look in (default: the search domain of this host)");
    role.add("interface", interface, "Wired interface to join by EAP-TLS; the device stays then");
    role.add("radius-name", radius_name, "DNS name of the RADIUS server (default: radius.<network>)");
    role.add("skip-voucher-file", skip_voucher_file,
             "File that somebody at the device makes so that, once, a single registrar is taken without a voucher; it "
             "is removed (RFC 8995 7.2)");
    role.add("clock", has_clock, "The device can trust its clock (RFC 8995 2.6.1)");
    role.add("patience-seconds", patience, "How long to look for a network before giving up; 0: for ever");
    role.add("enrol", enrol, "How to ask for the LDevID: auto (EST, else CMP), est or cmp");
    role.add("stay", stay, "Stay when onboarded, and keep the LDevID valid, also without --interface");
    role.add("once", once, "Try each registrar there is now once, then give up");
    role.add("run-directory", run_directory, "Folder for wpa_supplicant (default: STATE/run)");
  }

  RoleSettings role;
  std::vector<std::string> registrars;
  std::string interface, radius_name, run_directory, dns_domain, skip_voucher_file, enrol = "auto";
  bool has_clock = false, grasp = true, mdns = true, dns = true;
  std::uint32_t patience = 0;
  bool once = false, stay = false;
};

struct Device {
  std::filesystem::path state;  // locked by the pledge
  std::unique_ptr<brski::Pledge> pledge;
  std::string serial_number;
};

using Credential = Result<brski::NetworkCredential>;

// Whether SIGTERM or SIGINT came. From take_stop_signals() on they end what runs here, not the process.
bool asked_to_stop();
void take_stop_signals();
// At most so long, and not when asked to stop.
void wait_a_little(std::chrono::milliseconds time);

// Finds a registrar and gets a credential from it: the first one, or of a device that has one a new one from its own
// network. Blocks until then, until asked to stop, or until the settings say to give up. Errors: no_registrar, or the
// last registrar's.
Result<void> search_and_onboard(net::Runtime&, const PledgeSettings&, Device&);

// Joins the target network if there is an interface for it, and keeps the LDevID valid, until asked to stop.
// `fresh`: the LDevID was issued just now.
Result<void> stay(net::Runtime&, const PledgeSettings&, Device&, bool fresh);

}  // namespace cahn::apps
