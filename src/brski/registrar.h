// The registrar of RFC 8995: takes voucher-requests from pledges, asks policy, asks the manufacturer, and says who may
// enrol.
//
// It serves requestvoucher, voucher_status and enrollstatus (decision 62), and is the EnrolmentAuthority of the EST
// server beside it: a device enrols once a voucher for it went out, while policy permits it and its audit log is not
// against it. A request under a decision that is still open is answered 202, and waits for an operator or a claim: the
// pledge repeats the very same bytes. What is asked of the registrar's operator is served on loopback.
//
// Threads: every member function is safe from any thread.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admission/admission.h"
#include "base/time.h"
#include "brski/registrar_options.h"
#include "net/http.h"
#include "pki/device_registry.h"
#include "pki/est_server.h"

namespace cahn::brski {

// A device that is to come, as its label or the sales channel names it (RFC 8995 5.5).
struct OfflineDevice {
  std::string manufacturer;  // Manufacturer::name
  std::string serial_number;
  Bytes idevid_issuer;              // AuthorityKeyIdentifier of its IDevID, or the key identifier in it (decision 4)
  std::optional<std::string> masa;  // else the manufacturer's override or fallback
};

class Registrar final : public pki::EnrolmentAuthority {
 public:
  // What is passed by reference must outlive the registrar. Errors: bad_option, or the TLS context's.
  static Result<std::unique_ptr<Registrar>> create(net::Executor, RegistrarOptions, admission::Admission&,
                                                   pki::DeviceRegistry&, const Clock& clock = system_clock());
  ~Registrar() override;

  // Adds the registrar's paths; it must outlive the server.
  void add_routes(net::Router&);
  // The operator's paths, for a server on loopback: GET and POST /pending, /onboardings, /manufacturers and
  // /offline-vouchers (docs/guide-registrar.md). What changes something needs `token` as bearer token.
  void add_operator_routes(net::Router&, std::string token);

  // Replaces the configured list, and with it the anchors of MASAs if any are given, while running: requests under way
  // end with what they began with. Makers the operator added stay.
  Result<void> set_manufacturers(std::vector<Manufacturer>,
                                 std::optional<crypto::TrustStore> masa_tls_anchors = std::nullopt);

  // Fetches a nonceless voucher for a device that is not here yet, and its audit log, and keeps both (RFC 8995 3.1).
  // Errors: unknown_party (no such manufacturer), bad_report (no serial number or issuer), forbidden (no MASA is
  // known), masa_failed, unavailable.
  net::awaitable<Result<void>> fetch_offline_voucher(OfflineDevice device);
  // Asks for the audit logs of devices that have not told what became of their voucher (L4303); for a timer.
  net::awaitable<void> look_after_silent_devices();

  net::awaitable<Result<pki::EnrolmentGrant>> may_enrol(std::vector<crypto::Certificate> client,
                                                        crypto::Csr csr) override;
  net::awaitable<Result<pki::EnrolmentGrant>> may_reenrol(std::vector<crypto::Certificate> client,
                                                          crypto::Csr csr) override;
  // A device may revoke its own LDevIDs, by one of them that is still good.
  net::awaitable<Result<void>> may_revoke(std::vector<crypto::Certificate> client, std::string serial_hex) override;
  net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                        bool renewal) override;

 private:
  struct Impl;
  explicit Registrar(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::brski
