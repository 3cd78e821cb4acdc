// The settings of `cahn registrar` (and of `cahn node`, which is its claim node alone).

#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "apps/cahn/role_settings.h"

namespace cahn::apps {

struct ClaimNodeSettings {
  void add_to(RoleSettings& role) {
    role.add("owner", owners, "mailto: URI of a network owner: the root of all rights; may be repeated");
    role.add("binding-key", binding_keys, "did:key whose KeyBinding credentials say who is behind a mailto:");
    role.add("rules", rules, "Folder of the Prolog rules (default: found beside the program)");
    role.add("node-port", node_port, "HTTPS port of the claim node");
  }
  std::vector<std::string> owners, binding_keys;
  std::string rules;
  std::uint16_t node_port = 8444;
};

struct RegistrarSettings {
  explicit RegistrarSettings(CLI::App& command) : role(command, "registrar", "registrar-state") {
    role.add("listen", listen, "Address to listen on");
    role.add("port", port, "HTTPS port: BRSKI, EST, CMP, OCSP and the CRL");
    role.add("command-port", command_port, "TLS port that routers connect to");
    role.add("health-port", health_port,
             "The operator's port on 127.0.0.1: /healthz, /metrics, /devices, /pending and other orders");
    role.add("network", network, "Name of the target network (SSID): CN of LDevIDs");
    role.add("domain-name", domain_name, "Name of the owner in the domain CA (default: the first --owner)");
    role.add("dns-name", dns_names, "DNS name in the registrar's certificate; may be repeated");
    role.add("ip-address", ip_addresses, "IP address in the registrar's certificate; may be repeated");
    role.add("manufacturer", manufacturers,
             "PEM file: CA of a maker's IDevIDs, or .toml with its settings; repeatable");
    role.add("masa-anchor", masa_anchors, "PEM file: CA behind the HTTPS servers of MASAs; may be repeated");
    role.add("ownership", ownership, "File: the credential Trust(person, registrar+) of the registrar's owner");
    role.add("command-ownership", command_ownership, "File: the same person's Trust(person, key+) of the command key");
    role.add("announce", announce, "Announce _brski-registrar._tcp by mDNS, and _brski-reg-cmp._tcp with CMP");
    role.add("instance", instance, "Instance name of the announcement");
    role.add("grasp", grasp, "Announce AN_join_registrar to join proxies by GRASP");
    role.add("grasp-to-pledges", grasp_to_pledges, "Announce AN_Proxy to devices on this host's own links by GRASP");
    role.add("grasp-interface", grasp_interfaces, "Interface for GRASP (default: all); may be repeated");
    role.add("grasp-period", grasp_period, "Seconds between two GRASP announcements; below 60 for tests only");
    role.add("ca-key", ca_key,
             "Key of the domain CA: a file or a pkcs11: or tpm2: URI (default: STATE/ca.key, made at first)");
    role.add("ca", ca, "https URL of the domain's CA in a process of its own, a `cahn ca` (default: the CA is here)");
    role.add("ca-certificate", ca_certificate, "PEM file: certificate of that CA, its present one first");
    role.add("ldevid-days", ldevid_days, "Validity of LDevIDs, days");
    role.add("ldevid-seconds", ldevid_seconds, "Validity of LDevIDs in seconds instead of days; 0: days. For tests");
    role.add("status-url", status_url, "URL under which LDevIDs say their CRL and OCSP are found (default: none)");
    role.add("csr-attribute", csr_attributes, "OID, or OID=OID,…, a certificate request must hold; may be repeated");
    role.add("est-enrolment", est_enrolment, "Offer enrolment by EST; if not, devices must use CMP (BRSKI-AE)");
    role.add("est-server-keys", est_server_keys, "Make keys for devices that cannot (EST serverkeygen)");
    role.add("est-pop-linking", est_pop_linking, "EST wants requests linked with their TLS session: TLS 1.2 only");
    role.add("cmp", cmp, "Offer CMP beside EST");
    role.add("pin", pin, "What vouchers are to pin: chain, ca (the issuing CA) or end-entity");
    role.add("audit-log", audit_log, "When a device's past is looked at: after-status, before-delivery or never");
    role.add("known-domain", known_domains, "domainID (base64) that is expected in audit logs; may be repeated");
    role.add("new-devices-only", new_devices_only, "Refuse devices that had an owner before");
    role.add("ignore-history", ignore_history, "Let devices in whatever their audit log says");
    role.add("ignore-nonceless", ignore_nonceless, "Overlook nonceless vouchers of unknown domains");
    role.add("audit-unknown", audit_unknown, "No audit log, or one that is not understood: refuse or permit");
    role.add("audit-unavailable", audit_unavailable, "The MASA cannot be asked for it at the moment: wait or permit");
    role.add("opaque-vouchers", opaque_vouchers, "Pass on vouchers of formats the device asked for and we cannot read");
    role.add("lease-seconds", lease_seconds, "How long a router may act on its last decisions when it is alone");
    node.add_to(role);
  }

  RoleSettings role;
  ClaimNodeSettings node;
  std::string listen = "::", network = "cahn", domain_name, ownership, command_ownership, instance = "CAHN registrar";
  std::uint16_t port = 8443, command_port = 8445, health_port = 18443;
  std::uint32_t ldevid_days = 365, ldevid_seconds = 0, lease_seconds = 3600, grasp_period = 60;
  std::vector<std::string> grasp_interfaces, dns_names, ip_addresses, manufacturers, masa_anchors;
  std::string status_url, ca, ca_certificate, ca_key;
  std::vector<std::string> csr_attributes;
  bool est_enrolment = true, est_server_keys = false, est_pop_linking = false, cmp = true;
  bool announce = true, grasp = true, grasp_to_pledges = false;
  std::string pin = "chain", audit_log = "after-status", audit_unknown = "refuse", audit_unavailable = "wait";
  std::vector<std::string> known_domains;
  bool new_devices_only = false, ignore_history = false, ignore_nonceless = false, opaque_vouchers = false;
};

// The folder of rules: `named`, or beside the program, or where packages install it. Errors: missing.
Result<std::string> find_rules(const std::string& named);

}  // namespace cahn::apps
