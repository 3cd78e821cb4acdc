// A manufacturer: the provisioning root that gives devices their IDevIDs (stage 0, L701-710), the identity of its MASA,
// and the reporting of births.
//
// Its folder (0700, one process at a time):
//
//   factory.json          name, website, MASA URL and names: written last, so that a broken-off creation is no factory
//   factory.db            births, and those the MASA has not acknowledged yet
//   manufacturer-ca.key   signs IDevIDs and nothing else                     manufacturer-ca.pem → registrars, MASA
//   masa-ca.key           signs voucher-signing certificates, nothing else   masa-anchor.pem     → devices (decision 7)
//   web-ca.key            signs the MASA's HTTPS certificate                 web-anchor.pem      → registrars
//   factory.key           TLS client towards the MASA, self-signed           factory.pem
//   masa/                 what the MASA is handed over; nothing above this line leaves the factory
//     signer.key signer.pem          signs vouchers; chain up to masa-anchor.pem
//     tls.key tls.pem                HTTPS server; chain up to web-anchor.pem
//     idevid-anchor.pem              = manufacturer-ca.pem
//     factory-anchor.pem             = factory.pem: who may report births
//
// All keys are P-256, made where they stay; key files are 0600.
//
// Threads: one at a time; report_pending may run beside the rest.

#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "crypto/certificate.h"
#include "crypto/csr.h"
#include "factory/error.h"
#include "net/async.h"
#include "net/http.h"

namespace cahn::factory {

struct ManufacturerOptions {
  std::string name;      // CN of the manufacturer CA (L899-905)
  std::string website;   // its OU; may be empty
  std::string masa_url;  // as IDevIDs carry it: the authority alone, host[:port] (RFC 8995 2.3.2); "https://" in front
                         // is dropped
  // Names in the MASA's HTTPS certificate; both empty: the host of masa_url.
  std::vector<std::string> masa_dns_names, masa_ip_addresses;
};

// A device, as the factory's books have it.
struct DeviceBirth {
  std::string serial_number;
  std::string model;
  crypto::Certificate idevid;
  Time at;
};

// What goes back to a device that was given its IDevID.
struct BirthCertificate {
  crypto::Certificate idevid;
  std::vector<crypto::Certificate> chain;  // from the issuing CA up
  crypto::Certificate masa_anchor;         // whose vouchers it may believe
  std::string manufacturer;
  std::string masa_url;
  std::string model;
};

// What became of the births that the MASA did not know yet.
struct ReportOutcome {
  std::vector<std::string> acknowledged;  // serial numbers
  struct Refusal {
    std::string serial_number, reason;
  };
  std::vector<Refusal> refused;  // by the MASA, for good as it seems; they stay pending until it takes them
  std::size_t pending = 0;       // left, refused ones included
  std::string last_error;        // why, if any are left
};

struct ReportOptions {
  crypto::TrustStore masa_anchors{};  // who vouches for that server's name, where it is another maker's; empty: our own
  std::optional<net::Endpoint> masa;  // where to connect instead of masa_url's host; its name is then checked
  unsigned attempts = 5;              // connections tried before giving up for now
  std::chrono::milliseconds first_delay{200};  // between attempts, doubled each time
};

class Manufacturer {
 public:
  // Makes a manufacturer in `folder`. Errors: exists, bad_option, not_writable, unavailable.
  static Result<std::unique_ptr<Manufacturer>> create(const std::filesystem::path& folder, ManufacturerOptions,
                                                      const Clock& clock = system_clock());
  // Opens the one that is there. Errors: no_factory.
  static Result<std::unique_ptr<Manufacturer>> open(const std::filesystem::path& folder,
                                                    const Clock& clock = system_clock());
  ~Manufacturer();

  const ManufacturerOptions& options() const;
  const crypto::Certificate& certificate() const;  // the CA that issues IDevIDs
  const crypto::Certificate& masa_anchor() const;
  const crypto::Certificate& web_anchor() const;
  const crypto::Certificate& client_certificate() const;  // with which it reports births

  // Issues both certificates in masa/ anew, with the keys that are there: before they end, or for other names.
  Result<void> renew_masa_certificates();

  // Gives the device that made `csr` its IDevID (L889-896): subject CN = serialNumber = `serial`, OU = `model`, the
  // MASA URL, no key usages (RFC 8995 2.3), valid to 99991231235959Z. Recorded, and queued for the MASA, before it
  // returns. The same device asking again (same key, serial, model) gets the same certificate, so that a birth that
  // broke off can be finished. Blocks for the commit. Errors: bad_request, bad_option, serial_taken, key_taken,
  // unavailable.
  Result<BirthCertificate> issue_idevid(ByteView csr_der, std::string_view serial, std::string_view model);

  Result<std::optional<DeviceBirth>> find(std::string_view serial) const;
  Result<std::vector<DeviceBirth>> births() const;
  // Serial numbers that the MASA has not acknowledged.
  Result<std::vector<std::string>> pending() const;

  // POSTs every pending birth to https://<MASA>/factory/births over mutual TLS (decision 66): JSON {"serialNumber",
  // "idevid": base64 DER, "model"}. 200 and 201 acknowledge it, anything else leaves it pending. A MASA that cannot be
  // reached or answers 5xx is tried again. An error only when our own store or keys fail.
  net::awaitable<Result<ReportOutcome>> report_pending(ReportOptions options = {});

 private:
  struct Impl;
  explicit Manufacturer(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

// The whole of stage 0 for a device whose folder is at hand: prepare_device, issue_idevid, install_idevid (device.h).
Result<DeviceBirth> give_birth(Manufacturer&, const std::filesystem::path& device_folder, std::string_view serial,
                               std::string_view model, const std::string& key_uri = {});

}  // namespace cahn::factory
