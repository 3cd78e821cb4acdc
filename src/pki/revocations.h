// The revocations of one CA: what is on hold, what is revoked for good, kept in the store and asked from memory.
//
// Changes are decided in the order they are asked for and committed in that order; what can be read is only what is
// durable. Table "ca_revoked": certificate serial (hex) → JSON {"reason", "at", "notAfter"}; events
// "certificate_revoked", "certificate_released".
//
// Threads: safe from any thread.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crypto/crl.h"
#include "pki/issuer.h"
#include "store/store.h"

namespace cahn::pki {

struct Revocation {
  crypto::RevocationReason reason;
  Time at;         // of the hold, where it began as one
  Time not_after;  // of the certificate

  bool for_good() const { return reason != crypto::RevocationReason::certificate_hold; }
  friend bool operator==(const Revocation&, const Revocation&) = default;
};

class Revocations : public std::enable_shared_from_this<Revocations> {
 public:
  using Done = std::function<void(Result<void>)>;

  static Result<std::shared_ptr<Revocations>> load(store::Store&);

  // Puts a certificate on the list. What is revoked for good stays so: a hold changes nothing then, and only
  // key_compromise replaces another reason. `done` is called once, when the outcome is durable, from any thread.
  void revoke(const std::string& serial, Revocation, Done done);
  // Drops a hold. What is revoked for good is refused (not_permitted); for what is good there is nothing to do.
  void release(const std::string& serial, Done done);

  std::optional<Revocation> find(std::string_view serial) const;
  // Grows with every durable change.
  std::uint64_t version() const { return version_.load(); }
  // The version, and what a CRL must list: everything but certificates that expired before `expired_before`.
  std::pair<std::uint64_t, std::vector<crypto::RevokedEntry>> entries(Time expired_before) const;

 private:
  using Table = std::map<std::string, Revocation, std::less<>>;

  explicit Revocations(store::Store& store) : store_(store) {}
  std::optional<Revocation> decided(std::string_view serial) const;  // with mutex_ held
  bool is_settled(std::string_view serial) const;                    // with mutex_ held
  void change(const std::string& serial, std::optional<Revocation> next, store::Batch, Done);
  void settle(const std::string& serial, std::uint64_t sequence, std::optional<Revocation> next, bool committed);

  store::Store& store_;
  std::mutex order_;  // held from a decision until its commit is queued; never taken inside mutex_
  mutable std::mutex mutex_;
  Table durable_;
  struct Pending {
    std::uint64_t sequence;  // of the latest change asked for
    std::optional<Revocation> next;
  };
  std::map<std::string, Pending, std::less<>> pending_;
  std::uint64_t last_sequence_ = 0;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace cahn::pki
