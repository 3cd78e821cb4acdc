// The registrar's reading of a pledge's voucher-request: whatever it takes is signed by a device of the maker it knows.

#include <cstdlib>

#include "base/file.h"
#include "brski/registrar_checks.h"

using namespace cahn;

namespace {

std::vector<brski::Manufacturer> makers() {
  const auto pem = read_file(CAHN_FUZZ_ANCHOR);
  const auto ca = pem ? crypto::Certificate::from_pem(as_text(*pem)) : crypto::Certificate::from_pem("");
  if (!ca) std::abort();
  brski::Manufacturer maker;
  maker.idevid_anchors = crypto::TrustStore({*ca});
  return {maker};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<brski::Manufacturer> known = makers();
  static const Time now = *parse_rfc3339("2026-12-01T00:00:00Z");
  // What the strict reader takes, the one for peers in the field takes too.
  const auto strict = brski::read_pledge_request({data, size});
  const auto request = brski::read_pledge_request({data, size}, brski::Compat::field);
  if (strict && !request) std::abort();
  if (!request) {
    const int status = brski::http_status(request.error().code);
    if (status != 403 && status != 406) std::abort();
    return 0;
  }
  const auto device = brski::identify_device(request->certificates, known, now);
  if (!device) return 0;
  (void)brski::check_pledge_request(*request, *device, request->voucher.proximity_registrar_cert);
  return 0;
}
