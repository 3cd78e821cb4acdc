// Bodies of EST in both directions. A request that is read is checked against the profile as the CA does; whatever it
// asks, what would be issued is no CA and no registration authority.

#include <algorithm>
#include <cstdlib>

#include "pki/est_wire.h"
#include "pki/profile.h"

namespace {

using namespace cahn;

crypto::Certificate make_ca() {
  const auto key = *crypto::generate_key(crypto::KeyType::p256);
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", "owner"}};
  spec.key = key->public_key();
  spec.not_after = crypto::no_expiration();
  spec.ca = true;
  return *crypto::issue_certificate(spec, *key);
}

void check(const crypto::Csr& csr) {
  static const crypto::Certificate ca = make_ca();
  pki::IssueRequest request{csr, pki::Profile::ldevid, {{"serialNumber", "SN-1"}, {"CN", "home"}},
                            {},  {"urn:home"},         {}};
  const auto permitted = pki::check_request(request, ca);
  if (permitted && (csr.requests_ca() || csr.requests_certificate_signing())) std::abort();
  const auto spec = pki::certificate_spec(request);
  if (spec.ca || spec.subject != request.subject || spec.uris != request.uris || !spec.dns_names.empty()) std::abort();
  if (std::ranges::find(spec.extended_key_usage, crypto::oid_cmc_ra) != spec.extended_key_usage.end()) std::abort();
}

void read(ByteView body) {
  if (const auto csr = pki::csr_from_est_body(body)) check(*csr);
  const auto certificates = pki::certificates_from_est_body(body);
  if (certificates && certificates->empty()) std::abort();
}

}  // namespace

// The input is taken as a body, and as the DER of one, so that the fuzzer need not learn base64.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input{data, size};
  read(input);
  const std::string body = base64(input);
  read(as_bytes(body));
  return 0;
}
