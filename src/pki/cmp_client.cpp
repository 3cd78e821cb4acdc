#include "pki/cmp_client.h"

namespace cahn::pki {
namespace {

using crypto::CmpBody;
using crypto::CmpMessage;
using crypto::CmpStatus;

std::unexpected<Error> answered(const net::HttpResponse& response) {
  return fail(error_of_status(response.status),
              "a CMP message was answered with HTTP status " + std::to_string(response.status));
}

std::unexpected<Error> unexpected_body(const CmpMessage& message) {
  return fail(PkiError::bad_answer, "the server answered with " + crypto::cmp_body_name(message.body()));
}

// RFC 9483 3.5
Result<CmpMessage> read(const net::HttpResponse& response, const CmpParties& parties,
                        const CmpConversation& conversation) {
  if (response.status != 200) return answered(response);
  auto message = CmpMessage::from_der(response.body);
  if (!message) return fail(PkiError::bad_answer, message.error().message);
  const auto signer = message->verify_signer();
  if (!signer) return fail(PkiError::bad_answer, "the answer: " + signer.error().message);
  if (const auto checked = parties.check(*signer, message->extra_certificates()); !checked) {
    return fail(PkiError::bad_answer, "the signer of the answer: " + checked.error().message);
  }
  if (message->header().transaction_id != conversation.id ||
      message->header().recipient_nonce != conversation.our_nonce) {
    return fail(PkiError::bad_answer, "the answer belongs to another message");
  }
  return message;
}

Result<CmpAnswer> read_issued(const CmpMessage& message, CmpConversation& conversation) {
  CAHN_TRY(auto answer, crypto::read_cmp_answer(message));
  conversation.request = answer.id;
  if (answer.status.status == CmpStatus::waiting) return CmpLater{};
  if (answer.status.status == CmpStatus::rejection) {
    return fail(PkiError::server_refused, "the request is rejected: " + answer.status.text);
  }
  if (!answer.certificate) return fail(PkiError::bad_answer, "there is no certificate in the answer");
  return CmpIssued{*std::move(answer.certificate), answer.id, message.header().implicit_confirm};
}

}  // namespace

net::awaitable<Result<CmpMessage>> cmp_exchange(std::shared_ptr<net::HttpConnection> connection,
                                                std::shared_ptr<const CmpParties> parties,
                                                CmpConversation& conversation, CmpBody body, Bytes content) {
  conversation.our_nonce = random_bytes(crypto::CmpHeader::min_nonce);
  crypto::CmpHeader header;
  header.recipient = parties->recipient;
  header.transaction_id = conversation.id;
  header.sender_nonce = conversation.our_nonce;
  header.recipient_nonce = conversation.its_nonce;
  net::HttpRequest request;
  request.method = "POST";
  request.path = parties->path;
  request.headers.set("Content-Type", "application/pkixcmp");
  CAHN_CO_TRY(request.body,
              crypto::make_cmp_message(header, body, content, parties->signer.chain, *parties->signer.key));
  auto sending = connection->send(std::move(request));
  CAHN_CO_TRY(const auto response, co_await std::move(sending));
  CAHN_CO_TRY(auto message, read(response, *parties, conversation));
  conversation.its_nonce = message.header().sender_nonce;
  if (message.body() != CmpBody::error) co_return message;
  conversation.broken = true;
  const auto error = crypto::read_cmp_error(message);
  co_return fail(PkiError::server_refused, "an error was answered: " + (error ? error->text : "unreadable"));
}

net::awaitable<Result<std::vector<crypto::Certificate>>> cmp_ca_certificates(
    std::shared_ptr<net::HttpConnection> connection, std::shared_ptr<const CmpParties> parties) {
  CAHN_CO_TRY(Bytes question, crypto::cmp_question(crypto::oid_cmp_ca_certificates));
  CmpConversation conversation = CmpConversation::begin();
  auto asking =
      cmp_exchange(std::move(connection), std::move(parties), conversation, CmpBody::genm, std::move(question));
  CAHN_CO_TRY(const CmpMessage message, co_await std::move(asking));
  if (message.body() != CmpBody::genp) co_return unexpected_body(message);
  co_return crypto::read_cmp_ca_certificates(message);
}

net::awaitable<Result<CmpAnswer>> cmp_ask(std::shared_ptr<net::HttpConnection> connection,
                                          std::shared_ptr<const CmpParties> parties, CmpConversation& conversation,
                                          Bytes request) {
  const bool first = conversation.our_nonce.empty();
  Bytes content = first ? std::move(request) : crypto::cmp_poll(conversation.request);
  auto asking = cmp_exchange(std::move(connection), std::move(parties), conversation,
                             first ? CmpBody::ir : CmpBody::poll_req, std::move(content));
  CAHN_CO_TRY(const CmpMessage message, co_await std::move(asking));
  if (message.body() == CmpBody::ip) co_return read_issued(message, conversation);
  if (first || message.body() != CmpBody::poll_rep) co_return unexpected_body(message);
  CAHN_CO_TRY(const auto later, crypto::read_cmp_poll_answer(message));
  constexpr std::int64_t a_week = 7 * 24 * 3600;
  co_return CmpLater{std::chrono::seconds(std::min(later.check_after, a_week))};
}

net::awaitable<Result<void>> cmp_confirm(std::shared_ptr<net::HttpConnection> connection,
                                         std::shared_ptr<const CmpParties> parties, CmpConversation& conversation,
                                         CmpIssued issued, std::optional<std::string> refusal) {
  crypto::CmpStatusInfo status;
  if (refusal) status = {CmpStatus::rejection, *refusal, crypto::CmpFailure::bad_cert_template};
  CAHN_CO_TRY(Bytes content, crypto::cmp_confirmation(issued.certificate, issued.id, status));
  auto confirming =
      cmp_exchange(std::move(connection), std::move(parties), conversation, CmpBody::cert_conf, std::move(content));
  CAHN_CO_TRY(const CmpMessage message, co_await std::move(confirming));
  if (message.body() != CmpBody::pki_conf) co_return unexpected_body(message);
  co_return Result<void>{};
}

}  // namespace cahn::pki
