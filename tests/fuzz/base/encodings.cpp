// Decoders of base: what they take, they write back; strict ones have one spelling a value.

#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "base/time.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const std::string_view text = as_text(ByteView(data, size));
  if (const auto bytes = base64_decode(text)) require(base64(*bytes) == text);
  if (const auto bytes = base64url_decode(text)) require(base64url(*bytes) == text);
  if (const auto bytes = base58btc_decode(text)) require(base58btc(*bytes) == text);
  if (const auto bytes = hex_decode(text)) require(hex_decode(hex(*bytes)).value() == *bytes);
  if (const auto bytes = base64_decode_lenient(text)) require(base64_decode(base64(*bytes)).value() == *bytes);
  if (const auto time = parse_rfc3339(text)) {
    const auto again = parse_rfc3339(rfc3339(*time, true));
    // Years before 0 or after 9999, by way of the offset, have no RFC 3339 form.
    require(!again || *again == *time);
  }
  return 0;
}
