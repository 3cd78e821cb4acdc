// The inside of the MASA, shared by its two halves: vouchers (masa.cpp) and births (masa_births.cpp).

#pragma once

#include "base/metrics.h"
#include "brski/masa.h"
#include "brski/masa_checks.h"
#include "brski/role.h"

namespace cahn::brski {

inline constexpr std::string_view births_table = "births";
inline constexpr std::string_view audit_table = "audit";

struct Masa::Impl {
  Impl(MasaOptions, admission::Admission&, store::Store&, const Clock&);

  net::awaitable<net::HttpResponse> request_voucher(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> request_audit_log(net::HttpRequest, net::Session);
  net::awaitable<net::HttpResponse> report_birth(net::HttpRequest, net::Session);

  Result<RegistrarRequest> receive(const net::HttpRequest&) const;
  // A device recorded at birth with this very certificate's key. Errors: unknown_party, forbidden, unavailable.
  Result<void> check_born(const crypto::Certificate& idevid) const;
  // Nullopt: permitted; else the answer that ends the request.
  net::awaitable<std::optional<net::HttpResponse>> ask_policy(std::shared_ptr<const RegistrarRequest>);
  net::awaitable<Result<void>> log_voucher(std::shared_ptr<const RegistrarRequest>, Bytes cms, Time now);
  net::awaitable<Result<bool>> record_birth(Birth);
  Result<AuditLog> audit_log(const crypto::Certificate& idevid) const;
  net::HttpResponse refuse(const Error&, std::string serial);
  void tell(std::string_view id, const Progress&) const;

  MasaOptions options;
  admission::Admission& admission;
  store::Store& store;
  const Clock& clock;
  metrics::Counter issued, refused, delayed;
};

}  // namespace cahn::brski
