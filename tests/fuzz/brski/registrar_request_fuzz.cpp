// The MASA's reading of a registrar's voucher-request, up to the voucher it would sign.

#include <cstdlib>

#include "base/file.h"
#include "brski/masa_checks.h"

using namespace cahn;

namespace {

crypto::TrustStore anchors() {
  const auto pem = read_file(CAHN_FUZZ_ANCHOR);
  const auto ca = pem ? crypto::Certificate::from_pem(as_text(*pem)) : crypto::Certificate::from_pem("");
  if (!ca) std::abort();
  return crypto::TrustStore({*ca});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const crypto::TrustStore known = anchors();
  static const Time now = *parse_rfc3339("2026-12-01T00:00:00Z");
  const ByteView body(data, size);
  const auto request = brski::read_registrar_request(voucher::guess_format(body), body, now);
  if (!request) {
    const int status = brski::http_status(request.error().code);
    if (status != 403 && status != 406) std::abort();
    return 0;
  }
  if (!request->prior) return 0;
  const auto pledge = brski::check_pledge_request(*request, known, now);
  if (!pledge) {
    const int status = brski::http_status(pledge.error().code);
    if (status != 403 && status != 404) std::abort();
    return 0;
  }
  const brski::VoucherTerms terms{.assertion = voucher::Assertion::proximity,
                                  .pin = brski::pin_of(request->registrar, brski::PinPolicy::farthest),
                                  .idevid = pledge->idevid,
                                  .expires_on = now};
  const auto voucher = brski::voucher_for(*request, terms, now);
  if (!voucher::from_json(voucher::to_json(voucher, voucher::Root::voucher), voucher::Root::voucher)) std::abort();
  return 0;
}
