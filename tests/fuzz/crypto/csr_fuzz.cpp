// A request that parses has a signature that holds; none of its answers may crash.

#include <cstdlib>

#include "crypto/csr.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const auto csr = crypto::Csr::from_der({data, size});
  if (!csr) return 0;
  if (csr->der() != to_bytes(ByteView(data, size))) std::abort();
  (void)crypto::to_text(csr->subject());
  (void)csr->subject_serial_number();
  if (!crypto::PublicKey::from_spki(csr->public_key().spki())) std::abort();
  return 0;
}
