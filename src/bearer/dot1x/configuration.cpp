#include "bearer/dot1x/configuration.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "bearer/dot1x/private_directory.h"

namespace cahn::bearer::dot1x {
namespace {

constexpr std::size_t max_ports = 64;

bool is_address(const std::string& text, int family) {
  in6_addr octets{};
  return ::inet_pton(family, text.c_str(), &octets) == 1;
}

}  // namespace

Secrets Secrets::generate() { return {hex(random_bytes(32)), hex(random_bytes(32)), hex(random_bytes(32))}; }

std::string set_name(std::size_t index) { return "allowed_" + std::to_string(index); }

Result<void> check(const Options& options) {
  const auto bad = [](std::string message) { return fail(BearerError::bad_configuration, std::move(message)); };
  if (options.ports.empty() || options.ports.size() > max_ports)
    return bad("the number of ports must be 1 to " + std::to_string(max_ports));
  if (std::set(options.ports.begin(), options.ports.end()).size() != options.ports.size())
    return bad("a port is named twice");
  for (const std::string& port : options.ports)
    if (!is_interface_name(port)) return bad("not a name of an interface: " + port);
  for (const auto& path : {options.run_directory, options.radius_certificate, options.radius_key, options.domain_ca})
    if (!is_plain_path(path)) return bad("not an absolute path of plain characters: " + path.native());
  if (options.run_directory.native().size() > max_run_directory)
    return bad("the path of the run directory is longer than " + std::to_string(max_run_directory) + " octets");
  for (const OnboardingService& service : options.onboarding_services)
    if (service.port == 0 || !(is_address(service.address, AF_INET) || is_address(service.address, AF_INET6)))
      return bad("not an address and port of an onboarding service: " + service.address);
  if (options.radius_port == 0 || options.das_port == 0 || options.das_port > 65535 - max_ports)
    return bad("RADIUS and Disconnect ports must be given");
  if (options.gate_lease < std::chrono::seconds(3)) return bad("the lease of the gate must be at least 3 s");
  return {};
}

std::string hostapd_configuration(const Options& options, std::size_t port_index, const Secrets& secrets) {
  // NAS-Identifier names the port, so that a permit can be bound to it. Without a period of re-authentication of its
  // own hostapd does not follow Session-Timeout either; with one, Session-Timeout takes its place.
  return fmt::format(R"(interface={port}
driver=wired
ieee8021x=1
use_pae_group_addr=1
eap_reauth_period=3600
own_ip_addr=127.0.0.1
nas_identifier={port}
auth_server_addr=127.0.0.1
auth_server_port={radius_port}
auth_server_shared_secret={radius_secret}
radius_das_port={das_port}
radius_das_client=127.0.0.1 {das_secret}
radius_das_time_window=30
radius_das_require_event_timestamp=1
radius_das_require_message_authenticator=1
ctrl_interface={run}/hostapd
logger_stdout=-1
logger_stdout_level=2
)",
                     fmt::arg("port", options.ports[port_index]), fmt::arg("radius_port", options.radius_port),
                     fmt::arg("radius_secret", secrets.radius), fmt::arg("das_port", options.das_port + port_index),
                     fmt::arg("das_secret", secrets.das), fmt::arg("run", options.run_directory.native()));
}

std::map<std::string, std::string> radius_configuration(const Options& options, std::uint16_t authorise_port,
                                                        const Secrets& secrets) {
  // allow_vulnerable_openssl: the check knows upstream version numbers only, Debian mends bugs without changing them.
  // No CRL here: FreeRADIUS caches it for at least 300 s, past a release; whoever is cut is refused by us (decision
  // 25).
  std::string text =
      fmt::format(R"(prefix = /usr
libdir = /usr/lib/freeradius
name = cahn-radius
raddbdir = {run}/radius
run_dir = {run}/radius
logdir = {run}/radius
max_request_time = 10
cleanup_delay = 5
max_requests = 16384
hostname_lookups = no
proxy_requests = no
log {{
  destination = stdout
  auth = no
}}
security {{
  max_attributes = 200
  reject_delay = 0
  status_server = yes
  allow_vulnerable_openssl = yes
}}
thread pool {{
  start_servers = 2
  max_servers = 8
  min_spare_servers = 1
  max_spare_servers = 4
  max_requests_per_server = 0
}}
client hostapd {{
  ipaddr = 127.0.0.1
  secret = {radius_secret}
  require_message_authenticator = yes
}}
)",
                  fmt::arg("run", options.run_directory.native()), fmt::arg("radius_secret", secrets.radius));
  text += fmt::format(R"(modules {{
  always reject {{
    rcode = reject
  }}
  rest {{
    tls {{
    }}
    connect_uri = "http://127.0.0.1:{authorise_port}"
    connect_timeout = 2.0
    authorize {{
      uri = "${{..connect_uri}}/authorise/{token}"
      method = 'post'
      body = 'json'
      timeout = 3.0
    }}
    pool {{
      start = 0
      min = 0
      max = 8
      spare = 1
      uses = 0
      retry_delay = 0
      lifetime = 0
      idle_timeout = 30
    }}
  }}
  eap {{
    default_eap_type = tls
    timer_expire = 60
    ignore_unknown_eap_types = no
    max_sessions = 16384
    tls-config tls-common {{
      private_key_file = {key}
      certificate_file = {certificate}
      ca_file = {ca}
      check_crl = no
      tls_min_version = "1.2"
      tls_max_version = "1.3"
      fragment_size = 1300
      include_length = yes
      cache {{
        enable = no
      }}
    }}
    tls {{
      tls = tls-common
      virtual_server = check-eap-tls
    }}
  }}
}}
)",
                      fmt::arg("authorise_port", authorise_port), fmt::arg("token", secrets.authorise),
                      fmt::arg("key", options.radius_key.native()),
                      fmt::arg("certificate", options.radius_certificate.native()),
                      fmt::arg("ca", options.domain_ca.native()));
  // The inner server runs when the handshake is complete: what is not a clear yes from us is a no, also our absence.
  text += fmt::format(R"(server default {{
  listen {{
    type = auth
    ipaddr = 127.0.0.1
    port = {radius_port}
  }}
  authorize {{
    eap {{
      ok = return
      updated = return
    }}
    reject
  }}
  authenticate {{
    eap
  }}
}}
server check-eap-tls {{
  authorize {{
    rest
    if (ok || updated) {{
      update control {{
        &Auth-Type := Accept
      }}
    }}
    else {{
      reject
    }}
  }}
}}
)",
                      fmt::arg("radius_port", options.radius_port));
  return {{"radiusd.conf", text}, {"dictionary", ""}};
}

std::string gate_ruleset(const Options& options) {
  std::string text = fmt::format("table netdev {0}\ndelete table netdev {0}\ntable netdev {0} {{\n", gate_table);
  for (std::size_t i = 0; i < options.ports.size(); ++i) {
    // 01:80:c2:00:00:03 (IEEE 802.1X 11.1.1) only: an EAPOL frame to another station would be a way around the gate.
    text += fmt::format(R"(  set {set} {{
    type ether_addr
    flags timeout
    size 8192
  }}
  chain port_{index} {{
    type filter hook ingress device "{port}" priority 0; policy drop;
    ether type 0x888e ether daddr 01:80:c2:00:00:03 accept
    ether saddr @{set} accept
    ether type arp accept
    ether type ip udp sport 68 udp dport 67 accept
    ether type ip ip daddr 224.0.0.251 udp dport 5353 accept
    ether type ip ip protocol igmp ip daddr {{ 224.0.0.2, 224.0.0.22, 224.0.0.251 }} accept
    ether type ip6 ip6 daddr ff02::fb udp dport 5353 accept
    ether type ip6 ip6 hoplimit 255 icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }} accept
    ether type ip6 ip6 hoplimit 1 icmpv6 type {{ mld-listener-report, mld-listener-done, mld2-listener-report }} accept
)",
                        fmt::arg("set", set_name(i)), fmt::arg("index", i), fmt::arg("port", options.ports[i]));
    for (const OnboardingService& service : options.onboarding_services) {
      const std::string_view family = is_address(service.address, AF_INET) ? "ip" : "ip6";
      text +=
          fmt::format("    ether type {0} {0} daddr {1} tcp dport {2} accept\n", family, service.address, service.port);
    }
    text += "    counter comment \"dropped\"\n  }\n";
  }
  return text + "}\n";
}

}  // namespace cahn::bearer::dot1x
