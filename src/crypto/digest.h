#pragma once

#include <array>

#include "base/bytes.h"

namespace cahn::crypto {

using Sha256 = std::array<std::uint8_t, 32>;
Sha256 sha256(ByteView);
Bytes sha384(ByteView);
Bytes hmac_sha256(ByteView key, ByteView message);

}  // namespace cahn::crypto
