// The OCSP response on a certificate of the domain CA, at hand for every handshake of the server that shows it (RFC
// 6066 8): a device that has not joined can ask nobody else.
//
// Threads: safe from any thread.

#pragma once

#include <memory>
#include <mutex>

#include "crypto/tls.h"
#include "net/async.h"
#include "pki/domain_ca.h"

namespace cahn::pki {

class OcspStaple : public std::enable_shared_from_this<OcspStaple> {
 public:
  // Empty until the first refresh(). `ca` must outlive it. Errors: bad_request (not a certificate of the CA's present
  // key).
  static Result<std::shared_ptr<OcspStaple>> create(DomainCa& ca, const crypto::Certificate& about);

  // Asks the CA. When it has no answer the last one stays, which then runs out. To be called several times within
  // DomainCaOptions::ocsp_lifetime.
  static net::awaitable<void> refresh(std::shared_ptr<OcspStaple>);
  Bytes current() const;
  // current(), for TlsServerOptions::status.
  crypto::StatusSource source();

 private:
  OcspStaple(DomainCa& ca, Bytes request) : ca_(ca), request_(std::move(request)) {}

  DomainCa& ca_;
  const Bytes request_;
  mutable std::mutex mutex_;
  Bytes response_;
};

}  // namespace cahn::pki
