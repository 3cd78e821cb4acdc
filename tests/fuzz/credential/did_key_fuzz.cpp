// A key has one name: whatever DID is taken is the one its key gets. The input is read as a DID and as a multikey.

#include <cstdlib>

#include "credential/did.h"

namespace {

void take(std::string_view did) {
  const auto key = cahn::credential::key_of_did(did);
  if (key && cahn::credential::did_key(*key) != did) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cahn::ByteView input(data, size);
  take(cahn::as_text(input));
  if (size <= 1200) take("did:key:z" + cahn::base58btc(input));
  return 0;
}
