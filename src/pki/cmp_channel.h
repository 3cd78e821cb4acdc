// Signed CMP messages to a CA elsewhere and back (RFC 9483 3): what issuing and revoking there have in common. Internal
// to this room.
//
// Threads: safe from any thread; a conversation belongs to one coroutine at a time.

#pragma once

#include <memory>
#include <optional>

#include "pki/cmp_client.h"
#include "pki/upstream.h"

namespace cahn::pki {

class CmpChannel {
 public:
  using Connection = std::shared_ptr<net::HttpConnection>;

  // Errors: bad_request.
  static Result<std::unique_ptr<CmpChannel>> create(UpstreamOptions, const Clock&);

  const UpstreamOptions& options() const { return options_; }
  net::awaitable<Result<Connection>> connect() const;
  // As cmp_exchange; the answer must be signed by somebody of the CA.
  net::awaitable<Result<crypto::CmpMessage>> exchange(Connection, CmpConversation&, crypto::CmpBody,
                                                      Bytes content) const;
  // Fetches a document of the CA's server, by its path there. Errors: unavailable, or the connection's.
  net::awaitable<Result<Bytes>> fetch(std::string path) const;

 private:
  CmpChannel(UpstreamOptions options, net::Url url, std::optional<crypto::TlsContext> tls,
             std::shared_ptr<const CmpParties> parties)
      : options_(std::move(options)), url_(std::move(url)), tls_(std::move(tls)), parties_(std::move(parties)) {}

  const UpstreamOptions options_;
  const net::Url url_;
  const std::optional<crypto::TlsContext> tls_;
  const std::shared_ptr<const CmpParties> parties_;
};

// Whether an error means that the CA was not reached, or is in trouble, so that asking again later makes sense.
bool is_away(const Error&);

}  // namespace cahn::pki
