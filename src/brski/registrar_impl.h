// The inside of the registrar, shared by its two halves: vouchers (registrar.cpp) and enrolment (registrar_enrol.cpp).

#pragma once

#include <expected>

#include "base/metrics.h"
#include "brski/registrar.h"
#include "brski/registrar_checks.h"
#include "brski/role.h"

namespace cahn::brski {

// The manufacturers of one configuration, and the way to the MASA of each.
struct Makers {
  std::vector<Manufacturer> list;
  std::vector<std::shared_ptr<net::HttpPool>> pools;  // by index of the list
};

// A step's result, or the answer that ends the request.
template <typename T>
using Answered = std::expected<T, net::HttpResponse>;

struct Registrar::Impl {
  Impl(net::Executor, RegistrarOptions, admission::Admission&, pki::DeviceRegistry&, const Clock&);

  Result<std::shared_ptr<const Makers>> make_makers(std::vector<Manufacturer>) const;
  std::shared_ptr<const Makers> current_makers() const;

  // One request of a pledge on its way through C.3 to C.9.
  struct VoucherRequest {
    std::shared_ptr<const Makers> makers;
    KnownDevice device;
    voucher::SignedVoucher signed_request;
    std::string accept;
    std::chrono::steady_clock::time_point began;
    const Manufacturer& manufacturer() const { return makers->list[device.manufacturer]; }
  };

  // Session is taken by value: a handler that is given up on may outlive its connection.
  net::awaitable<net::HttpResponse> request_voucher(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> voucher_status(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> enrol_status(net::HttpRequest, net::Session);

  Result<VoucherRequest> receive(const net::HttpRequest&, const net::Session&) const;
  net::awaitable<Answered<Bytes>> obtain(std::shared_ptr<const VoucherRequest>);
  net::awaitable<Answered<net::HttpResponse>> ask_masa(std::shared_ptr<const VoucherRequest>);
  net::awaitable<Answered<void>> return_voucher(std::shared_ptr<const VoucherRequest>, voucher::SignedVoucher);
  net::awaitable<Answered<void>> ask_policy(admission::AdmissionEvidence, std::string stage);
  admission::AdmissionEvidence evidence(admission::PolicyPoint, const KnownDevice&) const;

  std::string name_of(const crypto::Certificate&) const;
  net::HttpResponse keep_report(std::string_view kind, const net::HttpRequest&, const net::Session&,
                                std::string_view shown_certificate);

  net::awaitable<Result<void>> ask_to_enrol(KnownDevice device);
  net::awaitable<Result<pki::EnrolmentGrant>> may_enrol(std::vector<crypto::Certificate> client, crypto::Csr csr);
  net::awaitable<Result<pki::EnrolmentGrant>> may_reenrol(std::vector<crypto::Certificate> client, crypto::Csr csr);
  net::awaitable<Result<void>> enrolled(std::vector<crypto::Certificate> client, crypto::Certificate issued,
                                        bool renewal);
  Result<pki::DeviceRecord> holder_of(const std::vector<crypto::Certificate>& client) const;

  // Tells the operator of a step: a log line, and on_progress.
  void tell(std::string_view id, const Progress&) const;

  net::Executor executor;
  RegistrarOptions options;
  admission::Admission& admission;
  pki::DeviceRegistry& registry;
  const Clock& clock;
  crypto::TrustStore domain_anchors;

  mutable std::mutex makers_mutex;
  std::shared_ptr<const Makers> makers;

  metrics::Counter vouchers_delivered, vouchers_refused, vouchers_delayed, vouchers_failed;
  metrics::Timer voucher_seconds;
};

}  // namespace cahn::brski
