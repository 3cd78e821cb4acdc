// The two encodings of an ECDSA signature: DER, as X.509, CMS and TLS have it, and r followed by s in as many octets as
// the curve has, as JOSE (RFC 7518 3.4), Data Integrity proofs and PKCS#11 have it.

#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"

namespace cahn::crypto {

// 64 octets for P-256, 96 for P-384. Errors: unsupported (not an EC key), malformed.
Result<Bytes> ecdsa_raw_from_der(const PublicKey&, ByteView der);
Result<Bytes> ecdsa_der_from_raw(const PublicKey&, ByteView raw);

}  // namespace cahn::crypto
