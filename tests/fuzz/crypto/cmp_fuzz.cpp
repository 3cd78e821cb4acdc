// CMP messages in both directions. Every body is read as what it says it is and as everything else; a certificate
// request that is taken has a key and a proof that holds.

#include <cstdlib>

#include "crypto/cmp.h"

namespace {

using namespace cahn;

void read_bodies(const crypto::CmpMessage& message) {
  if (const auto request = crypto::read_cmp_request(message, false)) {
    if (!crypto::PublicKey::from_spki(request->csr.public_key().spki())) std::abort();
    // What was proven once is proven again; and a registration authority's word is not needed for it.
    const auto again =
        request->csr.is_crmf() ? crypto::Csr::from_crmf(request->csr.der()) : crypto::Csr::from_der(request->csr.der());
    if (!again || again->public_key() != request->csr.public_key()) std::abort();
  }
  (void)crypto::read_cmp_request(message, true);
  (void)crypto::read_cmp_revocation(message);
  (void)crypto::read_cmp_revocation_answer(message);
  (void)crypto::read_cmp_confirmation(message);
  (void)crypto::read_cmp_poll(message);
  (void)crypto::read_cmp_general(message);
  (void)crypto::read_cmp_ca_certificates(message);
  (void)crypto::read_cmp_answer(message);
  (void)crypto::read_cmp_poll_answer(message);
  (void)crypto::read_cmp_error(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = crypto::CmpMessage::from_der({data, size});
  if (!message) return 0;
  if (message->extra_certificates().size() > crypto::CmpMessage::max_certificates) std::abort();
  if (message->header().sender && !crypto::general_name(*message->header().sender)) return 0;
  const auto signer = message->verify_signer();
  if (signer && (!message->is_protected() || signer->subject() != message->header().sender)) std::abort();
  read_bodies(*message);
  return 0;
}
