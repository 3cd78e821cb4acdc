#include "pki/est_wire.h"

#include "crypto/cms.h"

namespace cahn::pki {

std::string_view error_name(PkiError error) {
  switch (error) {
    case PkiError::bad_request:
      return "bad_request";
    case PkiError::not_permitted:
      return "not_permitted";
    case PkiError::not_authorized:
      return "not_authorized";
    case PkiError::unknown_label:
      return "unknown_label";
    case PkiError::unavailable:
      return "unavailable";
    case PkiError::not_offered:
      return "not_offered";
    case PkiError::server_refused:
      return "server_refused";
    case PkiError::bad_answer:
      return "bad_answer";
    case PkiError::undecided:
      return "undecided";
  }
  return "unknown";
}

PkiError error_of_status(int http_status) {
  if (http_status == 404 || http_status == 405 || http_status == 501) return PkiError::not_offered;
  return http_status >= 500 ? PkiError::unavailable : PkiError::server_refused;
}

std::string base64_lines(ByteView bytes, std::size_t line_length) {
  std::string all = base64(bytes);
  if (line_length == 0) return all;
  std::string lines;
  for (std::size_t at = 0; at < all.size(); at += line_length) lines += all.substr(at, line_length) + "\r\n";
  return lines;
}

Result<crypto::Csr> csr_from_est_body(ByteView body) {
  const auto der = base64_decode_lenient(as_text(body));
  if (!der) return fail(PkiError::bad_request, "the body is not base64: " + der.error().message);
  auto csr = crypto::Csr::from_der(*der);
  if (!csr) return fail(PkiError::bad_request, "the certificate request is refused: " + csr.error().message);
  return csr;
}

Result<std::vector<crypto::Certificate>> certificates_from_est_body(ByteView body) {
  const auto der = base64_decode_lenient(as_text(body));
  if (!der) return fail(PkiError::bad_answer, "the answer is not base64: " + der.error().message);
  auto certificates = crypto::certs_from_certs_only(*der);
  if (!certificates)
    return fail(PkiError::bad_answer, "the answer is no certs-only message: " + certificates.error().message);
  if (certificates->empty()) return fail(PkiError::bad_answer, "the answer holds no certificate");
  return certificates;
}

}  // namespace cahn::pki
