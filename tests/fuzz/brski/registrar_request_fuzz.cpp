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
  const auto request = brski::check_registrar_request({data, size}, known, now);
  if (!request) {
    const int status = brski::http_status(request.error().code);
    if (status != 403 && status != 404 && status != 406) std::abort();
    return 0;
  }
  const auto voucher = brski::voucher_for(*request, brski::pin_of(*request, brski::PinPolicy::farthest), now);
  if (!voucher::from_json(voucher::to_json(voucher, voucher::Root::voucher), voucher::Root::voucher)) std::abort();
  return 0;
}
