// The registrar of RFC 8995: takes voucher-requests from pledges, asks policy, asks the manufacturer, and says who may
// enrol.
//
// It serves requestvoucher, voucher_status and enrollstatus (decision 62), and is the EnrolmentAuthority of the EST
// server beside it: a device enrols once a voucher for it went out and while policy permits it. A request under a
// decision that is still open is answered 202 and holds no state here: the pledge repeats the very same bytes.
//
// Threads: every member function is safe from any thread.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admission/admission.h"
#include "base/time.h"
#include "brski/wire.h"
#include "crypto/chain.h"
#include "crypto/crl.h"
#include "crypto/tls.h"
#include "net/http.h"
#include "pki/device_registry.h"
#include "pki/est_server.h"
#include "store/event_log.h"

namespace cahn::brski {

// A maker of devices this registrar deals with. To be listed is not to be trusted: that is Admission's (decision 63).
struct Manufacturer {
  std::string name;                          // for logs
  crypto::TrustStore idevid_anchors;         // CAs of its IDevIDs; never the anchors of its MASA's web server (2.5.3)
  std::optional<std::string> masa_override;  // authority or URI used instead of the IDevID's, and logged (decision 16)
  std::optional<crypto::TrustStore> masa_tls_anchors;  // else RegistrarOptions::masa_tls_anchors
  std::vector<crypto::Certificate> intermediates{};    // issuing CAs under the anchors, where devices do not send them
  bool ignore_idevid_lifetime = false;                 // RFC 8995 2.6.2
};

struct RegistrarOptions {
  crypto::TlsIdentity identity;  // as the HTTPS server shows it; leaf has cmcRA and serverAuth (decision 8)
  std::vector<crypto::Certificate>
      domain_ca;  // issuing CA first; carried in voucher-requests, so that the CA is pinned
  std::vector<Manufacturer> manufacturers;
  crypto::TrustStore masa_tls_anchors;  // who may vouch for a MASA's TLS name
  // Within the time a server gives its handlers (net::ServerLimits::handler).
  net::ClientLimits masa_limits{.response = std::chrono::seconds(20)};
  std::string network;      // target network's name (SSID): CN of LDevIDs (decision 9)
  std::string network_uri;  // SAN of LDevIDs; empty: urn:cahn:network:<name, percent-encoded>
  // How a key is named in the device registry: credential::did_key (decision 64), which this room must not know.
  std::function<std::string(const crypto::PublicKey&)> name_of_key;
  // Whether a certificate of our CA is revoked or on hold: DomainCa::revocation.
  std::function<std::optional<crypto::RevocationReason>(std::string_view serial_hex)> revocation;
  std::function<void(const Progress&)> on_progress;  // must not block; may be empty
  store::EventLog* telemetry = nullptr;              // where pledges' reports are kept; null: in the log only
};

class Registrar final : public pki::EnrolmentAuthority {
 public:
  // What is passed by reference must outlive the registrar. Errors: bad_option, or the TLS context's.
  static Result<std::unique_ptr<Registrar>> create(net::Executor, RegistrarOptions, admission::Admission&,
                                                   pki::DeviceRegistry&, const Clock& clock = system_clock());
  ~Registrar() override;

  // Adds the registrar's paths; it must outlive the server.
  void add_routes(net::Router&);
  // Replaces the list while running: requests under way end with the one they began with.
  Result<void> set_manufacturers(std::vector<Manufacturer>);

  net::awaitable<Result<pki::EnrolmentGrant>> may_enrol(std::vector<crypto::Certificate> client,
                                                        crypto::Csr csr) override;
  net::awaitable<Result<pki::EnrolmentGrant>> may_reenrol(std::vector<crypto::Certificate> client,
                                                          crypto::Csr csr) override;
  net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                        bool renewal) override;

 private:
  struct Impl;
  explicit Registrar(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::brski
