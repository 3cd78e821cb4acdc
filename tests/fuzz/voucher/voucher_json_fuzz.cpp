// A voucher that reads is written as JSON that reads as the same voucher, also by the strict.

#include <cstdlib>

#include "voucher/voucher.h"

namespace {

using namespace cahn;
using voucher::Root;

bool same(const voucher::Voucher& a, const voucher::Voucher& b) {
  return a.created_on.has_value() == b.created_on.has_value() && a.assertion == b.assertion &&
         a.serial_number == b.serial_number && a.idevid_issuer == b.idevid_issuer &&
         a.pinned_domain_cert == b.pinned_domain_cert &&
         a.domain_cert_revocation_checks == b.domain_cert_revocation_checks && a.nonce == b.nonce &&
         a.prior_signed_voucher_request == b.prior_signed_voucher_request &&
         a.proximity_registrar_cert == b.proximity_registrar_cert;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Root root : {Root::voucher, Root::voucher_request}) {
    for (const auto reading : {voucher::Reading::strict, voucher::Reading::tolerant}) {
      const auto read = voucher::from_json(text, root, reading);
      if (!read) continue;
      const auto again = voucher::from_json(voucher::to_json(*read, root), root);
      if (!again || !same(*read, *again)) std::abort();
    }
  }
  return 0;
}
