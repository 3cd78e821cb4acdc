// What a registrar publishes of its CA, and what it tells its operator of the devices.
//
//   GET /crl                    the current CRL, application/pkix-crl (anyone)
//   GET /crl/KEY-ID-HEX         the CRL of one of the CA's keys, the present one or an earlier one
//   GET /ca/KEY-ID-HEX          the CA certificate of that key, application/pkix-cert
//   GET /devices                every IDevID-LDevID pair, JSON (operators: loopback only)
//   GET /devices?device=DID | ?serial=TEXT | ?ldevid=SERIAL-HEX | ?idevid=SHA256-HEX       the pair that has it, or 404

#pragma once

#include "net/http.h"
#include "pki/device_registry.h"
#include "pki/domain_ca.h"

namespace cahn::pki {

// `ca` and `registry` must outlive the server.
void add_crl_route(net::Router& router, DomainCa& ca);
void add_device_routes(net::Router& router, DeviceRegistry& registry, CertificateAuthority& ca);

}  // namespace cahn::pki
