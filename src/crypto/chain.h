// Path validation (RFC 5280 6) with OpenSSL's X509_STORE.
//
// Threads: TrustStore is immutable once built and safe to share.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/crl.h"

struct x509_store_st;

namespace cahn::crypto {

// Anchors, and the CRLs that go with them. Any certificate may be an anchor, not only a self-signed one (partial
// chain): a voucher may pin an end entity (RFC 8995 5.6.2).
//
// With any CRL in it, the store demands one that covers the leaf, and uses those it has for the other certificates of a
// path; an anchor itself is not looked up. Anchors whose CAs publish no CRL belong in a store of their own.
class TrustStore {
 public:
  TrustStore() = default;
  explicit TrustStore(std::vector<Certificate> anchors, std::vector<Crl> crls = {});
  const std::vector<Certificate>& anchors() const { return anchors_; }
  bool empty() const { return anchors_.empty(); }
  x509_store_st* handle() const { return store_.get(); }  // borrowed, may be null when empty

 private:
  std::vector<Certificate> anchors_;
  std::shared_ptr<x509_store_st> store_;
  friend Result<std::vector<Certificate>> verify_chain(const Certificate&, std::span<const Certificate>,
                                                       const TrustStore&, std::optional<Time>);
};

// Builds and checks the path from `leaf` over `intermediates` to an anchor, at time `at`; without `at` validity periods
// are ignored (a pledge without a clock, RFC 8995 2.6.1). No purpose is demanded: callers check key usages themselves.
// Returns the path, leaf first, anchor last. Errors: untrusted, expired, revoked, bad_signature.
Result<std::vector<Certificate>> verify_chain(const Certificate& leaf, std::span<const Certificate> intermediates,
                                              const TrustStore& anchors, std::optional<Time> at);

}  // namespace cahn::crypto
