// Keys. A private key is named by a URI and signs; nobody asks where it lives. A public key is its
// SubjectPublicKeyInfo.
//
// URIs:
//   file:/abs/path.pem                                             PKCS#8 PEM, 0600
//   pkcs11:token=…;object=…?pin-source=file:/…&module-path=/…      RFC 7512; without module-path those p11-kit knows
//   tpm2:handle=0x81010010?pin-source=file:/…                      a persistent key of a TPM 2.0 (needs tpm2-openssl);
//                                                                  which TPM: TPM2OPENSSL_TCTI in the environment
// Keys in tokens are P-256 or P-384, in PKCS#11 also RSA. A PIN is in a file (0600) that the URI names, never in it.
//
// One key has one SubjectPublicKeyInfo: compressed points and explicit curve parameters are refused inside it, so that
// keys can be compared and named by their octets.
//
// Threads: both types are immutable and safe to share. A key in a file signs in place; one in a token signs on that
// token's own thread, and who asks waits: 5 to 50 ms for a TPM, 30 s for a token that does not answer.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/error.h"

struct evp_pkey_st;

namespace cahn::crypto {

enum class KeyType { p256, p384, ed25519, rsa2048, rsa3072 };

class PublicKey {
 public:
  // SubjectPublicKeyInfo DER, one of KeyType (RSA of 2048 to 8192 bits also); else malformed or unsupported.
  static Result<PublicKey> from_spki(ByteView der);
  // 32 octets, RFC 8032.
  static Result<PublicKey> from_ed25519(ByteView raw);
  // SEC 1 point, compressed or not, of p256 or p384.
  static Result<PublicKey> from_ec_point(KeyType curve, ByteView point);

  const Bytes& spki() const { return spki_; }
  // "p256", "p384", "ed25519", "rsa".
  std::string_view algorithm() const;
  // 32 octets of an Ed25519 key, the compressed point of an EC key; unsupported for RSA.
  Result<Bytes> raw() const;
  // RFC 5280 4.2.1.2 (1): SHA-1 of the BIT STRING's value.
  Bytes key_identifier() const;
  // ECDSA in DER with SHA-256 (P-256) or SHA-384 (P-384), RSA PKCS#1 v1.5 with SHA-256, or Ed25519.
  Result<void> verify(ByteView message, ByteView signature) const;
  evp_pkey_st* handle() const { return handle_.get(); }  // borrowed

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.spki_ == b.spki_; }

 private:
  friend struct PublicKeyAccess;
  enum class Algorithm : std::uint8_t { p256, p384, ed25519, rsa };
  PublicKey(Bytes spki, std::shared_ptr<evp_pkey_st> handle, Algorithm algorithm)
      : spki_(std::move(spki)), handle_(std::move(handle)), algorithm_(algorithm) {}
  Bytes spki_;
  std::shared_ptr<evp_pkey_st> handle_;
  Algorithm algorithm_;
};

class PrivateKey {
 public:
  virtual ~PrivateKey() = default;
  virtual const PublicKey& public_key() const = 0;
  // The counterpart of PublicKey::verify, same algorithms and encodings.
  virtual Result<Bytes> sign(ByteView message) const = 0;
  // For OpenSSL's CMS, X.509 and TLS; borrowed; signs wherever the key lives.
  virtual evp_pkey_st* handle() const = 0;
  // The URI it was opened with, without any secret in it; empty for a key that lives in memory only.
  virtual const std::string& uri() const = 0;
};

using PrivateKeyPtr = std::shared_ptr<const PrivateKey>;

// A key in memory, not stored.
Result<PrivateKeyPtr> generate_key(KeyType);
// Makes a key and stores it at `path` as 0600 PKCS#8 PEM; refuses to overwrite.
Result<PrivateKeyPtr> create_key_file(KeyType, const std::filesystem::path&);
// A URI as above, or a bare path. A key or PIN file that others can read is refused (key_unavailable). A token is asked
// for a signature at once: what is not there, not unlocked or not a pair is key_unavailable, with the reason.
Result<PrivateKeyPtr> open_key(std::string_view uri);
// Opens the key at `path`, or makes it there if there is none.
Result<PrivateKeyPtr> open_or_create_key_file(KeyType, const std::filesystem::path&);
// PKCS#8 PEM, for tests and for programs that need a file of their own.
Result<PrivateKeyPtr> key_from_pem(std::string_view pem);
Result<std::string> key_to_pem(const PrivateKey&);
// Exactly one unencrypted private key of at most 64 KiB: PKCS#8, SEC 1 (RFC 5915) or PKCS#1 (RFC 8017 A.1.2). A public
// key that stands beside the private one must be its own. Errors: malformed, unsupported.
Result<PrivateKeyPtr> key_from_der(ByteView der);
// The Ed25519 key of a 32-octet seed (RFC 8032 5.1.5).
Result<PrivateKeyPtr> ed25519_from_seed(ByteView seed);

}  // namespace cahn::crypto
