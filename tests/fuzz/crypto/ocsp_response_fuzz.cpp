// A response is read or refused, and never believed where nobody who may has signed it: its signer's key is made anew
// in each run.

#include <cstdlib>

#include "crypto/ocsp.h"

namespace {

using namespace cahn;

struct Authority {
  crypto::PrivateKeyPtr key = *crypto::generate_key(crypto::KeyType::p256);
  crypto::Certificate certificate = make();

  crypto::Certificate make() const {
    crypto::CertificateSpec spec;
    spec.subject = {{"CN", "owner"}};
    spec.key = key->public_key();
    spec.not_after = crypto::no_expiration();
    spec.ca = true;
    return *crypto::issue_certificate(spec, *key);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Authority authority;
  const Time now = authority.certificate.not_before() + std::chrono::hours(1);
  if (crypto::read_ocsp_response({data, size}, authority.certificate, authority.certificate, now)) std::abort();
  return 0;
}
