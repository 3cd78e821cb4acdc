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
  auto parties = std::make_shared<CmpParties>();
  CAHN_TRY(parties->recipient, crypto::general_name(options.ca_certificates.front().subject()));
  parties->signer = options.identity;
  parties->path = url.path;
  parties->check = [anchors = options.ca_anchors, &clock](const crypto::Certificate& signer,
                                                          std::span<const crypto::Certificate> others) -> Result<void> {
    CAHN_CHECK(crypto::verify_chain(signer, others, anchors, clock.now()));
    return {};
  };
  std::optional<crypto::TlsContext> tls;
  if (url.tls) {
    CAHN_TRY(tls, crypto::TlsContext::client({.identity = options.identity, .anchors = options.tls_anchors}));
  }
  return std::unique_ptr<CmpChannel>(
      new CmpChannel(std::move(options), std::move(url), std::move(tls), std::move(parties)));
}

net::awaitable<Result<CmpChannel::Connection>> CmpChannel::connect() const {
  net::Endpoint endpoint = url_.endpoint;
  auto opening = net::HttpConnection::open(std::move(endpoint), tls_ ? &*tls_ : nullptr, options_.limits);
  CAHN_CO_TRY(auto opened, co_await std::move(opening));
  co_return Connection(std::move(opened));
}

net::awaitable<Result<CmpMessage>> CmpChannel::exchange(Connection connection, CmpConversation& conversation,
                                                        CmpBody body, Bytes content) const {
  return cmp_exchange(std::move(connection), parties_, conversation, body, std::move(content));
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
