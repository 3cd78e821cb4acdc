// What the strict open, the tolerant open to the same voucher; a signer is one of the certificates that are carried or
// known; and nothing opens that does not look like a JWS.

#include <algorithm>
#include <cstdlib>

#include "crypto/jws.h"
#include "voucher/signed_voucher.h"

namespace {

using namespace cahn;
using voucher::Format;
using voucher::Root;

void check(const voucher::SignedVoucher& opened, ByteView input) {
  const auto& certificates = opened.certificates;
  if (std::find(certificates.begin(), certificates.end(), opened.signer) == certificates.end()) std::abort();
  if (voucher::guess_format(input) != Format::jws || opened.cms != to_bytes(input)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  for (const Root root : {Root::voucher, Root::voucher_request}) {
    const auto strict = voucher::open(Format::jws, input, root);
    const auto tolerant = voucher::open(Format::jws, input, root, voucher::Reading::tolerant);
    if (strict) check(*strict, input);
    if (tolerant) check(*tolerant, input);
    if (strict && !tolerant) std::abort();
    if (strict && voucher::to_json(strict->voucher, root) != voucher::to_json(tolerant->voucher, root)) std::abort();
  }
  if (const auto compact = crypto::split_compact_jws(as_text(input))) {
    const std::string again = crypto::jws_signing_input(compact->protected_header, compact->payload);
    if (again != compact->signing_input) std::abort();
  }
  return 0;
}
