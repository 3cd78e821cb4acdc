// Vouchers for devices that are not here yet: fetched without a nonce while the MASA can be reached, delivered when it
// cannot (RFC 8995 3.1, 5.5, 7.3).

#include <algorithm>

#include "brski/registrar_impl.h"

namespace cahn::brski {

net::awaitable<Result<void>> Registrar::fetch_offline_voucher(OfflineDevice device) {
  return impl_->fetch_offline_voucher(std::move(device));
}

net::awaitable<Result<void>> Registrar::Impl::fetch_offline_voucher(OfflineDevice device) {
  const auto known = current_makers();
  const auto maker = std::ranges::find(known->list, device.manufacturer, &Manufacturer::name);
  if (maker == known->list.end()) {
    co_return fail(BrskiError::unknown_party,
                   "no manufacturer here is called '" + printable(device.manufacturer) + "'");
  }
  if (device.serial_number.empty() || device.idevid_issuer.empty()) {
    co_return fail(BrskiError::bad_report, "a device is named by its serial number and the issuer of its IDevID");
  }
  const MasaLink link = known->links[static_cast<std::size_t>(maker - known->list.begin())];
  CAHN_CO_TRY(const MasaAddress masa, masa_of(device, *maker));
  const RequestStyle style{options.identity, options.domain_ca, options.pin_depth, maker->compat};
  CAHN_CO_TRY(const Bytes own_request, make_registrar_request(device, style, clock.now()));
  MasaLink to_masa = link;
  auto answer = co_await request_offline(std::move(to_masa), masa, own_request);
  if (!answer) co_return fail(answer.error());
  const VoucherExpectation expected{device.serial_number, std::nullopt, options.identity.chain, maker->compat};
  CAHN_CO_TRY(const voucher::SignedVoucher voucher, check_returned_voucher(*answer, expected, clock.now()));

  Exchange exchange{{},
                    masa.text(),
                    own_request,
                    *std::move(answer),
                    std::string(voucher::media_type_cms),
                    voucher.voucher.pinned_domain_cert->domain_id()};
  OfflineVoucher kept{device.manufacturer, device.serial_number, device.idevid_issuer,   masa.text(),
                      own_request,         exchange.answer,      exchange.pinned_domain, voucher.voucher.expires_on,
                      clock.now(),         std::nullopt};
  // While the MASA can be asked: the device may come when it cannot.
  if (options.audit.timing != AuditTiming::never) {
    MasaLink for_audit = link;
    kept.audit = co_await audit(std::move(for_audit), std::move(exchange), device.serial_number);
  }
  auto done = co_await records->keep(std::move(kept));
  if (!done) co_return fail(BrskiError::unavailable, "the voucher cannot be kept: " + done.error().message);
  tell("BRSKI_VOUCHER_STORED",
       {"C.7", device.serial_number, "Stored a voucher for a device that is to come.", voucher.signer.subject_text()});
  co_return Result<void>{};
}

// One that is for this device, from the same issuer, and not over.
std::optional<Registrar::Impl::Obtained> Registrar::Impl::stored_voucher(const VoucherRequest& request) const {
  const std::string& serial = request.device.serial_number;
  auto stored = records->offline(request.manufacturer().name, serial);
  if (!stored) {
    tell("BRSKI_STORED_VOUCHER_UNUSABLE", {"C.8", serial, stored.error().message, {}, false});
    return std::nullopt;
  }
  if (!*stored) return std::nullopt;
  OfflineVoucher one = **std::move(stored);
  const VoucherExpectation expected{serial, std::nullopt, request.identity->chain, request.manufacturer().compat};
  auto voucher = check_returned_voucher(one.voucher, expected, clock.now());
  const bool same_issuer = is_issuer_of(one.idevid_issuer, request.device.idevid);
  if (!voucher || !same_issuer) {
    tell("BRSKI_STORED_VOUCHER_UNUSABLE",
         {"C.8",
          serial,
          voucher ? "the stored voucher is for a device of another issuer" : voucher.error().message,
          {},
          false});
    return std::nullopt;
  }
  Exchange exchange{request.client,
                    one.masa,
                    std::move(one.own_request),
                    std::move(one.voucher),
                    std::string(voucher::media_type_cms),
                    std::move(one.pinned_domain)};
  return Obtained{std::move(exchange), *std::move(voucher), Obtained::From::store, std::move(one.audit)};
}

}  // namespace cahn::brski
