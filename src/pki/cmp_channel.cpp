#include "pki/cmp_channel.h"

namespace cahn::pki {

using crypto::CmpBody;
using crypto::CmpMessage;

bool is_away(const Error& error) {
  for (const auto code : {net::NetError::refused, net::NetError::unreachable, net::NetError::timeout,
                          net::NetError::peer_closed, net::NetError::tls, net::NetError::stopped}) {
    if (error.code == code) return true;
  }
  return error.code == PkiError::unavailable;
}

Result<std::unique_ptr<CmpChannel>> CmpChannel::create(UpstreamOptions options, const Clock& clock) {
  CAHN_TRY(auto url, net::parse_url(options.url));
  if (options.ca_certificates.empty()) {
    return fail(PkiError::bad_request, "an upstream CA needs its certificate named");
  }
  CAHN_TRY(Bytes recipient, crypto::general_name(options.ca_certificates.front().subject()));
  std::optional<crypto::TlsContext> tls;
  if (url.tls) {
    CAHN_TRY(tls, crypto::TlsContext::client({.identity = options.identity, .anchors = options.tls_anchors}));
  }
  return std::unique_ptr<CmpChannel>(
      new CmpChannel(std::move(options), std::move(url), std::move(tls), std::move(recipient), clock));
}

net::awaitable<Result<CmpChannel::Connection>> CmpChannel::connect() const {
  net::Endpoint endpoint = url_.endpoint;
  auto opening = net::HttpConnection::open(std::move(endpoint), tls_ ? &*tls_ : nullptr, options_.limits);
  CAHN_CO_TRY(auto opened, co_await std::move(opening));
  co_return Connection(std::move(opened));
}

// RFC 9483 3.5: the answer is signed by somebody of the CA, and belongs to our message.
Result<CmpMessage> CmpChannel::read(const net::HttpResponse& response, const CmpConversation& conversation) const {
  if (response.status != 200) {
    return fail(response.status >= 500 ? PkiError::unavailable : PkiError::server_refused,
                "the CA answered with HTTP status " + std::to_string(response.status));
  }
  auto message = CmpMessage::from_der(response.body);
  if (!message) return fail(PkiError::bad_answer, message.error().message);
  const auto signer = message->verify_signer();
  if (!signer) return fail(PkiError::bad_answer, "the CA's answer: " + signer.error().message);
  if (auto path = crypto::verify_chain(*signer, message->extra_certificates(), options_.ca_anchors, clock_.now());
      !path) {
    return fail(PkiError::bad_answer, "the signer of the CA's answer: " + path.error().message);
  }
  if (message->header().transaction_id != conversation.id ||
      message->header().recipient_nonce != conversation.our_nonce) {
    return fail(PkiError::bad_answer, "the CA's answer belongs to another message");
  }
  return message;
}

net::awaitable<Result<CmpMessage>> CmpChannel::exchange(Connection connection, CmpConversation& conversation,
                                                        CmpBody body, Bytes content) const {
  conversation.our_nonce = random_bytes(crypto::CmpHeader::min_nonce);
  crypto::CmpHeader header;
  header.recipient = recipient_;
  header.transaction_id = conversation.id;
  header.sender_nonce = conversation.our_nonce;
  header.recipient_nonce = conversation.its_nonce;
  net::HttpRequest request;
  request.method = "POST";
  request.path = url_.path;
  request.headers.set("Content-Type", "application/pkixcmp");
  CAHN_CO_TRY(request.body,
              crypto::make_cmp_message(header, body, content, options_.identity.chain, *options_.identity.key));
  auto sending = connection->send(std::move(request));
  CAHN_CO_TRY(const auto response, co_await std::move(sending));
  CAHN_CO_TRY(auto message, read(response, conversation));
  conversation.its_nonce = message.header().sender_nonce;
  if (message.body() != CmpBody::error) co_return message;
  conversation.broken = true;
  const auto error = crypto::read_cmp_error(message);
  co_return fail(PkiError::server_refused, "the CA answered with an error: " + (error ? error->text : "unreadable"));
}

net::awaitable<Result<Bytes>> CmpChannel::fetch(std::string path) const {
  auto connecting = connect();
  CAHN_CO_TRY(const auto connection, co_await std::move(connecting));
  net::HttpRequest request;
  request.path = std::move(path);
  auto sending = connection->send(std::move(request));
  CAHN_CO_TRY(auto response, co_await std::move(sending));
  if (response.status != 200) {
    co_return fail(PkiError::unavailable, "the CA answered with HTTP status " + std::to_string(response.status));
  }
  co_return std::move(response.body);
}

}  // namespace cahn::pki
