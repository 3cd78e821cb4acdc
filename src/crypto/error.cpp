#include "crypto/error.h"

namespace cahn::crypto {

std::string_view error_name(CryptoError error) {
  switch (error) {
    case CryptoError::malformed:
      return "malformed";
    case CryptoError::unsupported:
      return "unsupported";
    case CryptoError::bad_signature:
      return "bad_signature";
    case CryptoError::untrusted:
      return "untrusted";
    case CryptoError::expired:
      return "expired";
    case CryptoError::revoked:
      return "revoked";
    case CryptoError::wrong_key:
      return "wrong_key";
    case CryptoError::key_unavailable:
      return "key_unavailable";
    case CryptoError::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace cahn::crypto
