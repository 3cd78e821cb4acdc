// The MASA's checks of a registrar's voucher-request (RFC 8995 5.5), without network, clock, store or policy.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "brski/masa.h"
#include "crypto/revocation.h"

namespace cahn::brski {

// A request that holds together as far as its registrar goes; whose device it is about is still open.
struct RegistrarRequest {
  voucher::SignedVoucher signed_request;
  std::vector<crypto::Certificate>
      registrar;  // the signer's path, leaf first; the last is the anchor the request brought
  std::optional<voucher::SignedVoucher> prior;  // the pledge's own, whose signature holds for whoever made it
  std::string serial_number;
  std::optional<std::string> nonce;  // none: a nonceless voucher is asked for (5.5.4)
};
// Errors: unreadable_request (406), forbidden (403).
Result<RegistrarRequest> read_registrar_request(voucher::Format, ByteView signed_request, Time now);

// Who signed the pledge's request, and the CA certificate that issued it.
struct PledgeIdentity {
  crypto::Certificate idevid;
  crypto::Certificate issuer;
};
// REQUIRES: there is a prior request. That its signer is a device of this maker, that serial number and nonce agree,
// and that registrar and pledge have met. Errors: unknown_party (404: an IDevID of a CA that is not the maker's),
// forbidden.
Result<PledgeIdentity> check_pledge_request(const RegistrarRequest&, const crypto::TrustStore& idevid_anchors,
                                            Time now);

// RFC 8995 5.6: a request is stale when it was made too long ago. One without created-on is never. Errors: forbidden.
Result<void> check_fresh(const RegistrarRequest&, std::chrono::seconds max_age, Time now);

// Whether a certificate says where its revocation is told.
bool names_revocation(const crypto::Certificate&);

// RFC 8995 5.5.3: nothing says of a certificate of the registrar's path that it is revoked. `required`: something must
// say that the registrar's own is good, and so of every other that names who would. Returns when the first of the lists
// that were used runs out; nullopt when none was. Errors: forbidden (revoked, or nobody would say), unavailable (a list
// that is out of date or unusable, or who would say does not at the moment).
Result<std::optional<Time>> check_revocation(const std::vector<crypto::Certificate>& path,
                                             const crypto::RevocationEvidence&, bool required, Time now);

// What goes into a voucher beside what the request brings.
struct VoucherTerms {
  voucher::Assertion assertion = voucher::Assertion::logged;
  crypto::Certificate pin;
  crypto::Certificate idevid;
  bool revocation_checks = false;                // domain-cert-revocation-checks
  std::optional<Time> expires_on, last_renewal;  // nonceless vouchers only (decision 2)
};
// The voucher that answers it (RFC 8995 5.6), to be signed.
voucher::Voucher voucher_for(const RegistrarRequest&, const VoucherTerms&, Time now);

const crypto::Certificate& pin_of(const std::vector<crypto::Certificate>& path, PinPolicy);

// The path of a chain that brings its own anchor (RFC 8995 5.5.2), leaf first: what it proves is that the leaf's key
// belongs to whoever holds the last one's. Errors: those of verify_chain.
Result<std::vector<crypto::Certificate>> self_contained_path(const crypto::Certificate& leaf,
                                                             const std::vector<crypto::Certificate>& carried, Time now);

// Tells devices of different CAs with one serial number apart: `<issuer key id, hex>/<serial number, hex>`.
std::string device_key(const crypto::Certificate& idevid);
std::string device_key(ByteView issuer_key_id, std::string_view serial_number);

}  // namespace cahn::brski
