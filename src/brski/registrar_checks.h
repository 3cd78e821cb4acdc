// The registrar's checks, each a function of what it is given: no network, no clock, no policy. A refusal is a
// BrskiError, whose status the pledge gets and whose message it may read.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "brski/registrar.h"

namespace cahn::brski {

// A device whose IDevID leads to a manufacturer we deal with.
struct KnownDevice {
  crypto::Certificate idevid;
  crypto::Certificate issuer;  // the CA certificate that issued it
  std::string serial_number;
  std::size_t manufacturer;  // index into the list it was looked for in
};

// RFC 8995 5.3, 2.3.1: who the TLS client is. Errors: unknown_party (no such maker, or self-signed), forbidden (no
// certificate, expired, no serial number, a CA's certificate).
Result<KnownDevice> identify_device(std::span<const crypto::Certificate> client,
                                    std::span<const Manufacturer> manufacturers, Time now);

// Parses a voucher-request and checks that it speaks for `device`: signer, serial number, nonce, proximity to
// `own_leaf` (RFC 8995 5.2, 5.5). Errors: unreadable_request, forbidden, wrong_proximity.
Result<voucher::SignedVoucher> read_pledge_request(ByteView body);
Result<void> check_pledge_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                  const std::optional<crypto::Certificate>& own_leaf);

// The MASA this device's requests go to: the manufacturer's override, else the one the IDevID names (decision 16).
Result<MasaAddress> masa_of(const KnownDevice& device, const Manufacturer& manufacturer);

// The registrar's own voucher-request (RFC 8995 5.5), signed.
Result<Bytes> make_registrar_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                     const RegistrarOptions& options, Time now);

// C.8, decision 13: a voucher for this device and this attempt, whose pin reaches the registrar's own TLS certificate.
// Errors: masa_failed.
Result<voucher::SignedVoucher> check_returned_voucher(ByteView cms, const voucher::SignedVoucher& request,
                                                      const KnownDevice& device,
                                                      std::span<const crypto::Certificate> own_chain, Time now);

// SAN URI of a network's LDevIDs where none is configured.
std::string network_uri(std::string_view network);

}  // namespace cahn::brski
