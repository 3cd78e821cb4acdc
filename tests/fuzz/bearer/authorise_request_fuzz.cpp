// What FreeRADIUS passes on of a station: anything with a certificate of the domain can shape parts of it.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "bearer/dot1x/authorise_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn::bearer;
  const auto request = dot1x::parse_authorise_request({data, size});
  if (!request) return 0;
  // What got through is what the rest of the house relies on.
  const auto printable = [](const std::string& text) {
    return text.size() <= 253 && std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  };
  const bool sound =
      printable(request->certificate_issuer) && printable(request->claimed_identity) && printable(request->port) &&
      !request->certificate_serial_hex.empty() && request->certificate_serial_hex.size() <= 40 &&
      request->station.size() == 17 &&
      (request->claimed_identity == request->certificate_subject_serial || request->claimed_identity.starts_with('@'));
  if (!sound) std::abort();
  return 0;
}
