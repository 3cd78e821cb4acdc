// What mDNS answers may hold, as NUL-separated parts: instance, host, address, interface, then TXT entries.

#include <cstdint>
#include <cstdlib>

#include "discovery/found_service.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn::discovery;
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == 0)
      parts.emplace_back();
    else
      parts.back() += static_cast<char>(data[i]);
  }
  parts.resize(std::max<std::size_t>(parts.size(), 4));
  Service service{parts[0], parts[1], parts[2], 8443, parts[3], {parts.begin() + 4, parts.end()}};
  (void)is_service_type(parts[0]);
  const auto admitted = admit_service(service);
  if (!admitted) return 0;
  // What came through the door once comes through it unchanged again, and within the bounds.
  if (admit_service(*admitted) != admitted || admitted->txt.size() > max_txt_entries) std::abort();
  return 0;
}
