// A peer's frame, as either end of the command protocol reads it: hostile octets end as an error, never otherwise; what
// is read and is ours to write is written and read again to the same octets.

#include "assurance/command_messages.h"

#include <cstdint>
#include <cstdlib>

#include "assurance/ownership.h"
#include "credential/did.h"

namespace {

using namespace cahn;
using namespace cahn::assurance;

const std::string commander = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

void require(bool holds) {
  if (!holds) std::abort();
}

template <typename Signed>
void verify(const Signed& message) {
  // Nobody has the private key: no input of the fuzzer's can verify.
  require(!verify_message(message.document, commander));
  for (const auto& entry : message.entries) require(read_access(write_access(entry)).value() == entry);
  (void)state_digest(message.entries);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = read_message(ByteView(data, size));
  if (!message) return 0;
  if (const auto* command = std::get_if<Command>(&*message)) {
    require(!read_command(command->credential, commander));
  } else if (const auto* hello = std::get_if<Hello>(&*message)) {
    (void)Ownership::read(hello->ownership);
  } else if (const auto* state = std::get_if<State>(&*message)) {
    verify(*state);
  } else if (const auto* batch = std::get_if<Batch>(&*message)) {
    verify(*batch);
  } else if (!std::holds_alternative<Lease>(*message)) {
    const auto octets = write_message(*message);
    const auto again = read_message(octets);
    require(again.has_value() && write_message(*again) == octets);
  }
  return 0;
}
