// The device's side of wired 802.1X: wpa_supplicant with the LDevID.
//
// Threads: one thread at a time; calls block, so not for I/O threads.

#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "bearer/bearer.h"
#include "bearer/dot1x/supervised_process.h"

namespace cahn::bearer::dot1x {

struct SupplicantOptions {
  std::string interface;                // "eth0"
  std::filesystem::path run_directory;  // private to this device, at most 80 octets long; made 0700 if absent
  std::filesystem::path certificate;    // LDevID, PEM, leaf first
  std::filesystem::path key;            // its key, PEM
  std::filesystem::path domain_ca;      // PEM: who may have issued the RADIUS server's certificate
  std::string identity;                 // the LDevID's subject serialNumber (decision 65)
  std::string radius_name;              // DNS name in the RADIUS server's certificate
  std::filesystem::path program = "/usr/sbin/wpa_supplicant";
};

struct SupplicantStatus {
  bool authenticated = false;  // the last EAP exchange succeeded and the port is authorised
  bool refused = false;        // the last EAP exchange failed; the supplicant tries again when asked, or after a minute
  std::string tls_version;     // "TLSv1.3", empty before
};

// What wpa_supplicant reads. Errors: bad_configuration.
Result<std::string> supplicant_configuration(const SupplicantOptions&);

class Supplicant {
 public:
  // Starts wpa_supplicant and keeps it running until destruction; killed by the kernel if we are killed.
  // Errors: bad_configuration, unavailable.
  static Result<std::unique_ptr<Supplicant>> start(SupplicantOptions);

  // Errors: unavailable.
  Result<SupplicantStatus> status() const;
  // Returns at the first success; refused at the first failure; unavailable when neither came in time. Meanwhile asks
  // the authenticator to begin (EAPOL-Start), which wpa_supplicant by itself does after two seconds only.
  Result<SupplicantStatus> wait_until_authenticated(std::chrono::milliseconds patience) const;
  // Forgets the session and authenticates anew.
  Result<void> reassociate() const;

 private:
  Supplicant(SupplicantOptions options, std::unique_ptr<SupervisedProcess> process)
      : options_(std::move(options)), process_(std::move(process)) {}
  Result<std::string> ask(std::string_view command) const;
  void send_eapol_start() const;

  SupplicantOptions options_;
  std::unique_ptr<SupervisedProcess> process_;
};

}  // namespace cahn::bearer::dot1x
