// A certificate that parses keeps its octets, answers every question, and parses again.

#include <cstdlib>

#include "crypto/certificate.h"
#include "crypto/chain.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cahn;
  using crypto::Certificate;
  const auto certificate = Certificate::from_der({data, size});
  if (!certificate) {
    (void)Certificate::all_from_pem(as_text({data, size}));
    return 0;
  }
  if (certificate->der() != to_bytes(ByteView(data, size))) std::abort();
  const auto again = Certificate::from_pem(certificate->pem());
  if (!again || *again != *certificate) std::abort();
  const auto key = crypto::PublicKey::from_spki(certificate->public_key().spki());
  if (!key || *key != certificate->public_key()) std::abort();
  (void)certificate->subject_text();
  (void)certificate->issuer_text();
  (void)certificate->subject_serial_number();
  (void)certificate->serial_hex();
  (void)rfc3339(certificate->not_after());
  (void)certificate->is_ca();
  (void)certificate->is_self_issued();
  (void)certificate->has_extended_key_usage("serverAuth");
  (void)certificate->allows_digital_signature();
  (void)certificate->authority_key_identifier_der();
  (void)certificate->authority_key_identifier();
  (void)certificate->masa_url();
  (void)certificate->dns_names();
  (void)certificate->uris();
  if (certificate->crl_urls().size() > 8 || certificate->ocsp_urls().size() > 8) std::abort();
  (void)certificate->domain_id();
  (void)certificate->signed_by(certificate->public_key());
  // A certificate that is its own anchor needs no signature to hold.
  (void)crypto::verify_chain(*certificate, {}, crypto::TrustStore({*certificate}), std::nullopt);
  return 0;
}
