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

// The serial number of an IDevID where its maker puts it; none or an empty one: nullopt.
std::optional<std::string> serial_number_in(const crypto::Certificate& idevid, SerialSource source);

// Parses a voucher-request. Errors: unreadable_request, forbidden (the signature).
Result<voucher::SignedVoucher> read_pledge_request(ByteView body, Compat compat = Compat::strict);
// Checks that it speaks for `device`: signer, serial number, nonce, proximity to `own_leaf` (RFC 8995 5.2, 5.5).
// Errors: unreadable_request, forbidden, wrong_proximity.
Result<void> check_pledge_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                  const std::optional<crypto::Certificate>& own_leaf);

// The MASA this device's requests go to: the manufacturer's override, else the one the IDevID names, else the fallback
// (decision 16, RFC 8995 2.8).
Result<MasaAddress> masa_of(const crypto::Certificate& idevid, const Manufacturer& manufacturer);
Result<MasaAddress> masa_of(const OfflineDevice& device, const Manufacturer& manufacturer);

// How the registrar signs its own requests.
struct RequestStyle {
  const crypto::TlsIdentity& identity;
  std::span<const crypto::Certificate> domain_ca;
  PinDepth pin_depth = PinDepth::chain;
  Compat compat = Compat::strict;
};
// The registrar's own voucher-request (RFC 8995 5.5), signed; without a nonce and the pledge's request for a device
// that is not here yet.
Result<Bytes> make_registrar_request(const voucher::SignedVoucher& request, const KnownDevice& device,
                                     const RequestStyle& style, Time now);
Result<Bytes> make_registrar_request(const OfflineDevice& device, const RequestStyle& style, Time now);

// C.8, decision 13: a voucher for this device and this attempt, whose pin reaches the registrar's own TLS certificate.
// Without a nonce here it must have none, and not be over. Errors: masa_failed.
struct VoucherExpectation {
  std::string serial_number;
  std::optional<std::string> nonce;
  std::span<const crypto::Certificate> own_chain;
  Compat compat = Compat::strict;
};
Result<voucher::SignedVoucher> check_returned_voucher(ByteView body, const VoucherExpectation& expected, Time now);

// SAN URI of a network's LDevIDs where none is configured.
std::string network_uri(std::string_view network);

}  // namespace cahn::brski
