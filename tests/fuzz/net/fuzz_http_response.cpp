// The client's reader: what any server may answer, under limits.

#include <cstdlib>

#include "net/http_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  using namespace cahn::net;
  constexpr std::size_t max_body = 1000;
  if (size == 0) return 0;
  ResponseParser parser((data[0] & 1) != 0, max_body);
  ByteView octets(data + 1, size - 1);
  std::size_t searched = 0;
  const auto length = header_length(octets, searched);
  if (!length || parser.take_header(octets.first(*length))) return 0;
  octets = octets.subspan(*length);
  if (parser.take_body(octets)) return 0;
  if (!parser.done()) (void)parser.take_end();
  if (parser.response().body.size() > max_body) std::abort();
  return 0;
}
