// A request that parses stays within its bounds, and can be answered.

#include <cstdlib>

#include "crypto/ocsp.h"
#include "tests/fuzz/crypto/authority.h"

using namespace cahn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Authority responder;
  const auto request = crypto::OcspRequest::from_der({data, size});
  if (!request) return 0;
  const auto& ids = request->certificates();
  if (ids.empty() || ids.size() > crypto::OcspRequest::max_certificates) std::abort();
  if (request->nonce() && (request->nonce()->empty() || request->nonce()->size() > crypto::OcspRequest::max_nonce)) {
    std::abort();
  }
  crypto::OcspResponseSpec spec;
  spec.next_update = spec.this_update + std::chrono::seconds(60);
  for (const auto& id : ids) {
    const bool ours = id.is_issued_by(responder.certificate);
    spec.answers.push_back({ours ? crypto::OcspAnswer::Status::good : crypto::OcspAnswer::Status::unknown});
  }
  if (!crypto::make_ocsp_response(*request, spec, responder.certificate, *responder.key)) std::abort();
  return 0;
}
