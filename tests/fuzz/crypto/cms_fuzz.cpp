// A signed message that verifies carries content that is in the octets, and the certificate of its signer.

#include <algorithm>
#include <cstdlib>

#include "crypto/cms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const ByteView input(data, size);
  if (const auto message = crypto::SignedMessage::verify(input)) {
    const Bytes& content = message->content();
    if (std::search(input.begin(), input.end(), content.begin(), content.end()) == input.end() && !content.empty()) {
      std::abort();
    }
    const auto& certificates = message->certificates();
    if (std::find(certificates.begin(), certificates.end(), message->signer()) == certificates.end()) std::abort();
  }
  if (const auto certificates = crypto::certs_from_certs_only(input)) {
    if (certificates->size() > 20) std::abort();
  }
  return 0;
}
