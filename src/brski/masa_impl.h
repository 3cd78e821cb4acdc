// The inside of the MASA: what a request is known to be about, what it is granted, and who does what.
//
//   masa.cpp            vouchers and the audit log, to registrars
//   masa_decision.cpp   whose device, and may this domain have it
//   masa_tenants.cpp    makers and their tables
//   masa_births.cpp     the factory's door
//   masa_owners.cpp     sales, releases and policies: what changes the records of owners
//   masa_doors.cpp      the doors of sales systems and of owners
//   masa_operator.cpp   the operator's door

#pragma once

#include <mutex>

#include "base/metrics.h"
#include "brski/masa.h"
#include "brski/masa_audit.h"
#include "brski/masa_checks.h"
#include "brski/masa_prepared.h"
#include "brski/masa_revocation.h"
#include "brski/masa_sales.h"
#include "brski/role.h"
#include "brski/turns.h"

namespace cahn::brski {

struct Tenant {
  MasaTenant options;
  std::string births, serials, owners, answers;
  AuditTables audit;

  // Whoever changes what is recorded under this serial number holds this turn.
  std::string turn(std::string_view serial_number) const;
};
// Errors: bad_option, which names the tenant.
Result<std::vector<Tenant>> make_tenants(std::vector<MasaTenant>);

// A request that was checked, and whose device it is about.
struct Asked {
  RegistrarRequest request;
  const Tenant* tenant;
  Birth birth;
  crypto::Certificate issuer;     // the CA certificate that issued the IDevID
  bool proximity;                 // the pledge's own request shows that it met this registrar
  std::optional<Time> lists_end;  // when the first revocation list that was used runs out
  std::vector<crypto::Certificate> tls_chain;
  Bytes body;
};

// What the policies of ownership let a request have.
struct Grant {
  voucher::Assertion assertion;
  crypto::Certificate pin;
  bool comes_first = false;            // the domain becomes the owner with this voucher
  std::optional<Time> ownership_ends;  // of the sale that names the domain
};

struct Masa::Impl {
  Impl(MasaOptions, std::vector<Tenant>, std::shared_ptr<RevocationSources>, admission::Admission&, store::Store&,
       const Clock&);

  // --- registrars
  net::awaitable<net::HttpResponse> request_voucher(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> request_audit_log(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> prepared_audit_log(net::HttpRequest, net::Session);
  // Nullopt: permitted; else the answer that ends the request.
  net::awaitable<std::optional<net::HttpResponse>> ask_policy(std::shared_ptr<const Asked>, Grant);
  // Decides, signs, logs: all in the device's turn.
  net::awaitable<Result<Bytes>> issue(std::shared_ptr<const Asked>, voucher::Format);
  Result<Bytes> make_voucher(const Asked&, const Grant&, voucher::Format, Time now) const;
  net::awaitable<Result<void>> record_voucher(std::shared_ptr<const Asked>, std::shared_ptr<const Grant>,
                                              Bytes signed_voucher, std::string answer_name, Time now);
  // The voucher that the same request was answered with, if it was the last of its device and still serves.
  Result<std::optional<Bytes>> repeated_answer(const Asked&, std::string_view answer_name, Time now) const;

  // --- decisions
  // RFC 8995 5.5.3: whether the registrar's certificates are revoked; sets lists_end. Of devices that are ours only, so
  // that not everybody can have this MASA ask around. Errors: those of check_revocation.
  net::awaitable<Result<void>> look_up(std::shared_ptr<Asked>);
  Result<Asked> receive(const net::HttpRequest&, const net::Session&) const;
  Result<Asked> find_device(RegistrarRequest, Time now) const;
  Result<Asked> find_by_pledge(RegistrarRequest, Time now) const;
  Result<Asked> find_by_label(RegistrarRequest, Time now) const;
  Result<Grant> judge(const Asked&, Time now) const;
  Result<void> may_have_nonceless(const Asked&, const OwnershipRecord* owner, bool is_owner, Time now) const;
  // RFC 8995 5.8: whether the domain that asks is or was an owner.
  Result<bool> ever_owned(const Asked&, const DeviceAudit&, Time now) const;

  // --- records
  Result<std::optional<Birth>> birth_of(const Tenant&, const std::string& device) const;
  // A device recorded at birth with this very certificate's key. Errors: unknown_party, forbidden, unavailable.
  Result<Birth> check_born(const Tenant&, const crypto::Certificate& idevid) const;
  // Issuers' key ids, hex, of the devices with this serial number.
  Result<std::vector<std::string>> issuers_of(const Tenant&, std::string_view serial_number) const;
  Result<OwnershipBook> book_of(const Tenant&, std::string_view serial_number) const;
  Result<DeviceIdentity> identity_of(const Tenant&, const Birth&) const;
  Result<DeviceAudit> audit_of(const Tenant&, const std::string& device) const;
  const Tenant* tenant_named(std::string_view) const;
  // Whose device it would be; the IDevID itself is not checked.
  const Tenant* tenant_of(const crypto::Certificate& idevid,
                          const std::vector<crypto::Certificate>& carried = {}) const;
  net::awaitable<Result<bool>> record_birth(Birth);
  net::awaitable<Result<ImportOutcome>> import_sales(const Tenant*, std::string media_type, Bytes document);
  Result<ImportOutcome> add_sales(const Tenant&, std::vector<Sale>, store::Batch&) const;
  // Ends the ownership of the current record, if `by` (empty: anybody) is its domain's chain. Errors: unknown_party,
  // forbidden, unavailable.
  net::awaitable<Result<void>> release(const Tenant*, std::string serial_number, std::vector<crypto::Certificate> by);
  net::awaitable<Result<void>> set_policy(const Tenant*, std::string serial_number, std::optional<OwnershipPolicy>);

  // --- doors
  net::awaitable<net::HttpResponse> report_birth(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> tell_sales(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> owner_releases(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> import_answer(const Tenant*, net::HttpRequest);

  std::shared_ptr<const std::vector<crypto::Crl>> revocation_lists() const;
  net::HttpResponse refuse(const Error&, std::string serial);
  void tell(std::string_view id, const Progress&) const;

  MasaOptions options;  // its tenants moved to `tenants`
  const std::vector<Tenant> tenants;
  admission::Admission& admission;
  store::Store& store;
  const Clock& clock;
  Turns turns;
  mutable std::mutex lists_mutex;
  std::shared_ptr<const std::vector<crypto::Crl>> lists;
  const std::shared_ptr<RevocationSources> sources;
  PreparedLogs prepared;
  metrics::Counter issued, repeated, refused, delayed;
};

}  // namespace cahn::brski
