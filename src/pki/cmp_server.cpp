#include "pki/cmp_server.h"

#include <algorithm>
#include <ranges>

#include "base/log.h"
#include "base/metrics.h"
#include "pki/cmp_server_impl.h"

namespace cahn::pki {
namespace cmp {
namespace {

using net::HttpRequest;
using net::HttpResponse;

constexpr std::string_view media_type_cmp = "application/pkixcmp";
constexpr std::string_view cmp_root = "/.well-known/cmp";

// RFC 9483 3.5: which failure a message's protection deserves.
Refusal protection_refusal(const CmpMessage& message, const Error& error) {
  if (message.is_mac_protected()) {
    return {CmpFailure::wrong_integrity, "protection by a shared secret is not taken; sign the message"};
  }
  return {error.code == crypto::CryptoError::unsupported ? CmpFailure::bad_alg : CmpFailure::bad_message_check,
          error.message};
}

Answered<ExchangePtr> receive(CmpMessage message, Bytes nonce) {
  Exchange exchange{std::move(message), {}, {}, std::move(nonce)};
  const crypto::CmpHeader& header = exchange.message.header();
  const auto is_long_enough = [](const Bytes& octets) {
    return octets.size() >= crypto::CmpHeader::min_nonce && octets.size() <= crypto::CmpHeader::max_nonce;
  };
  if (!is_long_enough(header.transaction_id)) {
    return refuse(CmpFailure::bad_data_format, "transactionID must have 16 to 64 octets");
  }
  if (!is_long_enough(header.sender_nonce)) {
    return refuse(CmpFailure::bad_sender_nonce, "senderNonce must have 16 to 64 octets");
  }
  // RFC 9483 4.3: what anybody may know, anybody may ask.
  if (exchange.message.body() == CmpBody::genm && !exchange.message.is_protected()) {
    return std::make_shared<const Exchange>(std::move(exchange));
  }
  if (exchange.message.body() == CmpBody::nested) {
    return refuse(CmpFailure::bad_request, "nested messages are not taken; send each request by itself");
  }
  auto signer = exchange.message.verify_signer();
  if (!signer) return std::unexpected(protection_refusal(exchange.message, signer.error()));
  exchange.sender = signer->fingerprint();
  exchange.client = exchange.message.extra_certificates();
  return std::make_shared<const Exchange>(std::move(exchange));
}

Answered<crypto::CmpRevocationRequest> read_revocation(const Server& server, const Exchange& exchange) {
  auto request = crypto::read_cmp_revocation(exchange.message);
  if (!request) return refuse(CmpFailure::bad_data_format, request.error().message);
  if (!server.options.revoke) return refuse(CmpFailure::bad_request, "revocation is not offered here");
  const auto is_issuer = [&](const crypto::Certificate& ca) { return ca.subject() == request->issuer; };
  if (!std::ranges::any_of(server.issuer.ca_certificates(), is_issuer)) {
    return refuse(CmpFailure::bad_cert_id, "the certificate is not one of this CA");
  }
  const bool holds = request->release || request->reason == crypto::RevocationReason::certificate_hold;
  if (holds && server.options.release && is_registration_authority(server, exchange.client)) return *std::move(request);
  if (holds || !request->reason) {
    return refuse(CmpFailure::bad_request, "the reason must be unspecified, keyCompromise, superseded or cessation");
  }
  return *std::move(request);
}

net::awaitable<Answered<Reply>> revoke(ServerPtr server, ExchangePtr exchange) {
  const auto request = read_revocation(*server, *exchange);
  if (!request) co_return std::unexpected(request.error());
  Result<void> result;
  if (!is_registration_authority(*server, exchange->client)) {
    auto asking = server->authority.may_revoke(exchange->client, request->serial_hex);
    result = co_await std::move(asking);
  }
  if (result && request->release) {
    auto releasing = server->options.release(request->serial_hex);
    result = co_await std::move(releasing);
  } else if (result) {
    auto revoking = server->options.revoke(request->serial_hex, *request->reason);
    result = co_await std::move(revoking);
  }
  CmpStatusInfo status;
  if (!result) status = rejection(refusal_of(result.error()));
  co_return Reply{CmpBody::rp, crypto::cmp_revocation_answer(status), false, {}};
}

Result<Bytes> information(const Server& server, std::string_view oid) {
  const Chain bridge = server.issuer.rollover_certificates();
  if (oid == crypto::oid_cmp_ca_certificates) {
    Chain all = server.issuer.ca_certificates();
    all.insert(all.end(), bridge.begin(), bridge.end());
    return crypto::cmp_general_answer(oid, crypto::cmp_ca_certificates(all));
  }
  if (oid == crypto::oid_cmp_root_certificate) {
    // The latest change comes first: the old root, the old key under the new one, the new key under the old one.
    const Bytes update = bridge.size() < 3
                             ? Bytes()
                             : crypto::cmp_root_update(server.issuer.ca_certificates().back(), bridge[2], bridge[1]);
    return crypto::cmp_general_answer(crypto::oid_cmp_root_update, update);
  }
  if (oid == crypto::oid_cmp_request_template) {
    CAHN_TRY(const Bytes form, crypto::cmp_request_template(server.options.request_template));
    return crypto::cmp_general_answer(oid, form);
  }
  return fail(PkiError::bad_request, "there is no information of the kind " + std::string(oid) + " here");
}

Answered<Reply> inform(const Server& server, const Exchange& exchange) {
  const auto asked = crypto::read_cmp_general(exchange.message);
  if (!asked) return refuse(CmpFailure::bad_data_format, asked.error().message);
  if (asked->size() != 1) return refuse(CmpFailure::bad_request, "ask for one thing at a time");
  auto content = information(server, asked->front());
  if (!content) return refuse(CmpFailure::bad_request, content.error().message);
  return Reply{CmpBody::genp, *std::move(content), false, {}};
}

// --- paths and messages

struct Operation {
  std::string_view path;
  CmpBody body;
};
constexpr Operation operations[] = {
    {"initialization", CmpBody::ir}, {"certification", CmpBody::cr},   {"pkcs10", CmpBody::p10cr},
    {"p10", CmpBody::p10cr},         {"keyupdate", CmpBody::kur},      {"revocation", CmpBody::rr},
    {"getcacerts", CmpBody::genm},   {"getrootupdate", CmpBody::genm}, {"getcertreqtemplate", CmpBody::genm},
    {"nested", CmpBody::nested}};

// The path names what the first message of a transaction is; the later ones come the same way.
std::optional<Refusal> check_path(const std::optional<CmpBody>& expected, CmpBody body) {
  const bool is_later = body == CmpBody::cert_conf || body == CmpBody::poll_req || body == CmpBody::error;
  if (!expected || is_later || *expected == body) return std::nullopt;
  return Refusal{CmpFailure::bad_request,
                 "this path is for " + crypto::cmp_body_name(*expected) + ", not " + crypto::cmp_body_name(body)};
}

net::awaitable<Answered<Reply>> handle(ServerPtr server, ExchangePtr exchange) {
  switch (exchange->message.body()) {
    case CmpBody::ir:
    case CmpBody::cr:
    case CmpBody::p10cr:
    case CmpBody::kur:
      return request_certificate(server, exchange);
    case CmpBody::cert_conf:
      return confirm(server, exchange);
    case CmpBody::poll_req:
      return poll(server, exchange);
    case CmpBody::error:
      return give_up(server, exchange);
    case CmpBody::rr:
      return revoke(server, exchange);
    default:
      break;
  }
  return [](ServerPtr its_server, ExchangePtr its_exchange) -> net::awaitable<Answered<Reply>> {
    const CmpBody body = its_exchange->message.body();
    if (body == CmpBody::genm) co_return inform(*its_server, *its_exchange);
    co_return refuse(CmpFailure::bad_request, crypto::cmp_body_name(body) + " is nothing a client sends");
  }(server, exchange);
}

Result<Bytes> answer_message(const Server& server, const crypto::CmpHeader& asked, const Bytes& nonce,
                             const Answered<Reply>& reply) {
  crypto::CmpHeader header;
  header.version = asked.version;
  CAHN_TRY(header.recipient, crypto::general_name(asked.sender.value_or(crypto::Name{})));
  const bool has_id = asked.transaction_id.size() >= crypto::CmpHeader::min_nonce &&
                      asked.transaction_id.size() <= crypto::CmpHeader::max_nonce;
  header.transaction_id = has_id ? asked.transaction_id : random_bytes(crypto::CmpHeader::min_nonce);
  header.sender_nonce = nonce;
  header.recipient_nonce = asked.sender_nonce;
  const crypto::TlsIdentity& signer = server.options.signer;
  if (!reply) {
    static metrics::Counter refused("cahn_cmp_refused_total", "CMP messages refused");
    refused.add();
    return crypto::make_cmp_message(header, CmpBody::error, crypto::cmp_error(rejection(reply.error())), signer.chain,
                                    *signer.key);
  }
  header.implicit_confirm = reply->implicit_confirm;
  Chain more;
  for (const auto& each : reply->chain) {
    if (std::ranges::find(signer.chain, each) == signer.chain.end()) more.push_back(each);
  }
  return crypto::make_cmp_message(header, reply->body, reply->content, signer.chain, *signer.key, more);
}

net::awaitable<HttpResponse> answer(ServerPtr server, Bytes body, std::optional<CmpBody> expected) {
  auto message = CmpMessage::from_der(body);
  if (!message) co_return HttpResponse::text(400, message.error().message);
  auto sweeping = sweep(server);
  co_await std::move(sweeping);
  const crypto::CmpHeader asked = message->header();
  const Bytes nonce = random_bytes(crypto::CmpHeader::min_nonce);
  Answered<Reply> reply;
  if (auto wrong = check_path(expected, message->body())) {
    reply = std::unexpected(*std::move(wrong));
  } else if (auto exchange = receive(*std::move(message), nonce); !exchange) {
    reply = std::unexpected(exchange.error());
  } else {
    auto handling = handle(server, *exchange);
    reply = co_await std::move(handling);
  }
  auto response = answer_message(*server, asked, nonce, reply);
  if (!response) {
    log::error("CMP_UNAVAILABLE", "a CMP answer could not be made", {{"error", response.error().message}});
    co_return HttpResponse::text(503, "CMP is not possible at the moment");
  }
  co_return HttpResponse::of(200, media_type_cmp, *response);
}

net::awaitable<HttpResponse> answer_text(int status, std::string_view text) {
  co_return HttpResponse::text(status, text);
}

net::awaitable<HttpResponse> answer_http(ServerPtr server, HttpRequest request, const net::Session& session) {
  if (server->options.may_connect && !server->options.may_connect(session)) {
    return answer_text(403, "this CA does not know the client certificate of this connection");
  }
  if (net::media_type(request.headers.get("Content-Type").value_or("")) != media_type_cmp) {
    return answer_text(415, "the body must be application/pkixcmp");
  }
  if (request.parameters.contains("name") && request.parameters["name"] != server->options.name) {
    return answer_text(404, "there is no CA or profile of that name here");
  }
  std::optional<CmpBody> expected;
  if (const auto named = request.parameters.find("operation"); named != request.parameters.end()) {
    const auto* found = std::ranges::find(operations, named->second, &Operation::path);
    if (found == std::end(operations)) return answer_text(404, "there is no such CMP operation");
    expected = found->body;
  }
  return answer(server, std::move(request.body), expected);
}

}  // namespace
}  // namespace cmp

void add_cmp_routes(net::Router& router, Issuer& issuer, EnrolmentAuthority& authority, CmpOptions options,
                    const Clock& clock) {
  const auto server = std::make_shared<cmp::Server>(issuer, authority, std::move(options), clock);
  for (const std::string& path :
       {std::string(), std::string("/{operation}"), std::string("/p/{name}"), std::string("/p/{name}/{operation}")}) {
    router.on(
        "POST", std::string(cmp::cmp_root) + path,
        [server](net::HttpRequest request, const net::Session& session) {
          return cmp::answer_http(server, std::move(request), session);
        },
        crypto::CmpMessage::max_octets);
  }
}

}  // namespace cahn::pki
