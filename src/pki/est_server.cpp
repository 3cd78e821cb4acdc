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
enum class Operation { enroll, reenroll, server_key };

struct Parts {
  Issuer& issuer;
  EnrolmentAuthority& authority;
  EstOptions options;
};
using PartsPtr = std::shared_ptr<const Parts>;

// What is known of who asks.
struct Client {
  Chain chain;       // TLS client certificate
  Bytes tls_unique;  // empty on TLS 1.3
  std::string authorization;
};

HttpResponse later(std::chrono::seconds retry_after, int status, std::string_view text) {
  auto response = HttpResponse::text(status, text);
  response.headers.set("Retry-After", std::to_string(retry_after.count()));
  return response;
}

HttpResponse unauthenticated(const Parts& parts, std::string_view text) {
  auto response = HttpResponse::text(401, text);
  // RFC 9110 15.5.2 wants a challenge; there is no registered one for TLS client certificates.
  response.headers.set("WWW-Authenticate",
                       parts.options.password_authority ? "Basic realm=\"EST\"" : "ClientCertificate");
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

Result<HttpResponse> certificates_response(const Chain& certificates, const Parts& parts) {
  CAHN_TRY(const auto der, crypto::certs_only(certificates));
  return HttpResponse::of(200, content_type_certs_only, as_bytes(base64_lines(der, parts.options.line_length)));
}

// What must hold before anybody is asked. The order is from who to what: no certificate, no answer about the body.
std::optional<HttpResponse> refuse_unread(const HttpRequest& request, const Client& client, const Parts& parts) {
  const bool may_have_password = parts.options.password_authority && !client.authorization.empty();
  if (client.chain.empty() && !may_have_password) {
    return unauthenticated(parts, "enrolment needs a TLS client certificate");
  }
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_pkcs10) {
    return HttpResponse::text(415, "the body must be application/pkcs10");
  }
  return std::nullopt;
}

// RFC 7030 3.5: the challengePassword is tls-unique in base64; so whoever made the request holds this TLS session.
Result<void> check_linking(const crypto::Csr& csr, const Client& client, bool required) {
  if (client.tls_unique.empty()) {
    if (!required) return {};
    return fail(PkiError::not_permitted,
                "this endpoint wants the request linked with its TLS session by tls-unique, which TLS 1.3 does not "
                "have; connect with TLS 1.2");
  }
  if (!csr.challenge_password()) {
    if (!required) return {};
    return fail(PkiError::bad_request, "the request is not linked with its TLS session: challengePassword is missing");
  }
  if (*csr.challenge_password() == base64(client.tls_unique)) return {};
  return fail(PkiError::not_permitted,
              "the request is linked with another TLS session: challengePassword is not this session's tls-unique");
}

// A new LDevID is for a new key (decision 9): one key, one identity. RFC 7030 4.2.2: a renewal is for the same subject.
Result<void> check_against_client(const crypto::Csr& csr, const Client& client, Operation operation) {
  if (client.chain.empty() || operation == Operation::server_key) return {};
  const crypto::Certificate& own = client.chain.front();
  if (operation == Operation::enroll && csr.public_key() == own.public_key()) {
    return fail(PkiError::not_permitted,
                "the request is for the key of the client's own certificate; make a fresh one");
  }
  if (operation == Operation::reenroll && !csr.subject().empty() && csr.subject() != own.subject()) {
    return fail(PkiError::not_permitted, "the request is for another subject than the certificate to be renewed");
  }
  return {};
}

net::awaitable<Result<EnrolmentGrant>> ask_by_password(PartsPtr parts, std::string authorization, crypto::Csr csr) {
  constexpr std::string_view scheme = "Basic ";
  const auto decoded =
      authorization.starts_with(scheme) ? base64_decode(authorization.substr(scheme.size())) : base64_decode("?");
  const std::string text = decoded ? to_string(*decoded) : std::string();
  const auto colon = text.find(':');
  if (colon == std::string::npos) co_return fail(PkiError::not_authorized, "no user name and password");
  std::string user = text.substr(0, colon);
  std::string password = text.substr(colon + 1);
  auto asked = parts->options.password_authority(std::move(user), std::move(password), std::move(csr));
  co_return co_await std::move(asked);
}

net::awaitable<Result<EnrolmentGrant>> ask(PartsPtr parts, Client client, crypto::Csr csr, Operation operation) {
  if (client.chain.empty()) return ask_by_password(parts, std::move(client.authorization), std::move(csr));
  return operation == Operation::reenroll ? parts->authority.may_reenrol(std::move(client.chain), std::move(csr))
                                          : parts->authority.may_enrol(std::move(client.chain), std::move(csr));
}

net::awaitable<Result<crypto::Certificate>> issue(PartsPtr parts, crypto::Csr csr, Client client, Operation operation) {
  auto asked = ask(parts, client, csr, operation);
  CAHN_CO_TRY(const EnrolmentGrant grant, co_await std::move(asked));
  IssueRequest request{std::move(csr), grant.profile, grant.subject, {}, grant.uris, {}};
  auto issuing = parts->issuer.issue(std::move(request));
  CAHN_CO_TRY(const IssuedCertificate issued, co_await std::move(issuing));
  auto recording =
      parts->authority.enrolled(std::move(client.chain), issued.certificate, operation == Operation::reenroll);
  CAHN_CO_CHECK(co_await std::move(recording));
  co_return issued.certificate;
}

// The request in the body, checked as far as it can be without asking anybody.
Result<crypto::Csr> read_request(const Bytes& body, const Client& client, Operation operation, const Parts& parts) {
  CAHN_TRY(auto csr, csr_from_est_body(body));
  CAHN_CHECK(check_linking(csr, client, parts.options.require_pop_linking));
  CAHN_CHECK(check_against_client(csr, client, operation));
  if (parts.options.check_csr_attributes) CAHN_CHECK(check_csr_attributes(csr, parts.options.csr_attribute_oids));
  return csr;
}

HttpResponse refuse(const Error& error, const Client& client, const Parts& parts) {
  const bool wrong_password = client.chain.empty() && error.code == PkiError::not_authorized;
  return wrong_password ? unauthenticated(parts, "the user name or the password is wrong") : refusal(error, parts);
}

net::awaitable<HttpResponse> answer_enrolment(PartsPtr parts, HttpRequest request, Client client, Operation operation) {
  if (auto refused = refuse_unread(request, client, *parts)) co_return *std::move(refused);
  auto csr = read_request(request.body, client, operation, *parts);
  if (!csr) co_return refuse(csr.error(), client, *parts);
  auto enrolment = issue(parts, *std::move(csr), client, operation);
  const auto issued = co_await std::move(enrolment);
  if (!issued) co_return refuse(issued.error(), client, *parts);
  const Chain only{*issued};
  auto response = certificates_response(only, *parts);  // RFC 7030 4.2.3: the issued certificate and no other
  if (!response) co_return refusal(response.error(), *parts);
  co_return *std::move(response);
}

// RFC 7030 4.4.1: the request's own key is passed over; what it asks for is asked again for a key of ours.
Result<std::pair<crypto::PrivateKeyPtr, crypto::Csr>> with_server_key(const crypto::Csr& asked) {
  for (const std::string_view oid : {"1.2.840.113549.1.9.16.2.37", "1.2.840.113549.1.9.16.2.54"}) {
    if (asked.mentions(oid)) {
      return fail(PkiError::bad_request,
                  "encryption of the private key beyond TLS is not offered (" + std::string(oid) + ", RFC 7030 4.4.1)");
    }
  }
  if (asked.requests_ca() || asked.requests_certificate_signing() || !asked.extended_key_usage().empty()) {
    return fail(PkiError::not_permitted, "a request with a server's key cannot ask for usages");
  }
  const std::string_view algorithm = asked.public_key().algorithm();
  const auto type = algorithm == "rsa"       ? crypto::KeyType::rsa3072
                    : algorithm == "p384"    ? crypto::KeyType::p384
                    : algorithm == "ed25519" ? crypto::KeyType::ed25519
                                             : crypto::KeyType::p256;
  CAHN_TRY(auto key, crypto::generate_key(type));
  crypto::CsrSpec spec;
  spec.subject = asked.subject();
  spec.dns_names = asked.dns_names();
  spec.uris = asked.uris();
  CAHN_TRY(const Bytes der, crypto::make_csr(spec, *key));
  CAHN_TRY(auto csr, crypto::Csr::from_der(der));
  return std::pair(std::move(key), std::move(csr));
}

// RFC 7030 4.4.2, RFC 8951 3.2: two parts, each in base64.
Result<HttpResponse> key_response(const crypto::PrivateKey& key, const crypto::Certificate& certificate) {
  CAHN_TRY(const std::string pem, crypto::key_to_pem(key));
  CAHN_TRY(const Bytes certificates, crypto::certs_only(Chain{certificate}));
  const std::string boundary = "cahn-" + hex(random_bytes(16));
  std::string body = "--" + boundary + "\r\nContent-Type: application/pkcs8\r\n\r\n";
  for (const char c : pem.substr(pem.find('\n'), pem.rfind("-----END") - pem.find('\n'))) {
    if (c != '\n') body += c;
  }
  body += "\r\n--" + boundary + "\r\nContent-Type: " + std::string(content_type_certs_only) + "\r\n\r\n" +
          base64(certificates) + "\r\n--" + boundary + "--\r\n";
  auto response = HttpResponse::of(200, "multipart/mixed; boundary=" + boundary, as_bytes(body));
  response.headers.set("Cache-Control", "no-store");
  return response;
}

net::awaitable<HttpResponse> answer_key_request(PartsPtr parts, HttpRequest request, Client client) {
  if (auto refused = refuse_unread(request, client, *parts)) co_return *std::move(refused);
  auto asked = read_request(request.body, client, Operation::server_key, *parts);
  if (!asked) co_return refuse(asked.error(), client, *parts);
  auto made = with_server_key(*asked);
  if (!made) co_return refuse(made.error(), client, *parts);
  auto enrolment = issue(parts, std::move(made->second), client, Operation::server_key);
  const auto issued = co_await std::move(enrolment);
  if (!issued) co_return refuse(issued.error(), client, *parts);
  auto response = key_response(*made->first, *issued);
  if (!response) co_return refusal(response.error(), *parts);
  co_return *std::move(response);
}

net::awaitable<HttpResponse> answer_ca_certificates(PartsPtr parts) {
  // RFC 7030 4.1.3: the present root first, then what bridges a change of its key.
  Chain certificates = parts->issuer.ca_certificates();
  for (auto& each : parts->issuer.rollover_certificates()) certificates.push_back(std::move(each));
  auto response = certificates_response(certificates, *parts);
  if (!response) co_return refusal(response.error(), *parts);
  co_return *std::move(response);
}

net::awaitable<HttpResponse> answer_csr_attributes(PartsPtr parts) {
  HttpResponse none;
  none.status = 204;  // RFC 7030 4.5.2
  if (parts->options.csr_attribute_oids.empty()) co_return none;
  const auto der = encode_csr_attributes(parts->options.csr_attribute_oids);
  if (!der) co_return refusal(der.error(), *parts);
  co_return HttpResponse::of(200, media_type_csrattrs, as_bytes(base64_lines(*der, parts->options.line_length)));
}

net::awaitable<HttpResponse> answer_text(int status, std::string_view text) {
  co_return HttpResponse::text(status, text);
}

Client client_of(const HttpRequest& request, const net::Session& session) {
  return {session.peer_chain, session.tls_unique, request.headers.get("Authorization").value_or("")};
}

void add_enrolment(net::Router& router, const std::string& path, const PartsPtr& parts, Operation operation) {
  router.on(
      "POST", path,
      [parts, operation](HttpRequest request, const net::Session& session) {
        Client client = client_of(request, session);
        if (operation == Operation::server_key) {
          return answer_key_request(parts, std::move(request), std::move(client));
        }
        return answer_enrolment(parts, std::move(request), std::move(client), operation);
      },
      max_body);
}

void add_not_offered(net::Router& router, const std::string& path) {
  router.on("POST", path,
            [](HttpRequest, const net::Session&) { return answer_text(501, "this EST operation is not offered"); });
}

}  // namespace

void add_est_routes(net::Router& router, Issuer& issuer, EnrolmentAuthority& authority, EstOptions options) {
  const bool has_label = !options.label.empty();
  const auto parts = std::make_shared<const Parts>(issuer, authority, std::move(options));
  const std::string root = std::string(est_root) + (has_label ? parts->options.label + "/" : "");
  router.on("GET", root + "cacerts",
            [parts](HttpRequest, const net::Session&) { return answer_ca_certificates(parts); });
  router.on("GET", root + "csrattrs",
            [parts](HttpRequest, const net::Session&) { return answer_csr_attributes(parts); });
  const std::pair<std::string, std::pair<Operation, bool>> offered[] = {
      {"simpleenroll", {Operation::enroll, parts->options.enrolment}},
      {"simplereenroll", {Operation::reenroll, parts->options.enrolment}},
      {"serverkeygen", {Operation::server_key, parts->options.enrolment && parts->options.server_keys}}};
  for (const auto& [name, how] : offered) {
    const auto [operation, is_offered] = how;
    is_offered ? add_enrolment(router, root + name, parts, operation) : add_not_offered(router, root + name);
  }
  // RFC 7030 4.3 and 4.4 are optional; a client should know that it found the right place.
  add_not_offered(router, root + "fullcmc");
  if (has_label) return;
  // RFC 7030 3.2.2: a label names another CA or profile; these are not here.
  for (const char* method : {"GET", "POST"}) {
    router.on(method, root + "{label}/{operation}",
              [](HttpRequest, const net::Session&) { return answer_text(404, "there is no CA of that label here"); });
  }
}

}  // namespace cahn::pki
