#include "bearer/dot1x/supplicant.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/bytes.h"
#include "base/file.h"
#include "bearer/dot1x/control_socket.h"
#include "bearer/dot1x/private_directory.h"

namespace cahn::bearer::dot1x {
namespace {

using namespace std::chrono_literals;

bool is_dns_name(const std::string& name) {
  return !name.empty() && name.size() <= 253 &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; });
}

// The value of "key=value" in a STATUS reply.
std::string value_of(std::string_view reply, std::string_view key) {
  const std::string mark = "\n" + std::string(key) + "=";
  const std::string text = "\n" + std::string(reply);
  const auto found = text.find(mark);
  if (found == std::string::npos) return {};
  const auto begin = found + mark.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

Result<std::string> supplicant_configuration(const SupplicantOptions& options) {
  const auto bad = [](std::string message) { return fail(BearerError::bad_configuration, std::move(message)); };
  for (const auto& path : {options.run_directory, options.certificate, options.key, options.domain_ca})
    if (!is_plain_path(path)) return bad("not an absolute path of plain characters: " + path.native());
  if (options.run_directory.native().size() > max_run_directory)
    return bad("the path of the run directory is too long");
  if (!is_interface_name(options.interface)) return bad("not a name of an interface: " + options.interface);
  if (options.identity.empty() || options.identity.size() > 253) return bad("an identity has 1 to 253 octets");
  if (!is_dns_name(options.radius_name)) return bad("not a DNS name: " + options.radius_name);
  // The identity comes from a certificate and may hold quotes: wpa_supplicant also reads strings in hex.
  return fmt::format(R"(ctrl_interface={run}/ctrl
ap_scan=0
eapol_version=2
network={{
  key_mgmt=IEEE8021X
  eapol_flags=0
  eap=TLS
  identity={identity}
  ca_cert="{ca}"
  domain_match="{name}"
  client_cert="{certificate}"
  private_key="{key}"
  phase1="tls_disable_tlsv1_0=1,tls_disable_tlsv1_1=1,tls_disable_tlsv1_3=0"
}}
)",
                     fmt::arg("run", options.run_directory.native()),
                     fmt::arg("identity", hex(as_bytes(options.identity))), fmt::arg("ca", options.domain_ca.native()),
                     fmt::arg("name", options.radius_name), fmt::arg("certificate", options.certificate.native()),
                     fmt::arg("key", options.key.native()));
}

Result<std::unique_ptr<Supplicant>> Supplicant::start(SupplicantOptions options) {
  CAHN_TRY(const std::string configuration, supplicant_configuration(options));
  const auto& run = options.run_directory;
  CAHN_CHECK(make_private_directory(run));
  CAHN_CHECK(make_private_directory(run / "ctrl"));
  CAHN_CHECK(write_file(run / "supplicant.conf", as_bytes(configuration), FileMode::secret));
  Program program{
      "wpa_supplicant",
      {options.program.native(), "-D", "wired", "-i", options.interface, "-c", (run / "supplicant.conf").native()},
      run / "supplicant.log"};
  auto process = SupervisedProcess::start(std::move(program), {});
  std::unique_ptr<Supplicant> supplicant(new Supplicant(std::move(options), std::move(process)));
  for (int i = 0; i < 500; ++i) {
    if (supplicant->status()) return supplicant;
    std::this_thread::sleep_for(10ms);
  }
  return fail(BearerError::unavailable, "wpa_supplicant does not start, see " + (run / "supplicant.log").native());
}

Result<std::string> Supplicant::ask(std::string_view command) const {
  CAHN_TRY(ControlSocket socket,
           ControlSocket::connect(options_.run_directory / "ctrl" / options_.interface, options_.run_directory));
  return socket.ask(command);
}

Result<SupplicantStatus> Supplicant::status() const {
  CAHN_TRY(const std::string reply, ask("STATUS"));
  SupplicantStatus status;
  const std::string eap = value_of(reply, "EAP state");
  // A wired supplicant that nobody answers calls itself AUTHENTICATED after a while: only an EAP success counts.
  status.authenticated = eap == "SUCCESS" && value_of(reply, "suppPortStatus") == "Authorized";
  status.refused = eap == "FAILURE";
  status.tls_version = value_of(reply, "eap_tls_version");
  return status;
}

Result<SupplicantStatus> Supplicant::wait_until_authenticated(std::chrono::milliseconds patience) const {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (int i = 0; std::chrono::steady_clock::now() < until; ++i) {
    if (const auto now = status(); now && now->authenticated)
      return now;
    else if (now && now->refused)
      return fail(BearerError::refused, "the network refused the authentication");
    if (i % 50 == 2) send_eapol_start();  // once the supplicant has associated, and then every second
    std::this_thread::sleep_for(20ms);
  }
  return fail(BearerError::unavailable, "no authentication in time");
}

Result<void> Supplicant::reassociate() const {
  CAHN_TRY(const std::string reply, ask("REASSOCIATE"));
  if (reply != "OK\n") return fail(BearerError::unavailable, "wpa_supplicant did not reassociate");
  return {};
}

void Supplicant::send_eapol_start() const {
  const FileDescriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_PAE)));
  if (!socket) return;  // it is a hint: wpa_supplicant will send its own
  sockaddr_ll group{};
  group.sll_family = AF_PACKET;
  group.sll_protocol = htons(ETH_P_PAE);
  group.sll_ifindex = static_cast<int>(::if_nametoindex(options_.interface.c_str()));
  group.sll_halen = ETH_ALEN;
  constexpr std::array<std::uint8_t, 6> pae_group = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x03};
  std::ranges::copy(pae_group, group.sll_addr);
  constexpr std::array<std::uint8_t, 4> eapol_start = {2, 1, 0, 0};  // IEEE 802.1X 11.3: version 2, type 1, no body
  (void)!::sendto(socket.get(), eapol_start.data(), eapol_start.size(), 0, reinterpret_cast<const sockaddr*>(&group),
                  sizeof group);
}

}  // namespace cahn::bearer::dot1x
