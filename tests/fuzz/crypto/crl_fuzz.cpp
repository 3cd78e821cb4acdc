// A list that parses keeps its octets and every entry has a serial number.

#include <cstdlib>

#include "crypto/crl.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  static const auto key = crypto::generate_key(crypto::KeyType::p256);
  const auto crl = crypto::Crl::from_der({data, size});
  if (!crl) return 0;
  if (crl->der() != to_bytes(ByteView(data, size))) std::abort();
  for (const auto& entry : crl->entries()) {
    if (!hex_decode(entry.serial_hex) || entry.serial_hex.empty()) std::abort();
    (void)rfc3339(entry.revoked_at);
  }
  if (crl->signed_by((*key)->public_key())) std::abort();
  return 0;
}
