#include "assurance/access.h"

#include "base/bytes.h"
#include "crypto/digest.h"

namespace cahn::assurance {

std::string command_id(std::string_view epoch, std::uint64_t number) {
  const auto digest = crypto::sha256(as_bytes("cahn command " + std::string(epoch) + " " + std::to_string(number)));
  Bytes octets(digest.begin(), digest.begin() + 16);
  octets[6] = static_cast<std::uint8_t>((octets[6] & 0x0f) | 0x80);
  octets[8] = static_cast<std::uint8_t>((octets[8] & 0x3f) | 0x80);
  std::string text = hex(octets);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return "urn:uuid:" + text;
}

}  // namespace cahn::assurance
