// The ini file of the `brski` tool, from whoever wrote it.

#include <cstdint>
#include <cstdlib>

#include "apps/brski/ini.h"
#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn::apps::tool;
  const auto text = cahn::as_text({data, size});
  (void)parse_host(text);
  const auto ini = parse_ini(text, "/etc/brski/config.ini");
  if (!ini) {
    // Every refusal says where, in one line.
    if (!ini.error().message.starts_with("/etc/brski/config.ini") || ini.error().message.contains('\n')) std::abort();
    return 0;
  }
  // What was understood is understood in the same way when it is written down.
  const std::string written = to_text(*ini);
  const auto again = parse_ini(written, ini->file);
  if (!again || to_text(*again) != written) std::abort();
  return 0;
}
