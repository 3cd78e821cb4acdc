// OCSP over HTTP (RFC 6960 appendix A, RFC 5019 5):
//
//   POST /ocsp             application/ocsp-request, DER
//   GET  /ocsp/<request>   the same in base64, percent-encoded
//
// Answers are application/ocsp-response with status 200, whatever they say. Anybody may ask.

#pragma once

#include "net/http.h"
#include "pki/domain_ca.h"

namespace cahn::pki {

// `ca` must outlive the server.
void add_ocsp_routes(net::Router& router, DomainCa& ca);

}  // namespace cahn::pki
