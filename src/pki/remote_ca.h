// The domain's CA in another process (`cahn ca`), seen from its registrar: certificates, holds and their ends are asked
// for by CMP; what was revoked at the CA by others is learnt from its CRL.
//
// What the CA acknowledged is kept here too (as revocations.h keeps it), so that whether a certificate is good is known
// without asking. A hold counts here once the CA has it: what fails is an error, and to be ordered again.
//
// Threads: safe from any thread.

#pragma once

#include <memory>

#include "pki/certificate_authority.h"
#include "pki/upstream.h"
#include "store/store.h"

namespace cahn::pki {

class RemoteCa : public CertificateAuthority {
 public:
  // `url` is that of the CA's CMP messages, which must be https. ca_certificates is what devices are told to trust: the
  // present root; ca_anchors may hold earlier ones. Errors: bad_request, or the store's.
  static Result<std::unique_ptr<RemoteCa>> open(store::Store&, const Clock&, UpstreamOptions);

  // Fetches the CA's CRL and takes over what it lists as revoked for good. Errors: unavailable, bad_answer (not the
  // CA's, out of date, or older than one seen before).
  virtual boost::asio::awaitable<Result<void>> fetch_crl() = 0;
};

}  // namespace cahn::pki
