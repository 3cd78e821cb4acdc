// What each kind of certificate of the domain looks like, and what a request for it may ask.
//
// Threads: functions of their arguments.

#pragma once

#include "base/result.h"
#include "crypto/certificate.h"
#include "pki/issuer.h"

namespace cahn::pki {

std::string_view profile_name(Profile);

// The extended key usages of a profile: short names, or dotted OIDs where OpenSSL has no name.
//
//   profile        usages                         of L859-1045, as decision 34 reads it
//   ldevid         clientAuth                     subject: network and device (decision 9)
//   registrar      serverAuth clientAuth cmcRA    RFC 8995 5.5.4; a pledge does not demand serverAuth (decision 8)
//   radius_server  serverAuth                     its own subject name
//   router         clientAuth                     "essentially just an IDevID" (L1001), so with its serialNumber
//   masa           none: it signs vouchers
//   tls_server     serverAuth
//   ocsp_signer    OCSPSigning                    with id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2)
//
// The CA's own certificate is made by domain_ca_spec; the IDevID by the factory.
std::vector<std::string> extended_key_usages(Profile);

// The root of a domain (L913-923): self-signed, with its owner's name or mail address.
crypto::CertificateSpec domain_ca_spec(const std::string& owner_name, const crypto::PublicKey& key);

// Checks a request before anything is signed. Errors: bad_request when the registration authority left the subject out,
// not_permitted when the CSR asks for more than was granted: a CA certificate, an extended key usage outside the
// profile, a name that was not granted, or (ldevid) another subject. The message says which.
Result<void> check_request(const IssueRequest&, const crypto::Certificate& ca);

// Everything of the certificate but its validity and CRL location.
crypto::CertificateSpec certificate_spec(const IssueRequest&);

}  // namespace cahn::pki
