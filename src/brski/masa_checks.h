// The MASA's checks of a registrar's voucher-request (RFC 8995 5.5), without network, clock, store or policy.

#pragma once

#include <string>
#include <vector>

#include "brski/masa.h"

namespace cahn::brski {

// A request that holds together: a registrar and a pledge of ours that met.
struct RegistrarRequest {
  voucher::SignedVoucher signed_request;
  std::vector<crypto::Certificate>
      registrar;               // the signer's path, leaf first; the last is the anchor the request brought
  crypto::Certificate idevid;  // who signed the prior request
  crypto::Certificate issuer;  // the CA certificate that issued the IDevID
  std::string serial_number;
  std::string nonce;
};

// Errors: unreadable_request (406), forbidden (403), unknown_party (404: an IDevID of a CA that is not ours).
Result<RegistrarRequest> check_registrar_request(ByteView cms, const crypto::TrustStore& idevid_anchors, Time now);

// The voucher that answers it (RFC 8995 5.6), to be signed.
voucher::Voucher voucher_for(const RegistrarRequest&, const crypto::Certificate& pin, Time now);

const crypto::Certificate& pin_of(const RegistrarRequest&, PinPolicy);

// Tells devices of different CAs with one serial number apart: `<issuer key id, hex>/<serial number, hex>`.
std::string device_key(const crypto::Certificate& idevid);

}  // namespace cahn::brski
