// Checks that every pledge makes of a voucher, whether it knows its own IDevID (read_as_pledge) or only what it is told
// (the C API). Internal to this room.

#pragma once

#include "voucher/signed_voucher.h"

namespace cahn::voucher {

// The path of the signer, who is one of the anchors, byte for byte; or is issued under them, over `further` and what
// the message carries, and is neither a CA nor shaped like a device (decision 7). Errors: signer_not_trusted (no path),
// signer_is_not_the_masa.
Result<std::vector<crypto::Certificate>> masa_path(const SignedVoucher&, std::span<const crypto::Certificate> further,
                                                   const crypto::TrustStore& anchors, std::optional<Time> now);

// Compared as strings, never decoded (decision 3). Errors: wrong_nonce.
Result<void> check_nonce(const Voucher&, const std::optional<std::string>& sent, bool nonceless_allowed);

// Errors: expired, not_yet_valid. Without `now` there is nothing to check.
Result<void> check_times(const SignedVoucher&, std::optional<Time> now);

}  // namespace cahn::voucher
