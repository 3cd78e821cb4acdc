// A signed message that verifies carries content that is in the octets once they are DER, and the certificate of its
// signer.

#include <algorithm>
#include <cstdlib>

#include "crypto/ber.h"
#include "crypto/cms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  const ByteView input(data, size);
  if (const auto message = crypto::SignedMessage::verify(input)) {
    const Bytes& content = message->content();
    const auto normalised = crypto::Normalised::from_ber(input);
    if (!normalised) std::abort();
    const Bytes& der = normalised->der();
    if (std::search(der.begin(), der.end(), content.begin(), content.end()) == der.end() && !content.empty()) {
      std::abort();
    }
    const auto& certificates = message->certificates();
    if (std::find(certificates.begin(), certificates.end(), message->signer()) == certificates.end()) std::abort();
  }
  if (const auto certificates = crypto::certs_from_certs_only(input)) {
    if (certificates->size() > 20) std::abort();
  }
  if (const auto evidence = crypto::revocation_in_cms(input)) {
    if (evidence->lists.size() + evidence->ocsp.size() > 20) std::abort();
  }
  return 0;
}
