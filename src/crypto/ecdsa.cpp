#include "crypto/ecdsa.h"

#include <openssl/ecdsa.h>

#include "crypto/asn1.h"

namespace cahn::crypto {
namespace {

using EcdsaSignaturePtr = Handle<ECDSA_SIG, ECDSA_SIG_free>;
using NumberPtr = Handle<BIGNUM, BN_free>;

// Octets of each of the two numbers; none for a key that is not of a curve with points.
Result<int> number_size(const PublicKey& key) {
  if (key.algorithm() == "p256") return 32;
  if (key.algorithm() == "p384") return 48;
  return fail(CryptoError::unsupported, "an ECDSA signature of a key that is not P-256 or P-384");
}

}  // namespace

Result<Bytes> ecdsa_raw_from_der(const PublicKey& key, ByteView der) {
  const ErrorScope scope;
  CAHN_TRY(const int size, number_size(key));
  const unsigned char* cursor = der.data();
  const EcdsaSignaturePtr signature(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(der.size())));
  Bytes raw(2 * static_cast<std::size_t>(size));
  if (!signature || cursor != der.data() + der.size() ||
      BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + size, size) != size) {
    return fail(CryptoError::malformed, "not an ECDSA signature of this curve");
  }
  return raw;
}

Result<Bytes> ecdsa_der_from_raw(const PublicKey& key, ByteView raw) {
  const ErrorScope scope;
  CAHN_TRY(const int size, number_size(key));
  if (raw.size() != 2 * static_cast<std::size_t>(size)) {
    return fail(CryptoError::malformed, "an ECDSA signature of " + std::to_string(raw.size()) + " octets");
  }
  const EcdsaSignaturePtr signature(ECDSA_SIG_new());
  NumberPtr r(BN_bin2bn(raw.data(), size, nullptr));
  NumberPtr s(BN_bin2bn(raw.data() + size, size, nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    return openssl_failure(CryptoError::internal, "encoding a signature");
  }
  r.release();
  s.release();
  return encode<i2d_ECDSA_SIG>(signature.get());
}

}  // namespace cahn::crypto
