#include <map>
#include <mutex>

#include "crypto/cmp.h"
#include "crypto/digest.h"
#include "pki/upstream.h"

namespace cahn::pki {
namespace {

using crypto::CmpBody;
using crypto::CmpMessage;
using crypto::CmpStatus;

// One transaction with the CA: between two messages, only this is needed to go on.
struct Conversation {
  Bytes id;         // transactionID
  Bytes our_nonce;  // of our last message
  Bytes its_nonce;  // of the CA's last message
  int request = 0;  // certReqId
};

struct Pending {
  std::optional<Conversation> conversation;  // none: it is being worked on
  Time ends;
};

class CmpIssuer final : public Issuer {
 public:
  CmpIssuer(UpstreamOptions options, net::Url url, std::optional<crypto::TlsContext> tls, Bytes recipient,
            const Clock& clock)
      : options_(std::move(options)),
        url_(std::move(url)),
        tls_(std::move(tls)),
        recipient_(std::move(recipient)),
        clock_(clock) {}

  std::vector<crypto::Certificate> ca_certificates() const override { return options_.ca_certificates; }
  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override;

 private:
  using Connection = std::shared_ptr<net::HttpConnection>;

  net::awaitable<Result<Connection>> connect() const;
  net::awaitable<Result<CmpMessage>> exchange(Connection, Conversation&, CmpBody, Bytes content) const;
  Result<CmpMessage> read(const net::HttpResponse&, const Conversation&) const;
  net::awaitable<Result<crypto::Certificate>> converse(const IssueRequest&, Conversation&) const;
  net::awaitable<Result<crypto::Certificate>> conclude(const IssueRequest&, Connection, Conversation&,
                                                       crypto::CmpCertificateAnswer, bool confirmed) const;

  Result<Conversation> begin(const crypto::Sha256& name);
  void finish(const crypto::Sha256& name, std::optional<Conversation> go_on);

  const UpstreamOptions options_;
  const net::Url url_;
  const std::optional<crypto::TlsContext> tls_;
  const Bytes recipient_;
  const Clock& clock_;

  std::mutex mutex_;
  std::map<crypto::Sha256, Pending> pending_;
};

crypto::Sha256 name_of(const IssueRequest& request) {
  Bytes all = request.csr.der();
  const std::string subject = crypto::to_text(request.subject);
  all.insert(all.end(), subject.begin(), subject.end());
  return crypto::sha256(all);
}

// The conversation that waits for this request, or a new one.
Result<Conversation> CmpIssuer::begin(const crypto::Sha256& name) {
  const Time now = clock_.now();
  const std::lock_guard lock(mutex_);
  std::erase_if(pending_, [&](const auto& entry) { return entry.second.conversation && entry.second.ends <= now; });
  const auto found = pending_.find(name);
  if (found != pending_.end()) {
    if (!found->second.conversation) return fail(PkiError::undecided, "this request is being asked about already");
    return *std::exchange(found->second.conversation, std::nullopt);
  }
  if (pending_.size() >= options_.max_pending) {
    return fail(PkiError::unavailable, "too many requests wait for the upstream CA");
  }
  pending_.emplace(name, Pending{std::nullopt, now + options_.pending});
  return Conversation{random_bytes(crypto::CmpHeader::min_nonce), {}, {}, 0};
}

void CmpIssuer::finish(const crypto::Sha256& name, std::optional<Conversation> go_on) {
  const std::lock_guard lock(mutex_);
  if (go_on) {
    pending_[name].conversation = std::move(go_on);
  } else {
    pending_.erase(name);
  }
}

net::awaitable<Result<CmpIssuer::Connection>> CmpIssuer::connect() const {
  net::Endpoint endpoint = url_.endpoint;
  auto opening = net::HttpConnection::open(std::move(endpoint), tls_ ? &*tls_ : nullptr, options_.limits);
  CAHN_CO_TRY(auto opened, co_await std::move(opening));
  co_return Connection(std::move(opened));
}

// RFC 9483 3.5: the answer is signed by somebody of the CA, and belongs to our message.
Result<CmpMessage> CmpIssuer::read(const net::HttpResponse& response, const Conversation& conversation) const {
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

net::awaitable<Result<CmpMessage>> CmpIssuer::exchange(Connection connection, Conversation& conversation, CmpBody body,
                                                       Bytes content) const {
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
  const auto error = crypto::read_cmp_error(message);
  co_return fail(PkiError::server_refused, "the CA answered with an error: " + (error ? error->text : "unreadable"));
}

// The first request: the client's own where it is for just what was granted, else ours.
Result<std::pair<CmpBody, Bytes>> first_message(const IssueRequest& request) {
  const crypto::Csr& csr = request.csr;
  const bool as_granted =
      csr.subject() == request.subject && csr.uris() == request.uris && csr.dns_names() == request.dns_names;
  if (!csr.is_crmf() && as_granted) return std::pair(CmpBody::p10cr, csr.der());
  CAHN_TRY(Bytes content, crypto::cmp_ra_request(request.subject, csr.public_key(), request.dns_names, request.uris));
  return std::pair(CmpBody::cr, std::move(content));
}

net::awaitable<Result<crypto::Certificate>> CmpIssuer::converse(const IssueRequest& request,
                                                                Conversation& conversation) const {
  auto connecting = connect();
  CAHN_CO_TRY(auto connection, co_await std::move(connecting));
  const bool first = conversation.our_nonce.empty();
  CmpBody body = CmpBody::poll_req;
  Bytes content;
  if (first) {
    CAHN_CO_TRY(auto message, first_message(request));
    body = message.first;
    content = std::move(message.second);
  } else {
    content = crypto::cmp_poll(conversation.request);
  }
  auto asking = exchange(connection, conversation, body, std::move(content));
  CAHN_CO_TRY(const CmpMessage message, co_await std::move(asking));
  if (message.body() == CmpBody::poll_rep) co_return fail(PkiError::undecided, "the CA has not decided");
  if (message.body() != CmpBody::cp) {
    co_return fail(PkiError::bad_answer, "the CA answered with " + crypto::cmp_body_name(message.body()));
  }
  CAHN_CO_TRY(auto answer, crypto::read_cmp_answer(message));
  conversation.request = answer.id;
  if (answer.status.status == CmpStatus::waiting) co_return fail(PkiError::undecided, "the CA has not decided");
  if (answer.status.status == CmpStatus::rejection || !answer.certificate) {
    co_return fail(PkiError::server_refused, "the CA rejects the request: " + answer.status.text);
  }
  auto concluding = conclude(request, connection, conversation, std::move(answer), message.header().implicit_confirm);
  co_return co_await std::move(concluding);
}

// Takes the certificate or rejects it, and tells the CA which.
net::awaitable<Result<crypto::Certificate>> CmpIssuer::conclude(const IssueRequest& request, Connection connection,
                                                                Conversation& conversation,
                                                                crypto::CmpCertificateAnswer answer,
                                                                bool confirmed) const {
  const auto checked = check_upstream_certificate(*answer.certificate, request, options_, clock_.now());
  if (!confirmed) {
    crypto::CmpStatusInfo status;
    if (!checked) status = {CmpStatus::rejection, checked.error().message, crypto::CmpFailure::bad_cert_template};
    CAHN_CO_TRY(Bytes content, crypto::cmp_confirmation(*answer.certificate, answer.id, status));
    auto confirming = exchange(connection, conversation, CmpBody::cert_conf, std::move(content));
    const auto reply = co_await std::move(confirming);
    // RFC 9483 4.1.1: without pkiConf the CA may yet revoke it.
    if (checked && !reply) co_return std::unexpected(reply.error());
    if (checked && reply->body() != CmpBody::pki_conf) {
      co_return fail(PkiError::bad_answer, "the CA did not confirm the confirmation");
    }
  }
  if (!checked) co_return std::unexpected(checked.error());
  co_return *std::move(answer.certificate);
}

boost::asio::awaitable<Result<IssuedCertificate>> CmpIssuer::issue(IssueRequest request) {
  const crypto::Sha256 name = name_of(request);
  CAHN_CO_TRY(Conversation conversation, begin(name));
  auto conversing = converse(request, conversation);
  auto issued = co_await std::move(conversing);
  const bool undecided = !issued && issued.error().code == PkiError::undecided;
  finish(name, undecided ? std::optional(conversation) : std::nullopt);
  if (issued) co_return IssuedCertificate{*std::move(issued), options_.ca_certificates};
  co_return upstream_failure(options_.url, issued.error());
}

}  // namespace

Result<std::unique_ptr<Issuer>> cmp_issuer(UpstreamOptions options, const Clock& clock) {
  CAHN_TRY(auto url, net::parse_url(options.url));
  if (options.ca_certificates.empty()) {
    return fail(PkiError::bad_request, "an upstream CA needs its certificate named");
  }
  CAHN_TRY(Bytes recipient, crypto::general_name(options.ca_certificates.front().subject()));
  std::optional<crypto::TlsContext> tls;
  if (url.tls) {
    CAHN_TRY(tls, crypto::TlsContext::client({.identity = options.identity, .anchors = options.tls_anchors}));
  }
  return std::make_unique<CmpIssuer>(std::move(options), std::move(url), std::move(tls), std::move(recipient), clock);
}

}  // namespace cahn::pki
