#include "crypto/digest.h"

#include <openssl/hmac.h>

#include <cstdlib>

#include "crypto/handles.h"

namespace cahn::crypto {
namespace {

// Fetched once: looking an algorithm up costs more than hashing a voucher.
const EVP_MD* fetched(const char* name) {
  EVP_MD* md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) std::abort();  // OpenSSL without SHA-2 is no OpenSSL to go on with
  return md;
}

}  // namespace

Sha256 sha256(ByteView message) {
  static const EVP_MD* const md = fetched("SHA256");
  Sha256 out;
  if (EVP_Digest(message.data(), message.size(), out.data(), nullptr, md, nullptr) != 1) std::abort();
  return out;
}

Bytes sha384(ByteView message) {
  static const EVP_MD* const md = fetched("SHA384");
  Bytes out(48);
  if (EVP_Digest(message.data(), message.size(), out.data(), nullptr, md, nullptr) != 1) std::abort();
  return out;
}

Bytes hmac_sha256(ByteView key, ByteView message) {
  Bytes out(32);
  unsigned size = 0;
  static constexpr unsigned char no_key = 0;  // HMAC() takes a null key for "the one of last time"
  const auto* key_data = key.empty() ? &no_key : key.data();
  if (HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()), message.data(), message.size(), out.data(), &size) ==
      nullptr) {
    std::abort();
  }
  return out;
}

}  // namespace cahn::crypto
