#include "voucher/voucher.h"

namespace cahn::voucher {

std::string_view error_name(VoucherError error) {
  switch (error) {
    case VoucherError::not_json:
      return "not_json";
    case VoucherError::wrong_root:
      return "wrong_root";
    case VoucherError::missing_member:
      return "missing_member";
    case VoucherError::bad_member:
      return "bad_member";
    case VoucherError::contradiction:
      return "contradiction";
    case VoucherError::not_cms:
      return "not_cms";
    case VoucherError::not_jws:
      return "not_jws";
    case VoucherError::wrong_content_type:
      return "wrong_content_type";
    case VoucherError::bad_signature:
      return "bad_signature";
    case VoucherError::signer_not_trusted:
      return "signer_not_trusted";
    case VoucherError::revoked:
      return "revoked";
    case VoucherError::revocation_unknown:
      return "revocation_unknown";
    case VoucherError::signer_is_not_the_masa:
      return "signer_is_not_the_masa";
    case VoucherError::wrong_serial:
      return "wrong_serial";
    case VoucherError::wrong_nonce:
      return "wrong_nonce";
    case VoucherError::expired:
      return "expired";
    case VoucherError::not_yet_valid:
      return "not_yet_valid";
    case VoucherError::wrong_issuer:
      return "wrong_issuer";
    case VoucherError::assertion_refused:
      return "assertion_refused";
    case VoucherError::no_pin:
      return "no_pin";
    case VoucherError::pin_mismatch:
      return "pin_mismatch";
    case VoucherError::bad_certificate:
      return "bad_certificate";
  }
  return "unknown";
}

std::string_view to_text(Assertion assertion) {
  switch (assertion) {
    case Assertion::verified:
      return "verified";
    case Assertion::logged:
      return "logged";
    case Assertion::proximity:
      return "proximity";
  }
  return "unknown";
}

std::string fresh_nonce() { return base64(random_bytes(16)); }

}  // namespace cahn::voucher
