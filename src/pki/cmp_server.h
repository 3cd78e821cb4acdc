// CMP (RFC 9483, RFC 9811) as routes on an HTTPS server, in the role of registration authority and in front of an
// Issuer: ir, cr, p10cr, kur with certConf or implicitConfirm and polling; rr; genm for CA certificates, a change of
// the root and a request's template.
//
//   POST /.well-known/cmp, /.well-known/cmp/<operation>, /.well-known/cmp/p/<name>[/<operation>]    application/pkixcmp
//
// <operation> is initialization (ir), certification (cr), pkcs10 or p10 (p10cr), keyupdate (kur), revocation (rr),
// getcacerts, getrootupdate, getcertreqtemplate (genm), nested (refused by name). An answer is a PKIMessage with status
// 200, refusals too; what is no PKIMessage is answered 4xx with text.
//
// Who may have a certificate, and as whom, is asked of the same EnrolmentAuthority as EST asks: the chain it is given
// is the one that signed the message (BRSKI-AE 4.1: the authorization rests on the signed message, not on the
// connection, which may be anybody's). Messages are signed: protection by passwords is refused.

#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/time.h"
#include "crypto/chain.h"
#include "crypto/crl.h"
#include "crypto/tls.h"
#include "net/http.h"
#include "pki/est_server.h"
#include "pki/issuer.h"

namespace cahn::pki {

struct CmpOptions {
  // Signs answers; its chain leads to the domain's CA (RFC 9733 5.1: the registrar's TLS credential).
  crypto::TlsIdentity signer;
  std::string name;  // of this CA or profile under /p/<name>; empty: no such path
  // Registration authorities: who signs with a certificate with id-kp-cmcRA that leads here is believed about
  // possession (raVerified) and subject, and its requests are not asked of the authority. Empty: none.
  crypto::TrustStore registration_authorities;
  // Which of those; empty: all of them.
  std::function<bool(const crypto::Certificate&)> is_known_authority;
  // Whom messages are taken from at all, by TLS; others get 403. Empty: anybody.
  std::function<bool(const net::Session&)> may_connect;
  // Puts a certificate on the revocation list; empty: rr is refused. Who may is asked of the authority.
  std::function<net::awaitable<Result<void>>(std::string serial_hex, crypto::RevocationReason)> revoke;
  // Ends a hold (removeFromCRL). Holds and their ends are taken from registration authorities only; empty: refused.
  std::function<net::awaitable<Result<void>>(std::string serial_hex)> release;
  crypto::Name request_template{{"serialNumber", ""}};  // what getcertreqtemplate says a request should hold
  bool ca_certificates_in_ip = true;  // caPubs of ip: RFC 9733 wants them, the draft before it did not (decision 12)
  bool grant_implicit_confirm = true;
  std::chrono::seconds check_after{10};                   // of pollRep
  std::chrono::seconds confirm_wait{300};                 // a certificate that is not confirmed by then is revoked
  std::chrono::seconds poll_wait = std::chrono::days(4);  // a request under decision is kept so long (decision 5)
  std::size_t max_transactions = 10'000;
  std::size_t max_transactions_per_sender = 8;
};

// `issuer`, `authority` and `clock` must outlive the router.
void add_cmp_routes(net::Router& router, Issuer& issuer, EnrolmentAuthority& authority, CmpOptions options,
                    const Clock& clock = system_clock());

}  // namespace cahn::pki
