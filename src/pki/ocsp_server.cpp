#include "pki/ocsp_server.h"

#include "base/metrics.h"
#include "crypto/ocsp.h"

namespace cahn::pki {
namespace {

using net::HttpRequest;
using net::HttpResponse;

net::awaitable<HttpResponse> answer(DomainCa* ca, Bytes request) {
  static metrics::Counter asked("cahn_ocsp_requests_total", "OCSP requests");
  asked.add();
  auto answering = ca->answer_ocsp(std::move(request));
  const Bytes response = co_await std::move(answering);
  auto http = HttpResponse::of(200, "application/ocsp-response", response);
  // A hold must be seen at once: nobody on the way may keep an answer, though RFC 5019 6.2 would let them.
  http.headers.set("Cache-Control", "no-cache");
  co_return http;
}

net::awaitable<HttpResponse> refuse(int status, std::string_view text) { co_return HttpResponse::text(status, text); }

}  // namespace

void add_ocsp_routes(net::Router& router, DomainCa& ca) {
  router.on(
      "POST", "/ocsp",
      [ca = &ca](HttpRequest request, const net::Session&) {
        if (net::media_type(request.headers.get("Content-Type").value_or("")) != "application/ocsp-request") {
          return refuse(415, "the body must be application/ocsp-request");
        }
        return answer(ca, std::move(request.body));
      },
      crypto::OcspRequest::max_octets);
  router.on("GET", "/ocsp/{request}", [ca = &ca](HttpRequest request, const net::Session&) {
    auto der = base64_decode(request.parameters["request"]);
    if (!der) return refuse(400, "the path must hold an OCSP request in percent-encoded base64");
    return answer(ca, *std::move(der));
  });
}

}  // namespace cahn::pki
