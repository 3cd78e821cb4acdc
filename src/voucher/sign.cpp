#include "voucher/jws.h"
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

std::string_view media_type(Format format) { return format == Format::jws ? media_type_jws : media_type_cms; }

std::optional<Format> format_of(std::string_view media_type) {
  if (media_type == media_type_cms) return Format::cms;
  if (media_type == media_type_jws) return Format::jws;
  return std::nullopt;
}

Format guess_format(ByteView octets) {
  // CMS begins with a SEQUENCE, which is '0'; a JWS is a JSON object or, compact, begins with the base64url of one.
  const std::size_t first = as_text(octets).find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return Format::cms;
  return octets[first] == '{' || octets[first] == 'e' ? Format::jws : Format::cms;
}

Result<Bytes> sign(const Voucher& voucher, Root root, const crypto::Certificate& signer, const crypto::PrivateKey& key,
                   std::span<const crypto::Certificate> include, Format format) {
  if (voucher.serial_number.empty()) return fail(VoucherError::missing_member, "a voucher without serial-number");
  if (root == Root::voucher) CAHN_CHECK(check_voucher(voucher));
  if (signer.public_key() != key.public_key()) {
    return fail(VoucherError::bad_certificate, "the signer's certificate is for another key");
  }
  const std::string json = to_json(voucher, root);
  if (format == Format::jws) return sign_jws(as_bytes(json), signer, key, include);
  const auto oid = format == Format::cms_id_data ? crypto::oid_id_data : crypto::oid_anima_json_voucher;
  return crypto::cms_sign(as_bytes(json), oid, signer, key, include, voucher.created_on);
}

}  // namespace cahn::voucher
