// What a server, honest or not, says a CSR should hold. Whatever is read can be written, and reads the same again.

#include <cstdlib>

#include "pki/csr_attributes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto oids = cahn::pki::decode_csr_attributes({data, size});
  if (!oids) return 0;
  const auto written = cahn::pki::encode_csr_attributes(*oids);
  if (!written) std::abort();
  const auto again = cahn::pki::decode_csr_attributes(*written);
  if (!again || *again != *oids) std::abort();
  return 0;
}
