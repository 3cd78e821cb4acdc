#include "pki/est_client.h"

#include <algorithm>

#include "crypto/cms.h"
#include "pki/csr_attributes.h"
#include "pki/est_wire.h"

namespace cahn::pki {
namespace {

constexpr std::size_t max_shown_text = 200;

// The server's words, for a log line: bounded, and without control characters.
std::string shown(const Bytes& body) {
  std::string text(as_text(body).substr(0, max_shown_text));
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::unexpected<Error> refused(std::string_view operation, const net::HttpResponse& response) {
  std::string message = std::string(operation) + " was answered " + std::to_string(response.status);
  if (!response.body.empty()) message += ": " + shown(response.body);
  return fail(error_of_status(response.status), std::move(message));
}

Result<std::vector<crypto::Certificate>> read_certificates(std::string_view operation,
                                                           const net::HttpResponse& response) {
  if (response.status != 200) return refused(operation, response);
  if (net::media_type(response.headers.get("Content-Type").value_or("")) != media_type_pkcs7) {
    return fail(PkiError::bad_answer,
                std::string(operation) + " was answered with another type than application/pkcs7-mime");
  }
  return certificates_from_est_body(response.body);
}

net::HttpRequest get(std::string_view operation) {
  net::HttpRequest request;
  request.path = std::string(est_root) + std::string(operation);
  return request;
}

}  // namespace

net::awaitable<Result<std::vector<crypto::Certificate>>> est_cacerts(net::HttpConnection& connection) {
  net::HttpRequest request = get("cacerts");
  CAHN_CO_TRY(const auto response, co_await connection.send(std::move(request)));
  co_return read_certificates("cacerts", response);
}

net::awaitable<Result<crypto::RevocationEvidence>> est_revocation(net::HttpConnection& connection) {
  net::HttpRequest request = get("cacerts");
  CAHN_CO_TRY(const auto response, co_await connection.send(std::move(request)));
  CAHN_CO_CHECK(read_certificates("cacerts", response));
  CAHN_CO_TRY(const Bytes message, base64_decode_lenient(as_text(response.body)));
  auto evidence = crypto::revocation_in_cms(message);
  if (!evidence) co_return fail(PkiError::bad_answer, "cacerts: " + evidence.error().message);
  co_return evidence;
}

net::awaitable<Result<std::vector<std::string>>> est_csrattrs(net::HttpConnection& connection) {
  net::HttpRequest request = get("csrattrs");
  CAHN_CO_TRY(const auto response, co_await connection.send(std::move(request)));
  if (response.status == 204 || response.status == 404) co_return std::vector<std::string>{};  // RFC 7030 4.5.2
  if (response.status != 200) co_return refused("csrattrs", response);
  const auto der = base64_decode_lenient(as_text(response.body));
  if (!der) co_return fail(PkiError::bad_answer, "the CSR attributes are not base64");
  co_return decode_csr_attributes(*der);
}

net::awaitable<Result<EstAnswer>> est_ask(net::HttpConnection& connection, EstQuestion question) {
  const std::string operation = question.reenroll ? "simplereenroll" : "simpleenroll";
  net::HttpRequest request;
  request.method = "POST";
  request.path = std::string(est_root) + (question.label.empty() ? "" : question.label + "/") + operation;
  request.headers.set("Content-Type", std::string(media_type_pkcs10));
  request.body = to_bytes(base64(question.csr));
  CAHN_CO_TRY(const auto response, co_await connection.send(std::move(request)));
  if (response.status == 202) co_return EstLater{net::retry_after(response)};
  CAHN_CO_TRY(const auto certificates, read_certificates(operation, response));
  const auto issued = std::ranges::find_if(
      certificates, [&](const auto& certificate) { return certificate.public_key() == question.key; });
  if (issued == certificates.end())
    co_return fail(PkiError::bad_answer, "the certificate that came back is for another key");
  co_return *issued;
}

net::awaitable<Result<crypto::Certificate>> est_enroll(net::HttpConnection& connection, const Bytes& csr_der,
                                                       bool reenroll, std::string label) {
  CAHN_CO_TRY(const auto csr, crypto::Csr::from_der(csr_der));
  EstQuestion question{csr_der, csr.public_key(), reenroll, std::move(label)};
  CAHN_CO_TRY(auto answer, co_await est_ask(connection, std::move(question)));
  if (auto* issued = std::get_if<crypto::Certificate>(&answer)) co_return std::move(*issued);
  const auto after = std::get<EstLater>(answer).retry_after;
  co_return fail(PkiError::undecided, "the server has not decided yet" +
                                          (after ? ", retry after " + std::to_string(after->count()) + " s" : ""));
}

}  // namespace cahn::pki
