// The inside of the registrar, shared by its parts: vouchers (registrar.cpp), the way to MASAs (registrar_masa.cpp),
// reports and audit logs (registrar_reports.cpp), enrolment (registrar_enrol.cpp), vouchers for later
// (registrar_offline.cpp) and its operator (registrar_operator.cpp).

#pragma once

#include <expected>
#include <map>
#include <mutex>

#include "base/metrics.h"
#include "brski/registrar.h"
#include "brski/registrar_audit.h"
#include "brski/registrar_checks.h"
#include "brski/registrar_pending.h"
#include "brski/registrar_records.h"
#include "brski/role.h"

namespace cahn::brski {

// How one manufacturer's MASA is spoken to.
struct MasaLink {
  std::shared_ptr<net::HttpPool> pool;
  std::optional<MasaCredentials> credentials;
};
// Sends with the credentials there are; a Digest challenge is answered once.
net::awaitable<Result<net::HttpResponse>> send_to_masa(MasaLink, net::Endpoint, net::HttpRequest);
// RFC 8995 5.8: asks with the very bytes that asked for the voucher. Errors: masa_failed (not at the moment),
// unknown_party (404), bad_report (an answer that is not understood).
net::awaitable<Result<AuditLog>> fetch_audit_log(MasaLink, MasaAddress, Bytes own_request);

// Posts a nonceless voucher-request; the voucher's bytes. Errors: masa_failed, naming status and words of the MASA.
net::awaitable<Result<Bytes>> request_offline(MasaLink, MasaAddress, Bytes own_request);

// The manufacturers of one configuration, and the way to the MASA of each.
struct Makers {
  std::vector<Manufacturer> list;
  std::vector<MasaLink> links;  // by index of the list
};

// A step's result, or the answer that ends the request.
template <typename T>
using Answered = std::expected<T, net::HttpResponse>;

struct Registrar::Impl {
  Impl(net::Executor, RegistrarOptions, admission::Admission&, pki::DeviceRegistry&, const Clock&);
  Result<void> open();

  // --- manufacturers
  Result<std::shared_ptr<const Makers>> make_makers(std::vector<Manufacturer>, const crypto::TrustStore&) const;
  Result<MasaLink> link_to(const Manufacturer&, const crypto::TrustStore& common) const;
  std::shared_ptr<const Makers> current_makers() const;
  // Makes what is configured and what the operator added the current list. REQUIRES: makers_mutex is held.
  Result<void> renew_makers();
  Result<void> set_manufacturers(std::vector<Manufacturer>, std::optional<crypto::TrustStore>);
  Result<void> load_added();
  net::awaitable<Result<void>> add_manufacturer(Manufacturer, std::string order);
  net::awaitable<Result<void>> remove_manufacturer(std::string name);

  // --- vouchers
  // One request of a pledge on its way through C.3 to C.9.
  struct VoucherRequest {
    std::shared_ptr<const Makers> makers;
    KnownDevice device;
    voucher::SignedVoucher signed_request;
    std::vector<crypto::Certificate> client;
    const crypto::TlsIdentity* identity;  // of the TLS session, and the signer of our request
    std::string id, digest;               // of the device and of its request
    std::string accept;
    bool has_joined;  // it holds an LDevID of ours that is good
    std::chrono::steady_clock::time_point began;
    const Manufacturer& manufacturer() const { return makers->list[device.manufacturer]; }
    const MasaLink& link() const { return makers->links[device.manufacturer]; }
  };
  using Pending = std::shared_ptr<const VoucherRequest>;
  // A voucher for it, and where it is from.
  struct Obtained {
    Exchange exchange;
    std::optional<voucher::SignedVoucher> voucher;  // none: opaque (decision 13)
    enum class From { masa, earlier_answer, store } from = From::masa;
    std::optional<AuditFinding> audit;
  };

  // Session is taken by value: a handler that is given up on may outlive its connection.
  net::awaitable<net::HttpResponse> request_voucher(net::HttpRequest, net::Session);
  Result<VoucherRequest> receive(const net::HttpRequest&, const net::Session&) const;
  const crypto::TlsIdentity* identity_shown(const std::optional<crypto::Certificate>& own_leaf) const;
  bool has_joined(const crypto::Certificate& idevid) const;
  net::awaitable<Answered<net::HttpResponse>> obtain(Pending);
  net::awaitable<Answered<Obtained>> find_voucher(Pending);
  std::optional<Obtained> earlier_answer(const VoucherRequest&) const;
  std::optional<Obtained> stored_voucher(const VoucherRequest&) const;
  net::awaitable<Answered<Obtained>> ask_masa(Pending);
  Answered<Obtained> judge_answer(const VoucherRequest&, Exchange) const;
  VoucherExpectation expectation(const VoucherRequest&) const;
  net::awaitable<Answered<void>> check_history(Pending, Obtained*);
  net::awaitable<Answered<void>> return_voucher(Pending, Obtained);

  // --- policy
  // About whom policy is asked, for the list of those who wait.
  struct Subject {
    std::string id, digest, manufacturer;
    bool operator_approves;
  };
  net::awaitable<Answered<void>> ask_policy(admission::AdmissionEvidence, std::string stage, Subject);
  net::awaitable<net::HttpResponse> let_wait(std::string serial, std::string stage, Subject, std::string reason,
                                             std::chrono::seconds retry_after);
  admission::AdmissionEvidence evidence(admission::PolicyPoint, const KnownDevice&) const;

  // --- reports and audit logs
  net::awaitable<net::HttpResponse> voucher_status(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> enrol_status(net::HttpRequest, net::Session);
  net::HttpResponse keep_report(std::string_view kind, const net::HttpRequest&, const net::Session&,
                                std::string_view shown_certificate);
  net::awaitable<AuditFinding> audit(MasaLink, Exchange, std::string serial);
  // As audit, for a device a voucher went to; the finding is kept.
  net::awaitable<AuditFinding> audit_again(Onboarding);
  net::awaitable<void> look_after_silent_devices();
  std::vector<Bytes> own_domains(const Exchange&) const;

  // --- enrolment
  net::awaitable<Result<std::optional<admission::AuditVerdict>>> history_of(std::string id, bool renewal);
  net::awaitable<Result<void>> ask_to_enrol(KnownDevice device, bool renewal);
  net::awaitable<Result<pki::EnrolmentGrant>> may_enrol(std::vector<crypto::Certificate> client, crypto::Csr csr);
  net::awaitable<Result<pki::EnrolmentGrant>> may_reenrol(std::vector<crypto::Certificate> client, crypto::Csr csr);
  net::awaitable<Result<void>> may_revoke(std::vector<crypto::Certificate> client, std::string serial_hex);
  net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                        bool renewal);
  Result<pki::DeviceRecord> holder_of(const std::vector<crypto::Certificate>& client) const;

  // --- devices that are to come
  net::awaitable<Result<void>> fetch_offline_voucher(OfflineDevice);

  // --- the operator
  net::awaitable<net::HttpResponse> decide_pending(net::HttpRequest);
  net::awaitable<net::HttpResponse> order_onboarding(net::HttpRequest);
  net::awaitable<net::HttpResponse> post_manufacturer(net::HttpRequest);
  net::awaitable<net::HttpResponse> delete_manufacturer(net::HttpRequest);
  net::awaitable<net::HttpResponse> post_offline_voucher(net::HttpRequest);
  std::string list_pending() const;
  std::string list_onboardings() const;
  std::string list_manufacturers() const;
  Result<std::string> list_offline() const;

  std::string name_of(const crypto::Certificate&) const;
  // Tells the operator of a step: a log line, and on_progress. Alarming: to be seen, although nothing was refused.
  void tell(std::string_view id, const Progress&, bool is_alarming = false) const;
  static constexpr bool alarming = true;

  net::Executor executor;
  RegistrarOptions options;
  admission::Admission& admission;
  pki::DeviceRegistry& registry;
  const Clock& clock;
  crypto::TrustStore domain_anchors;
  std::unique_ptr<Records> records;
  std::unique_ptr<PendingDevices> pending;

  mutable std::mutex makers_mutex;  // guards what follows
  std::shared_ptr<const Makers> makers;
  std::vector<Manufacturer> configured;
  crypto::TrustStore masa_anchors;
  struct Added {
    Manufacturer manufacturer;
    std::string order;  // the operator's, as it is stored
  };
  std::map<std::string, Added> added;

  metrics::Counter vouchers_delivered, vouchers_refused, vouchers_delayed, vouchers_failed;
  metrics::Timer voucher_seconds;
};

}  // namespace cahn::brski
