#include "voucher/signed_voucher.h"

namespace cahn::voucher {
namespace {

// What RFC 8366 5.3 demands of whoever issues a voucher.
Result<void> check_voucher(const Voucher& voucher) {
  if (!voucher.created_on) return fail(VoucherError::missing_member, "a voucher without created-on");
  if (!voucher.assertion) return fail(VoucherError::missing_member, "a voucher without assertion");
  if (!voucher.pinned_domain_cert) return fail(VoucherError::no_pin, "a voucher that pins nothing");
  if (voucher.nonce && voucher.expires_on) {
    return fail(VoucherError::contradiction, "a voucher with both nonce and expires-on");
  }
  if (voucher.last_renewal_date && !voucher.expires_on) {
    return fail(VoucherError::contradiction, "a voucher that is renewed but never expires");
  }
  if (voucher.expires_on && *voucher.expires_on > voucher.pinned_domain_cert->not_after()) {
    return fail(VoucherError::contradiction, "a voucher that outlives the certificate it pins");
  }
  return {};
}

}  // namespace

Result<Bytes> sign(const Voucher& voucher, Root root, const crypto::Certificate& signer, const crypto::PrivateKey& key,
                   std::span<const crypto::Certificate> include, ContentType type) {
  if (voucher.serial_number.empty()) return fail(VoucherError::missing_member, "a voucher without serial-number");
  if (root == Root::voucher) CAHN_CHECK(check_voucher(voucher));
  if (signer.public_key() != key.public_key()) {
    return fail(VoucherError::bad_certificate, "the signer's certificate is for another key");
  }
  const auto oid = type == ContentType::id_data ? crypto::oid_id_data : crypto::oid_anima_json_voucher;
  return crypto::cms_sign(as_bytes(to_json(voucher, root)), oid, signer, key, include, voucher.created_on);
}

}  // namespace cahn::voucher
