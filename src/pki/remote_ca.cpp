#include "pki/remote_ca.h"

#include <algorithm>
#include <mutex>

#include "base/log.h"
#include "pki/callback.h"
#include "pki/cmp_channel.h"
#include "pki/revocations.h"

namespace cahn::pki {
namespace {

using crypto::CmpBody;
using Reason = std::optional<crypto::RevocationReason>;

constexpr std::size_t max_crl = std::size_t{16} << 20;
// Short, so that a role that stops need not wait for a CA that does not answer.
constexpr net::ClientLimits crl_limits{std::chrono::milliseconds(1500), std::chrono::milliseconds(3000), max_crl};

class CmpRemoteCa final : public RemoteCa {
 public:
  CmpRemoteCa(std::unique_ptr<Issuer> issuer, std::unique_ptr<CmpChannel> channel,
              std::unique_ptr<CmpChannel> crl_channel, std::shared_ptr<Revocations> revocations, const Clock& clock)
      : issuer_(std::move(issuer)),
        channel_(std::move(channel)),
        crl_channel_(std::move(crl_channel)),
        revocations_(std::move(revocations)),
        clock_(clock) {}

  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override {
    return issuer_->issue(std::move(request));
  }
  std::vector<crypto::Certificate> ca_certificates() const override { return issuer_->ca_certificates(); }
  boost::asio::awaitable<Result<void>> revoke(std::string serial_hex, crypto::RevocationReason reason) override;
  boost::asio::awaitable<Result<void>> release(std::string serial_hex) override;
  Reason revocation(std::string_view serial_hex) const override {
    const auto found = revocations_->find(serial_hex);
    return found ? std::optional(found->reason) : std::nullopt;
  }
  boost::asio::awaitable<Result<void>> fetch_crl() override;

 private:
  net::awaitable<Result<void>> order(std::string serial_hex, Reason) const;
  net::awaitable<Result<void>> keep(std::string serial_hex, crypto::RevocationReason, Time at) const;
  Result<crypto::Crl> read_crl(const Bytes&) const;

  const std::unique_ptr<Issuer> issuer_;
  const std::unique_ptr<CmpChannel> channel_, crl_channel_;
  const std::shared_ptr<Revocations> revocations_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::uint64_t crl_number_ = 0;  // of the newest seen
};

// RFC 9483 4.2: rr and rp. Without a reason: removeFromCRL.
net::awaitable<Result<void>> CmpRemoteCa::order(std::string serial_hex, Reason reason) const {
  CAHN_CO_TRY(Bytes content,
              crypto::cmp_revocation(channel_->options().ca_certificates.front().subject(), serial_hex, reason));
  auto connecting = channel_->connect();
  CAHN_CO_TRY(auto connection, co_await std::move(connecting));
  CmpConversation conversation = CmpConversation::begin();
  auto asking = channel_->exchange(std::move(connection), conversation, CmpBody::rr, std::move(content));
  CAHN_CO_TRY(const auto message, co_await std::move(asking));
  if (message.body() != CmpBody::rp) {
    co_return fail(PkiError::bad_answer, "the CA answered with " + crypto::cmp_body_name(message.body()));
  }
  CAHN_CO_TRY(const auto status, crypto::read_cmp_revocation_answer(message));
  if (status.status != crypto::CmpStatus::accepted && status.status != crypto::CmpStatus::granted_with_mods) {
    co_return fail(PkiError::server_refused, "the CA does not do it: " + status.text);
  }
  co_return Result<void>{};
}

// When the certificate ends is the CA's to know.
net::awaitable<Result<void>> CmpRemoteCa::keep(std::string serial_hex, crypto::RevocationReason reason, Time at) const {
  const auto revocations = revocations_;
  const Revocation revocation{reason, at, crypto::no_expiration()};
  auto keeping = await_callback([revocations, serial_hex, revocation](std::function<void(Result<void>)> done) {
    revocations->revoke(serial_hex, revocation, std::move(done));
  });
  co_return co_await std::move(keeping);
}

boost::asio::awaitable<Result<void>> CmpRemoteCa::revoke(std::string serial_hex, crypto::RevocationReason reason) {
  auto ordering = order(serial_hex, reason);
  CAHN_CO_CHECK(co_await std::move(ordering));
  auto keeping = keep(std::move(serial_hex), reason, clock_.now());
  co_return co_await std::move(keeping);
}

boost::asio::awaitable<Result<void>> CmpRemoteCa::release(std::string serial_hex) {
  auto ordering = order(serial_hex, std::nullopt);
  CAHN_CO_CHECK(co_await std::move(ordering));
  const auto revocations = revocations_;
  auto keeping = await_callback([revocations, serial_hex](std::function<void(Result<void>)> done) {
    revocations->release(serial_hex, std::move(done));
  });
  co_return co_await std::move(keeping);
}

// RFC 5280 6.3.3: of the CA, by its signature, of now, and no older than what was seen before.
Result<crypto::Crl> CmpRemoteCa::read_crl(const Bytes& der) const {
  CAHN_TRY(auto crl, crypto::Crl::from_der(der));
  const auto made_it = [&](const crypto::Certificate& ca) { return crl.is_of(ca); };
  if (!std::ranges::any_of(channel_->options().ca_certificates, made_it)) {
    return fail(PkiError::bad_answer, "the CRL is not signed by the CA");
  }
  if (crl.next_update() < clock_.now()) return fail(PkiError::bad_answer, "the CRL is out of date");
  const std::lock_guard lock(mutex_);
  if (crl.number() < crl_number_) return fail(PkiError::bad_answer, "the CRL is older than one seen before");
  return crl;
}

boost::asio::awaitable<Result<void>> CmpRemoteCa::fetch_crl() {
  auto fetching = crl_channel_->fetch("/crl");
  CAHN_CO_TRY(const Bytes der, co_await std::move(fetching));
  CAHN_CO_TRY(const auto crl, read_crl(der));
  for (const auto& entry : crl.entries()) {
    // Holds are the registrar's own orders, and one that has just ended may still be listed.
    if (entry.reason == crypto::RevocationReason::certificate_hold) continue;
    const auto known = revocations_->find(entry.serial_hex);
    if (known && known->reason == entry.reason) continue;
    const bool settled = known && known->for_good() && entry.reason != crypto::RevocationReason::key_compromise;
    if (settled) continue;
    auto keeping = keep(entry.serial_hex, entry.reason, entry.revoked_at);
    CAHN_CO_CHECK(co_await std::move(keeping));
    log::info("PKI_REVOKED_ELSEWHERE", "the CA has revoked a certificate without an order from here",
              {{"serial", entry.serial_hex}});
  }
  const std::lock_guard lock(mutex_);
  crl_number_ = std::max(crl_number_, crl.number());
  co_return Result<void>{};
}

}  // namespace

Result<std::unique_ptr<RemoteCa>> RemoteCa::open(store::Store& store, const Clock& clock, UpstreamOptions options) {
  CAHN_TRY(const auto url, net::parse_url(options.url));
  if (!url.tls) return fail(PkiError::bad_request, "the CA's address must begin with https:");
  options.wait_while_away = true;
  CAHN_TRY(auto issuer, cmp_issuer(options, clock));
  CAHN_TRY(auto channel, CmpChannel::create(options, clock));
  options.limits = crl_limits;
  CAHN_TRY(auto crl_channel, CmpChannel::create(std::move(options), clock));
  CAHN_TRY(auto revocations, Revocations::load(store));
  return std::make_unique<CmpRemoteCa>(std::move(issuer), std::move(channel), std::move(crl_channel),
                                       std::move(revocations), clock);
}

}  // namespace cahn::pki
