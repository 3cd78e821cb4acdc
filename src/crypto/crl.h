// Certificate revocation lists (RFC 5280 5).

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "crypto/certificate.h"

struct X509_crl_st;

namespace cahn::crypto {

enum class RevocationReason {
  unspecified = 0,
  key_compromise = 1,
  superseded = 4,
  cessation = 5,
  certificate_hold = 6
};

struct RevokedEntry {
  std::string serial_hex;
  Time revoked_at;
  RevocationReason reason = RevocationReason::unspecified;
};

struct CrlSpec {
  std::uint64_t number = 1;  // CRLNumber
  Time this_update;
  Time next_update;
  std::vector<RevokedEntry> entries;
};

// DER of a full CRL signed by the issuer's key.
Result<Bytes> make_crl(const CrlSpec&, const Certificate& issuer, const PrivateKey& key);

class Crl {
 public:
  static Result<Crl> from_der(ByteView);  // at most 16 MiB
  // What a file of lists holds: one in DER, or any number in PEM, other text between them passed over. Errors:
  // malformed.
  static Result<std::vector<Crl>> all_from(ByteView der_or_pem);
  const Bytes& der() const { return der_; }
  const Name& issuer() const { return issuer_; }
  std::uint64_t number() const { return number_; }
  Time this_update() const { return this_update_; }
  Time next_update() const { return next_update_; }
  const std::vector<RevokedEntry>& entries() const { return entries_; }
  bool signed_by(const PublicKey&) const;
  // Of this CA by name and key: another may bear the same name.
  bool is_of(const Certificate& issuer) const;
  X509_crl_st* handle() const { return handle_.get(); }  // borrowed

 private:
  explicit Crl(Bytes der) : der_(std::move(der)) {}
  Bytes der_;
  std::shared_ptr<X509_crl_st> handle_;
  Name issuer_;
  std::uint64_t number_ = 0;
  Time this_update_, next_update_;
  std::vector<RevokedEntry> entries_;
};

}  // namespace cahn::crypto
