// The MASA of RFC 8995: knows which devices were made and who owns them, checks that registrar and pledge met, pins the
// registrar's domain, writes its audit log, and only then lets the voucher out.
//
// One service answers for any number of makers ("tenants"), each with its own signer, anchors, policy and tables; whose
// device a request is about is told by who issued its IDevID. It serves
//
//   POST /.well-known/brski/requestvoucher, requestauditlog     registrars
//   GET  /.well-known/brski/requestauditlog/{name}              a prepared audit log, for who was told its random name
//   POST /factory/births                                        factories, by TLS client certificate (decision 66)
//   POST /sales/{tenant}                                        sales systems, by TLS client certificate: CSV or JSON
//   POST /owners/{serial}/release                               the owner, by a TLS client certificate of its domain
//
// and to its operator, on loopback (masa_operator.cpp), what can be listed, shown and changed there.
//
// Layout of its store; a tenant that is not called "default" has its name behind each table's, as in "births.acme":
//
//   births         `<issuer key id, hex>/<serial number, hex>` → JSON of the birth          (this key is <device>)
//   serials        `<serial number, hex>/<issuer key id, hex>` → nothing: the births of a serial number
//   owners         `<serial number, hex>` → JSON: sales, first comers and releases (masa_ownership.h)
//   audit, audit_cut                        see masa_audit.h
//   answers        <device> → JSON: the last request that was answered with a voucher, and the voucher
//
// The event log holds births, sales, releases and vouchers as they happened. What was acknowledged is durable.
//
// Threads: every member function is safe from any thread.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admission/admission.h"
#include "base/time.h"
#include "brski/masa_ownership.h"
#include "brski/wire.h"
#include "crypto/chain.h"
#include "crypto/crl.h"
#include "net/http.h"
#include "store/store.h"

namespace cahn::brski {

enum class PinPolicy {
  farthest,   // the certificate of the request's chain farthest from the registrar: usually the domain CA (5.5.2)
  end_entity  // the registrar's own certificate
};

inline constexpr std::string_view default_tenant = "default";

// One maker.
struct MasaTenant {
  std::string name = std::string(default_tenant);  // a-z, 0-9 and '-', at most 32
  std::vector<crypto::Certificate> signer;         // signing certificate first; its key signs vouchers and nothing else
  crypto::PrivateKeyPtr key;
  crypto::TrustStore idevid_anchors;     // CAs of its devices; no other tenant's
  crypto::TrustStore factory_anchors;    // who may report births, by TLS client certificate
  crypto::TrustStore sales_anchors;      // who may tell sales
  crypto::TrustStore registrar_anchors;  // who vouches for customers' registrars (5.5.4), beside recorded owners

  PinPolicy pin = PinPolicy::farthest;
  OwnershipPolicy ownership = OwnershipPolicy::logged_only;  // of devices that have none of their own
  bool prior_request_required = true;  // false: a nonced voucher without the pledge's own request, asserting `logged`
  bool nonceless = true;               // to owners that a sale names, whose registrar is authenticated (5.5.4)
  std::chrono::seconds nonceless_lifetime = std::chrono::minutes(20);  // RECOMMENDED by 5.6, expires-on
  bool domain_cert_revocation_checks = false;                          // what vouchers ask of pledges (5.6)
  std::vector<voucher::Format> formats = {voucher::Format::cms};  // what its devices read; CMS in one of its two kinds
  std::size_t max_audit_entries = 1000;                           // of one device (5.8.1, "arbitrary")
};

// Where this MASA may ask whether registrars' certificates are revoked, when their chains say where (5.5.3).
struct RevocationLookup {
  // "ca.example" (ports 80 and 443 by scheme), "ca.example:8080", "[2001:db8::1]". Empty: nobody is asked.
  std::vector<std::string> hosts;
  net::ClientLimits limits{
      .connect = std::chrono::seconds(3), .response = std::chrono::seconds(5), .max_body = std::size_t{4} << 20};
};

// How an audit log is answered (5.8). Either way it can be got again at its Location for an hour.
enum class AuditAnswer {
  log,      // 200, with the log and its Location
  location  // 201 with the Location alone
};

struct MasaOptions {
  std::vector<MasaTenant> tenants;
  std::vector<crypto::Crl> revocation_lists;  // of registrars' CAs (5.5.3)
  RevocationLookup revocation_lookup;
  // A registrar is refused when nothing says that its certificate is good, or a certificate above it that names who
  // would.
  bool revocation_required = false;
  AuditAnswer audit_answer = AuditAnswer::log;
  // A voucher-request older than this is stale (5.6): longer than a registrar repeats one that is undecided (4 days).
  std::chrono::seconds max_request_age = std::chrono::days(5);
  std::function<void(const Progress&)> on_progress;  // must not block; may be empty
};

struct ImportOutcome {
  std::size_t added = 0, unchanged = 0;
};

class Masa {
 public:
  // What is passed by reference must outlive the MASA. `admission` (C.5) may be stricter than the tenants' policies.
  // Errors: bad_option.
  static Result<std::unique_ptr<Masa>> create(MasaOptions, admission::Admission&, store::Store&,
                                              const Clock& clock = system_clock());
  ~Masa();

  void add_routes(net::Router&);
  // For loopback only (see masa_operator.cpp). Reading needs nothing; changing needs `Authorization: Bearer <token>`.
  void add_operator_routes(net::Router&, std::string token);

  // Records a birth without the network: for a factory in the same process. True if it is new, false if it was known.
  // Durable when it completes. Errors: unknown_party (not our CA), forbidden (the serial is another device's),
  // unavailable.
  net::awaitable<Result<bool>> record_birth(Birth birth);
  // Sales of a tenant, as CSV or JSON (masa_sales.h). All or nothing; what is known already changes nothing. Errors:
  // unknown_party (no such tenant), bad_report (says where), forbidden (a serial number that needs an issuer),
  // unavailable.
  net::awaitable<Result<ImportOutcome>> import_sales(std::string tenant, std::string media_type, Bytes document);
  // The vouchers issued for the device, oldest first, abridged as RFC 8995 5.8.1 allows. Errors: unknown_party.
  Result<AuditLog> audit_log(const crypto::Certificate& idevid) const;
  // From the next request on.
  void replace_revocation_lists(std::vector<crypto::Crl>);

 private:
  struct Impl;
  struct Operator;
  explicit Masa(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

inline constexpr std::string_view media_type_csv = "text/csv";

}  // namespace cahn::brski
