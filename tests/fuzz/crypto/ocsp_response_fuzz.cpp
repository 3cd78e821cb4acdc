// A response is read or refused, and never believed where nobody who may has signed it: its signer's key is made anew
// in each run.

#include <cstdlib>

#include "crypto/ocsp.h"
#include "tests/fuzz/crypto/authority.h"

using namespace cahn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Authority authority;
  const Time now = authority.certificate.not_before() + std::chrono::hours(1);
  if (crypto::read_ocsp_response({data, size}, authority.certificate, authority.certificate, now)) std::abort();
  return 0;
}
