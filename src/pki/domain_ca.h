// The domain CA: an Issuer whose key is in this process, with every certificate it ever issued in its store, and its
// CRL.
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/time.h"
#include "crypto/crl.h"
#include "pki/issuer.h"
#include "store/store.h"

namespace cahn::pki {

struct DomainCaOptions {
  std::string owner_name;  // CN of the CA: the owner's name or mail address (L913-923)
  std::string key_uri;     // file: created (P-256) if it is not there
  std::chrono::seconds ca_lifetime = std::chrono::days(20 * 365);  // no leaf outlives the CA's certificate
  std::chrono::seconds ldevid_lifetime = std::chrono::days(365);
  std::chrono::seconds server_lifetime = std::chrono::days(2 * 365);  // every other profile
  std::chrono::seconds crl_lifetime = std::chrono::days(7);
  std::chrono::milliseconds crl_interval{1000};  // republished at most this often (decision 57)
  std::optional<std::string> crl_url;            // cRLDistributionPoints of LDevIDs, if any
  std::function<Bytes()> make_serial;            // for tests; empty: 16 random octets
};

class DomainCa : public Issuer {
 public:
  // Creates key and self-signed certificate on first use; both and all records live in `store`'s folder and `store`.
  static Result<std::unique_ptr<DomainCa>> open(store::Store&, const Clock&, DomainCaOptions);

  virtual const crypto::Certificate& certificate() const = 0;

  // Puts the certificate on the CRL. certificate_hold can be released; any other reason is for good and also replaces a
  // hold. Durable when it completes. Unknown serials are an error (bad_request).
  virtual boost::asio::awaitable<Result<void>> revoke(std::string serial_hex, crypto::RevocationReason reason) = 0;
  // Drops a hold; an error for what is revoked for good; nothing to do for what is good.
  virtual boost::asio::awaitable<Result<void>> release(std::string serial_hex) = 0;
  virtual std::optional<crypto::RevocationReason> revocation(std::string_view serial_hex) const = 0;
  // The current CRL, DER; never stale by more than crl_interval after a change and always within its nextUpdate.
  virtual Bytes crl() const = 0;
  // What was issued: by certificate serial.
  virtual Result<std::optional<crypto::Certificate>> find(std::string_view serial_hex) const = 0;
};

}  // namespace cahn::pki
