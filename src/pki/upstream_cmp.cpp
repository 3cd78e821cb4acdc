#include <map>
#include <mutex>

#include "base/log.h"
#include "crypto/digest.h"
#include "pki/cmp_channel.h"

namespace cahn::pki {
namespace {

using crypto::CmpBody;
using crypto::CmpMessage;
using crypto::CmpStatus;

struct Pending {
  std::optional<CmpConversation> conversation;  // none: it is being worked on
  Time ends;
};

class CmpIssuer final : public Issuer {
 public:
  CmpIssuer(std::unique_ptr<CmpChannel> channel, const Clock& clock)
      : channel_(std::move(channel)), options_(channel_->options()), clock_(clock) {}

  std::vector<crypto::Certificate> ca_certificates() const override { return options_.ca_certificates; }
  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override;

 private:
  using Connection = CmpChannel::Connection;

  net::awaitable<Result<crypto::Certificate>> converse(const IssueRequest&, CmpConversation&) const;
  net::awaitable<Result<crypto::Certificate>> conclude(const IssueRequest&, Connection, CmpConversation&,
                                                       crypto::CmpCertificateAnswer, bool confirmed) const;

  Result<CmpConversation> begin(const crypto::Sha256& name);
  void finish(const crypto::Sha256& name, std::optional<CmpConversation> go_on);

  const std::unique_ptr<CmpChannel> channel_;
  const UpstreamOptions& options_;
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
Result<CmpConversation> CmpIssuer::begin(const crypto::Sha256& name) {
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
  return CmpConversation::begin();
}

void CmpIssuer::finish(const crypto::Sha256& name, std::optional<CmpConversation> go_on) {
  const std::lock_guard lock(mutex_);
  if (go_on) {
    pending_[name].conversation = std::move(go_on);
  } else {
    pending_.erase(name);
  }
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
                                                                CmpConversation& conversation) const {
  auto connecting = channel_->connect();
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
  auto asking = channel_->exchange(connection, conversation, body, std::move(content));
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
                                                                CmpConversation& conversation,
                                                                crypto::CmpCertificateAnswer answer,
                                                                bool confirmed) const {
  const auto checked = check_upstream_certificate(*answer.certificate, request, options_, clock_.now());
  if (!confirmed) {
    crypto::CmpStatusInfo status;
    if (!checked) status = {CmpStatus::rejection, checked.error().message, crypto::CmpFailure::bad_cert_template};
    CAHN_CO_TRY(Bytes content, crypto::cmp_confirmation(*answer.certificate, answer.id, status));
    auto confirming = channel_->exchange(connection, conversation, CmpBody::cert_conf, std::move(content));
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
  CAHN_CO_TRY(CmpConversation conversation, begin(name));
  const bool polls = !conversation.our_nonce.empty();
  auto conversing = converse(request, conversation);
  auto issued = co_await std::move(conversing);
  finish(name, !issued && issued.error().code == PkiError::undecided ? std::optional(conversation) : std::nullopt);
  if (issued) co_return IssuedCertificate{*std::move(issued), options_.ca_certificates};
  // A CA that was away may have forgotten what it was about to decide: the next request begins anew.
  const bool forgotten = polls && conversation.broken;
  if (options_.wait_while_away && (is_away(issued.error()) || forgotten)) {
    log::warning("PKI_UPSTREAM_AWAY", "the upstream CA cannot be asked at the moment; the client comes again",
                 {{"url", options_.url}, {"error", issued.error().message}});
    co_return fail(PkiError::undecided, "the CA cannot be asked at the moment");
  }
  co_return upstream_failure(options_.url, issued.error());
}

}  // namespace

Result<std::unique_ptr<Issuer>> cmp_issuer(UpstreamOptions options, const Clock& clock) {
  CAHN_TRY(auto channel, CmpChannel::create(std::move(options), clock));
  return std::make_unique<CmpIssuer>(std::move(channel), clock);
}

}  // namespace cahn::pki
