// How the files of this room make values from OpenSSL objects they already hold, without decoding twice. Internal.

#pragma once

#include "crypto/certificate.h"
#include "crypto/handles.h"
#include "crypto/key.h"

namespace cahn::crypto {

struct PublicKeyAccess {
  // `handle` is the key that `spki` encodes; takes it over.
  static Result<PublicKey> make(Bytes spki, PkeyPtr handle);
  // The public half of `key`, with a handle of its own.
  static Result<PublicKey> of(EVP_PKEY* key);
  // Writes the key into a certificate or request being built. OpenSSL's own setters encode it anew, for 100 µs.
  static bool set(X509_PUBKEY* field, const PublicKey& key);
};

struct CertificateAccess {
  // Shares the decoded certificate; its DER is what OpenSSL kept.
  static Result<Certificate> share(X509* borrowed);
  static Result<Certificate> make(X509Ptr, Bytes der);
};

// The digest that goes with a key in every signature we make; null for Ed25519, which has its own.
const EVP_MD* digest_for(const PublicKey&);
// Why OpenSSL did not sign with this key: its layers hide what a token said, which is asked again.
std::unexpected<Error> signing_failure(const PrivateKey&, std::string_view what);
// Whether a signature algorithm is ECDSA or RSA with SHA-2 of 256 bits or more, or Ed25519: what security level 2
// takes.
bool is_strong_signature(int signature_nid);
// AlgorithmIdentifier, DER, of the signatures that PrivateKey::sign makes with such a key.
ByteView signature_algorithm_of(const PublicKey&);
// Verifies a signature made with the algorithm that `algorithm` (AlgorithmIdentifier, DER) names: one that is strong
// and of the key's kind. Errors: unsupported, bad_signature.
Result<void> verify_with_algorithm(const PublicKey&, ByteView algorithm, ByteView message, ByteView signature);

}  // namespace cahn::crypto
