// An Issuer that also takes its word back: what a registrar needs of the domain's CA, in its own process (DomainCa) or
// in another (RemoteCa).
//
// Threads: safe from any thread.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/crl.h"
#include "pki/issuer.h"

namespace cahn::pki {

class CertificateAuthority : public Issuer {
 public:
  // Puts the certificate on the CRL. certificate_hold can be released; any other reason is for good and also replaces a
  // hold. Durable when it completes. Unknown serials are an error (bad_request).
  virtual boost::asio::awaitable<Result<void>> revoke(std::string serial_hex, crypto::RevocationReason reason) = 0;
  // Drops a hold; an error for what is revoked for good; nothing to do for what is good.
  virtual boost::asio::awaitable<Result<void>> release(std::string serial_hex) = 0;
  virtual std::optional<crypto::RevocationReason> revocation(std::string_view serial_hex) const = 0;
};

}  // namespace cahn::pki
