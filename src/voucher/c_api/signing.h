// Signing and verifying, shared by the functions of signing.h and brski.h of the C library.

#pragma once

#include <span>
#include <vector>

#include "crypto/chain.h"
#include "voucher/c_api/arrays.h"
#include "voucher/signed_voucher.h"

namespace cahn::voucher::c_api {

struct Signer {
  crypto::Certificate certificate;
  crypto::PrivateKeyPtr key;
  std::vector<crypto::Certificate> carried;
};
Result<Signer> signer_from(const BinaryArray* cert, const BinaryArray* key, const BinaryArrayList* carried);
// As voucher::sign, and refuses a message that readers would not take.
Result<Bytes> sign_by(const Signer&, const Voucher&, Root);

// Whom a message may come from.
struct Trust {
  std::vector<crypto::Certificate> between;
  crypto::TrustStore store;
};
Result<Trust> trust_from(const BinaryArrayList* certs, const BinaryArrayList* store, std::string_view who);
// The certificates that may stand in for one that a message does not carry.
std::vector<crypto::Certificate> known_to(const Trust&);
// The path from the signer to the store, over what the message carries and what the caller knows, leaf first.
Result<std::vector<crypto::Certificate>> path_of(const crypto::Certificate& leaf,
                                                 std::span<const crypto::Certificate> carried, const Trust&, Time at);

}  // namespace cahn::voucher::c_api
