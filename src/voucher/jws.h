// The JWS around a voucher (draft-ietf-anima-jws-voucher, RFC 7515). Internal to this room.
//
//   {"payload": BASE64URL(voucher JSON),
//    "signatures": [{"protected": BASE64URL({"alg": "ES256", "typ": "voucher-jws+json", "x5c": ["MII…", …]}),
//                    "signature": BASE64URL(signature)}]}

#pragma once

#include <span>
#include <vector>

#include "voucher/signed_voucher.h"

namespace cahn::voucher {

Result<Bytes> sign_jws(ByteView payload, const crypto::Certificate& signer, const crypto::PrivateKey& key,
                       std::span<const crypto::Certificate> include);

struct JwsMessage {
  Bytes payload;
  crypto::Certificate signer;
  std::vector<crypto::Certificate> certificates;  // all carried, the signer's included
};
// At most 1 MiB, one signature, 20 certificates. Errors as voucher::open says.
Result<JwsMessage> verify_jws(ByteView, Reading, std::span<const crypto::Certificate> known_signers);

}  // namespace cahn::voucher
