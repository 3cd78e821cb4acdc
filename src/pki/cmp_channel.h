// Signed CMP messages to a CA elsewhere and back (RFC 9483 3): what issuing and revoking there have in common. Internal
// to this room.
//
// Threads: safe from any thread; a conversation belongs to one coroutine at a time.

#pragma once

#include <memory>
#include <optional>

#include "crypto/cmp.h"
#include "pki/upstream.h"

namespace cahn::pki {

// One transaction with the CA: between two messages, only this is needed to go on.
struct CmpConversation {
  static CmpConversation begin() { return {random_bytes(crypto::CmpHeader::min_nonce), {}, {}, 0, false}; }

  Bytes id;             // transactionID
  Bytes our_nonce;      // of our last message
  Bytes its_nonce;      // of the CA's last message
  int request = 0;      // certReqId
  bool broken = false;  // the CA ended it with an error message
};

class CmpChannel {
 public:
  using Connection = std::shared_ptr<net::HttpConnection>;

  // Errors: bad_request.
  static Result<std::unique_ptr<CmpChannel>> create(UpstreamOptions, const Clock&);

  const UpstreamOptions& options() const { return options_; }
  net::awaitable<Result<Connection>> connect() const;
  // Sends the next message of a conversation. The answer is signed by somebody of the CA and belongs to the message; an
  // error message of the CA is server_refused. Other errors: unavailable, bad_answer, or the connection's.
  net::awaitable<Result<crypto::CmpMessage>> exchange(Connection, CmpConversation&, crypto::CmpBody,
                                                      Bytes content) const;
  // Fetches a document of the CA's server, by its path there. Errors: unavailable, or the connection's.
  net::awaitable<Result<Bytes>> fetch(std::string path) const;

 private:
  CmpChannel(UpstreamOptions options, net::Url url, std::optional<crypto::TlsContext> tls, Bytes recipient,
             const Clock& clock)
      : options_(std::move(options)),
        url_(std::move(url)),
        tls_(std::move(tls)),
        recipient_(std::move(recipient)),
        clock_(clock) {}
  Result<crypto::CmpMessage> read(const net::HttpResponse&, const CmpConversation&) const;

  const UpstreamOptions options_;
  const net::Url url_;
  const std::optional<crypto::TlsContext> tls_;
  const Bytes recipient_;
  const Clock& clock_;
};

// Whether an error means that the CA was not reached, or is in trouble, so that asking again later makes sense.
bool is_away(const Error&);

}  // namespace cahn::pki
