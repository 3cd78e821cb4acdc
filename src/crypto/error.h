#pragma once

#include <string_view>

namespace cahn::crypto {

enum class CryptoError {
  malformed,      // not the DER, PEM or structure it should be
  unsupported,    // an algorithm, curve or size that we do not take
  bad_signature,  // the arithmetic does not hold
  untrusted,      // no path to an anchor
  expired,        // outside its validity
  revoked,
  wrong_key,        // key and certificate do not belong together
  key_unavailable,  // the URI names no usable key
  internal          // OpenSSL failed where it should not
};
std::string_view error_name(CryptoError);

}  // namespace cahn::crypto
