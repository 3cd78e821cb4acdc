// MASA URLs of IDevIDs: what is taken is https, and its text leads to the same place.

#include <cstdlib>

#include "brski/wire.h"

using namespace cahn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto address = brski::parse_masa_address({reinterpret_cast<const char*>(data), size});
  if (!address) return 0;
  const auto again = brski::parse_masa_address(address->text());
  if (!again || again->endpoint.host != address->endpoint.host || again->endpoint.port != address->endpoint.port ||
      again->request_voucher_path != address->request_voucher_path) {
    std::abort();
  }
  return 0;
}
