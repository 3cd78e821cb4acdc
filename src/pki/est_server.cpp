#include "pki/est_server.h"

#include "base/log.h"
#include "base/metrics.h"
#include "crypto/cms.h"
#include "pki/csr_attributes.h"
#include "pki/est_wire.h"

namespace cahn::pki {
namespace {

using net::HttpRequest;
using net::HttpResponse;
using Chain = std::vector<crypto::Certificate>;

constexpr std::size_t max_body = std::size_t{64} << 10;

struct Parts {
  Issuer& issuer;
  EnrolmentAuthority& authority;
  EstOptions options;
};

HttpResponse later(std::chrono::seconds retry_after, int status, std::string_view text) {
  auto response = HttpResponse::text(status, text);
  response.headers.set("Retry-After", std::to_string(retry_after.count()));
  return response;
}

// RFC 7030 4.2.3: a refusal is 4xx or 5xx with text for a person. What is a fault of ours is logged, not told.
HttpResponse refusal(const Error& error, const Parts& parts) {
  static metrics::Counter refused("cahn_est_refused_total", "EST enrolments refused");
  refused.add();
  if (error.code == PkiError::bad_request) return HttpResponse::text(400, error.message);
  if (error.code == PkiError::not_permitted || error.code == PkiError::not_authorized) {
    return HttpResponse::text(403, error.message);
  }
  if (error.code == PkiError::unknown_label) return HttpResponse::text(404, error.message);
  if (error.code == PkiError::undecided) return later(parts.options.retry_after, 202, error.message);
  log::error("EST_UNAVAILABLE", "an enrolment failed for a fault of our own",
             {{"code", std::string(error.code.name())}, {"error", error.message}});
  return later(parts.options.retry_after, 503, "enrolment is not possible at the moment");
}

Result<HttpResponse> certificates_response(const Chain& certificates) {
  CAHN_TRY(const auto der, crypto::certs_only(certificates));
  return HttpResponse::of(200, content_type_certs_only, as_bytes(base64(der)));
}

// What must hold before anybody is asked. The order is from who to what: no certificate, no answer about the body.
std::optional<HttpResponse> refuse_unread(const HttpRequest& request, const Chain& client) {
  if (client.empty()) {
    auto response = HttpResponse::text(401, "enrolment needs a TLS client certificate");
    // RFC 9110 15.5.2 wants a challenge; there is no registered one for TLS client certificates.
    response.headers.set("WWW-Authenticate", "ClientCertificate");
    return response;
  }
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_pkcs10) {
    return HttpResponse::text(415, "the body must be application/pkcs10");
  }
  return std::nullopt;
}

// A new LDevID is for a new key (decision 9): one key, one identity. RFC 7030 4.2.2: a renewal is for the same subject.
Result<void> check_against_client(const crypto::Csr& csr, const crypto::Certificate& client, bool renewal) {
  if (!renewal && csr.public_key() == client.public_key()) {
    return fail(PkiError::not_permitted,
                "the request is for the key of the client's own certificate; make a fresh one");
  }
  if (renewal && !csr.subject().empty() && csr.subject() != client.subject()) {
    return fail(PkiError::not_permitted, "the request is for another subject than the certificate to be renewed");
  }
  return {};
}

net::awaitable<Result<crypto::Certificate>> enrol(std::shared_ptr<const Parts> parts, Bytes body, Chain client,
                                                  bool renewal) {
  CAHN_CO_TRY(const auto csr, csr_from_est_body(body));
  CAHN_CO_CHECK(check_against_client(csr, client.front(), renewal));
  auto asked = renewal ? parts->authority.may_reenrol(client, csr) : parts->authority.may_enrol(client, csr);
  CAHN_CO_TRY(const EnrolmentGrant grant, co_await std::move(asked));
  IssueRequest request{csr, grant.profile, grant.subject, {}, grant.uris, {}};
  auto issuing = parts->issuer.issue(std::move(request));
  CAHN_CO_TRY(const IssuedCertificate issued, co_await std::move(issuing));
  auto recording = parts->authority.enrolled(client, issued.certificate, renewal);
  CAHN_CO_CHECK(co_await std::move(recording));
  co_return issued.certificate;
}

net::awaitable<HttpResponse> answer_enrolment(std::shared_ptr<const Parts> parts, HttpRequest request, Chain client,
                                              bool renewal) {
  if (auto refused = refuse_unread(request, client)) co_return *std::move(refused);
  auto enrolment = enrol(parts, std::move(request.body), std::move(client), renewal);
  const auto issued = co_await std::move(enrolment);
  if (!issued) co_return refusal(issued.error(), *parts);
  const Chain only{*issued};
  auto response = certificates_response(only);  // RFC 7030 4.2.3: the issued certificate and no other
  if (!response) co_return refusal(response.error(), *parts);
  co_return *std::move(response);
}

net::awaitable<HttpResponse> answer_ca_certificates(std::shared_ptr<const Parts> parts) {
  auto response = certificates_response(parts->issuer.ca_certificates());
  if (!response) co_return refusal(response.error(), *parts);
  co_return *std::move(response);
}

net::awaitable<HttpResponse> answer_csr_attributes(std::shared_ptr<const Parts> parts) {
  HttpResponse none;
  none.status = 204;  // RFC 7030 4.5.2
  if (parts->options.csr_attribute_oids.empty()) co_return none;
  const auto der = encode_csr_attributes(parts->options.csr_attribute_oids);
  if (!der) co_return refusal(der.error(), *parts);
  co_return HttpResponse::of(200, media_type_csrattrs, as_bytes(base64(*der)));
}

net::awaitable<HttpResponse> answer_text(int status, std::string_view text) {
  co_return HttpResponse::text(status, text);
}

}  // namespace

void add_est_routes(net::Router& router, Issuer& issuer, EnrolmentAuthority& authority, EstOptions options) {
  const auto parts = std::make_shared<const Parts>(issuer, authority, std::move(options));
  const std::string root(est_root);
  router.on("GET", root + "cacerts",
            [parts](HttpRequest, const net::Session&) { return answer_ca_certificates(parts); });
  router.on("GET", root + "csrattrs",
            [parts](HttpRequest, const net::Session&) { return answer_csr_attributes(parts); });
  router.on(
      "POST", root + "simpleenroll",
      [parts](HttpRequest request, const net::Session& session) {
        return answer_enrolment(parts, std::move(request), session.peer_chain, false);
      },
      max_body);
  router.on(
      "POST", root + "simplereenroll",
      [parts](HttpRequest request, const net::Session& session) {
        return answer_enrolment(parts, std::move(request), session.peer_chain, true);
      },
      max_body);
  // RFC 7030 4.3 and 4.4 are optional; a client should know that it found the right place.
  for (const char* operation : {"fullcmc", "serverkeygen"}) {
    router.on("POST", root + operation,
              [](HttpRequest, const net::Session&) { return answer_text(501, "this EST operation is not offered"); });
  }
  // RFC 7030 3.2.2: a label names another CA or profile; there is none here.
  for (const char* method : {"GET", "POST"}) {
    router.on(method, root + "{label}/{operation}",
              [](HttpRequest, const net::Session&) { return answer_text(404, "there is no CA of that label here"); });
  }
}

}  // namespace cahn::pki
