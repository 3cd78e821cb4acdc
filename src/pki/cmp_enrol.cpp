// CMP's certificate requests from the first message to the confirmation.

#include <algorithm>

#include "base/log.h"
#include "pki/cmp_server_impl.h"

namespace cahn::pki::cmp {
namespace {

CmpBody answer_to(CmpBody request) {
  if (request == CmpBody::ir) return CmpBody::ip;
  return request == CmpBody::kur ? CmpBody::kup : CmpBody::cp;
}

// Whether a certificate is one of our CA's, by name and signature; what it is worth is the authority's to say.
bool is_of_our_ca(const Server& server, const crypto::Certificate& certificate) {
  const auto issued_it = [&](const crypto::Certificate& ca) {
    return ca.subject() == certificate.issuer() && certificate.signed_by(ca.public_key());
  };
  return std::ranges::any_of(server.issuer.ca_certificates(), issued_it) ||
         std::ranges::any_of(server.issuer.rollover_certificates(), issued_it);
}

// kur always renews; cr and p10cr renew when one of our own certificates signed them, and enrol otherwise.
bool is_renewal(const Server& server, CmpBody request, const Chain& client) {
  return request == CmpBody::kur || (request != CmpBody::ir && is_of_our_ca(server, client.front()));
}

Answered<crypto::CmpCertificateRequest> read_request(const Server& server, const Exchange& exchange) {
  auto request = crypto::read_cmp_request(exchange.message, is_registration_authority(server, exchange.client));
  if (!request) {
    const bool no_possession = request.error().code == crypto::CryptoError::bad_signature;
    return refuse(no_possession ? CmpFailure::bad_pop : CmpFailure::bad_data_format, request.error().message);
  }
  const crypto::Certificate& signer = exchange.client.front();
  if (request->csr.public_key() == signer.public_key()) {
    return refuse(CmpFailure::bad_cert_template,
                  "the request is for the key of the certificate that signs it; make a fresh one");
  }
  if (exchange.message.body() != CmpBody::kur) return *std::move(request);
  // RFC 9483 4.1.3
  if (!is_of_our_ca(server, signer)) {
    return refuse(CmpFailure::bad_message_check, "a key update must be signed with the certificate to be updated");
  }
  if (request->old_serial_hex && *request->old_serial_hex != signer.serial_hex()) {
    return refuse(CmpFailure::bad_cert_id, "oldCertID is not the certificate that signs the request");
  }
  return *std::move(request);
}

net::awaitable<Result<EnrolmentGrant>> ask(ServerPtr server, Chain client, crypto::Csr csr, bool renewal) {
  if (is_registration_authority(*server, client)) {
    EnrolmentGrant grant;
    grant.subject = csr.subject();
    grant.uris = csr.uris();
    co_return grant;
  }
  auto asked = renewal ? server->authority.may_reenrol(std::move(client), std::move(csr))
                       : server->authority.may_enrol(std::move(client), std::move(csr));
  co_return co_await std::move(asked);
}

net::awaitable<Result<IssuedCertificate>> issue(ServerPtr server, Chain client, crypto::Csr csr, bool renewal) {
  const bool by_ra = is_registration_authority(*server, client);
  auto asking = ask(server, client, csr, renewal);
  CAHN_CO_TRY(const EnrolmentGrant grant, co_await std::move(asking));
  IssueRequest request{std::move(csr), grant.profile, grant.subject, {}, grant.uris, {}};
  auto issuing = server->issuer.issue(std::move(request));
  CAHN_CO_TRY(IssuedCertificate issued, co_await std::move(issuing));
  if (!by_ra) {
    auto recording = server->authority.enrolled(std::move(client), issued.certificate, renewal);
    CAHN_CO_CHECK(co_await std::move(recording));
  }
  co_return issued;
}

Bytes answer_content(const CmpTransaction& transaction, CmpStatusInfo status) {
  crypto::CmpCertificateAnswer answer;
  answer.id = transaction.id;
  answer.status = std::move(status);
  return crypto::cmp_certificate_answer(answer);
}

Reply certificate_reply(const Server& server, const CmpTransaction& transaction, const IssuedCertificate& issued,
                        bool as_asked) {
  crypto::CmpCertificateAnswer answer;
  answer.id = transaction.id;
  answer.status.status = as_asked ? CmpStatus::accepted : CmpStatus::granted_with_mods;
  answer.certificate = issued.certificate;
  if (transaction.request == CmpBody::ir && server.options.ca_certificates_in_ip) {
    answer.ca_certificates = server.issuer.ca_certificates();
  }
  return {answer_to(transaction.request), crypto::cmp_certificate_answer(answer), transaction.implicit_confirm,
          issued.chain};
}

// Tries to have the certificate of a transaction issued, now or again. The transaction is reserved when it begins; it
// ends, waits for a decision, or waits for its confirmation.
net::awaitable<Reply> attempt(ServerPtr server, ExchangePtr exchange, CmpTransaction transaction) {
  const Bytes id = exchange->message.header().transaction_id;
  const bool renewal = is_renewal(*server, transaction.request, exchange->client);
  auto issuing = issue(server, exchange->client, *transaction.csr, renewal);
  const auto issued = co_await std::move(issuing);
  const Time now = server->clock.now();
  if (!issued && issued.error().code == PkiError::undecided) {
    const bool first = transaction.nonce.empty();
    transaction.nonce = exchange->nonce;
    if (first) transaction.ends = now + server->options.poll_wait;
    Reply later;
    if (exchange->message.body() == CmpBody::poll_req) {
      later = {
          CmpBody::poll_rep, crypto::cmp_poll_answer({transaction.id, server->options.check_after.count()}), false, {}};
    } else {
      later = {answer_to(transaction.request),
               answer_content(transaction, {CmpStatus::waiting, issued.error().message, std::nullopt}),
               false,
               {}};
    }
    server->transactions.keep(id, std::move(transaction));
    co_return later;
  }
  if (!issued) {
    server->transactions.end(id);
    const auto status = rejection(refusal_of(issued.error()));
    co_return Reply{answer_to(transaction.request), answer_content(transaction, status), false, {}};
  }
  const bool as_asked = issued->certificate.subject() == transaction.csr->subject();
  Reply reply = certificate_reply(*server, transaction, *issued, as_asked);
  if (transaction.implicit_confirm) {
    server->transactions.end(id);
    co_return reply;
  }
  transaction.state = CmpTransaction::State::unconfirmed;
  transaction.nonce = exchange->nonce;
  transaction.csr.reset();
  transaction.issued = issued->certificate;
  transaction.ends = now + server->options.confirm_wait;
  server->transactions.keep(id, std::move(transaction));
  co_return reply;
}

// The transaction that a later message of its client goes on with; reserved for us.
Answered<CmpTransaction> resume(Server& server, const Exchange& exchange, CmpTransaction::State state) {
  const crypto::CmpHeader& header = exchange.message.header();
  auto found = server.transactions.take(header.transaction_id);
  if (!found) return refuse(CmpFailure::bad_request, "there is no such transaction, or it is being worked on");
  std::optional<Refusal> wrong;
  if (found->sender != exchange.sender) {
    wrong = Refusal{CmpFailure::bad_message_check, "the message is not signed by who began the transaction"};
  } else if (found->nonce != header.recipient_nonce) {
    wrong = Refusal{CmpFailure::bad_recipient_nonce, "recipNonce is not the nonce of our last message"};
  } else if (found->state != state) {
    wrong = Refusal{CmpFailure::bad_request, "the transaction is not at that step"};
  }
  if (!wrong) return *std::move(found);
  server.transactions.keep(header.transaction_id, *std::move(found));
  return std::unexpected(*wrong);
}

net::awaitable<void> withdraw(ServerPtr server, crypto::Certificate certificate, std::string why) {
  log::info("CMP_NOT_CONFIRMED", "a certificate was not confirmed and is revoked",
            {{"serial", certificate.serial_hex()}, {"why", why}});
  if (!server->options.revoke) co_return;
  auto revoking = server->options.revoke(certificate.serial_hex(), crypto::RevocationReason::cessation);
  const auto revoked = co_await std::move(revoking);
  if (!revoked) {
    log::error("CMP_NOT_REVOKED", "a certificate that was not confirmed could not be revoked",
               {{"serial", certificate.serial_hex()}, {"error", revoked.error().message}});
  }
}

}  // namespace

bool is_registration_authority(const Server& server, const Chain& client) {
  if (client.empty() || server.options.registration_authorities.empty()) return false;
  if (server.options.is_known_authority && !server.options.is_known_authority(client.front())) return false;
  return client.front().has_extended_key_usage(crypto::oid_cmc_ra) &&
         crypto::verify_chain(client.front(), client, server.options.registration_authorities, server.clock.now());
}

// What the CA or the authority said, as CMP says it. What is a fault of ours is logged, not told.
Refusal refusal_of(const Error& error) {
  if (error.code == PkiError::not_authorized) return {CmpFailure::not_authorized, error.message};
  if (error.code == PkiError::not_permitted) return {CmpFailure::bad_cert_template, error.message};
  if (error.code == PkiError::bad_request) return {CmpFailure::bad_request, error.message};
  log::error("CMP_UNAVAILABLE", "a CMP request failed for a fault of our own",
             {{"code", std::string(error.code.name())}, {"error", error.message}});
  return {CmpFailure::system_unavailable, "this is not possible at the moment"};
}

net::awaitable<Answered<Reply>> request_certificate(ServerPtr server, ExchangePtr exchange) {
  auto request = read_request(*server, *exchange);
  if (!request) co_return std::unexpected(request.error());
  const crypto::CmpHeader& header = exchange->message.header();
  if (const auto failure = server->transactions.begin(header.transaction_id, exchange->sender)) {
    co_return refuse(*failure, *failure == CmpFailure::transaction_id_in_use
                                   ? "this transactionID is in use"
                                   : "too many transactions are open; finish one of yours");
  }
  CmpTransaction transaction;
  transaction.request = exchange->message.body();
  transaction.id = request->id;
  transaction.sender = exchange->sender;
  transaction.csr = std::move(request->csr);
  transaction.implicit_confirm = header.implicit_confirm && server->options.grant_implicit_confirm;
  auto trying = attempt(server, exchange, std::move(transaction));
  co_return co_await std::move(trying);
}

net::awaitable<Answered<Reply>> confirm(ServerPtr server, ExchangePtr exchange) {
  auto confirmation = crypto::read_cmp_confirmation(exchange->message);
  if (!confirmation) co_return refuse(CmpFailure::bad_data_format, confirmation.error().message);
  auto transaction = resume(*server, *exchange, CmpTransaction::State::unconfirmed);
  if (!transaction) co_return std::unexpected(transaction.error());
  server->transactions.end(exchange->message.header().transaction_id);
  const auto& said = *confirmation;
  // p10cr has no certReqId, and clients differ in what they put here.
  const bool right_id = said && (said->id == transaction->id || (transaction->id == -1 && said->id == 0));
  if (said && (!right_id || !crypto::is_hash_of(said->hash, *transaction->issued))) {
    auto withdrawing = withdraw(server, *transaction->issued, "certHash is another certificate's");
    co_await std::move(withdrawing);
    co_return refuse(CmpFailure::bad_cert_id, "certHash or certReqId is not that of the certificate");
  }
  if (!said || !said->accepted) {
    auto withdrawing = withdraw(server, *transaction->issued, "the client rejects it");
    co_await std::move(withdrawing);
  }
  co_return Reply{CmpBody::pki_conf, crypto::cmp_pki_conf(), false, {}};
}

net::awaitable<Answered<Reply>> poll(ServerPtr server, ExchangePtr exchange) {
  const auto id = crypto::read_cmp_poll(exchange->message);
  if (!id) co_return refuse(CmpFailure::bad_data_format, id.error().message);
  auto transaction = resume(*server, *exchange, CmpTransaction::State::waiting);
  if (!transaction) co_return std::unexpected(transaction.error());
  if (*id != transaction->id) {
    server->transactions.keep(exchange->message.header().transaction_id, *std::move(transaction));
    co_return refuse(CmpFailure::bad_request, "there is no request of that certReqId");
  }
  auto trying = attempt(server, exchange, *std::move(transaction));
  co_return co_await std::move(trying);
}

// RFC 9483 3.6: a client that cannot go on says so, and the transaction is over.
net::awaitable<Answered<Reply>> give_up(ServerPtr server, ExchangePtr exchange) {
  auto transaction = resume(*server, *exchange, CmpTransaction::State::unconfirmed);
  if (!transaction) co_return std::unexpected(transaction.error());
  server->transactions.end(exchange->message.header().transaction_id);
  auto withdrawing = withdraw(server, *transaction->issued, "the client reports an error");
  co_await std::move(withdrawing);
  co_return Reply{CmpBody::pki_conf, crypto::cmp_pki_conf(), false, {}};
}

net::awaitable<void> sweep(ServerPtr server) {
  for (auto& over : server->transactions.expire(server->clock.now())) {
    if (!over.issued) continue;
    auto withdrawing = withdraw(server, *std::move(over.issued), "its time is over");
    co_await std::move(withdrawing);
  }
}

}  // namespace cahn::pki::cmp
