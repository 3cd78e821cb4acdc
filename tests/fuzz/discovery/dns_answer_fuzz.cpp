// An answer of a DNS server.

#include <cstdint>
#include <cstdlib>

#include "discovery/dns_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn::discovery;
  const auto answer = read_dns_answer(cahn::ByteView(data, size));
  if (!answer) return 0;
  for (const std::size_t count :
       {answer->pointers.size(), answer->servers.size(), answer->addresses.size(), answer->texts.size()})
    if (count > max_records) std::abort();
  for (const std::string& name : answer->pointers) (void)first_label(name);
  return 0;
}
