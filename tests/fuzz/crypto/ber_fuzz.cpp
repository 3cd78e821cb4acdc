// What the normaliser makes of BER is DER, is hardly longer, and stays as it is when it is normalised again.

#include <cstdlib>

#include "crypto/asn1.h"
#include "crypto/ber.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const ByteView input(data, size);
  const auto once = crypto::Normalised::from_ber(input);
  if (!once) {
    if (size <= (1 << 20) && crypto::is_der(input)) std::abort();
    return 0;
  }
  const Bytes& der = once->der();
  if (!crypto::is_der(der)) std::abort();
  // The end-of-contents octets make room for the definite length, except of elements of more than 64 KiB.
  if (der.size() > size + 1024) std::abort();
  const auto again = crypto::Normalised::from_ber(der);
  if (!again || again->der() != der || !again->is_verbatim(again->der())) std::abort();
  if (once->is_verbatim(der) && der != to_bytes(input)) std::abort();
  return 0;
}
