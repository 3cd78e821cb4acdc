// The client's half of CMP (RFC 9483), on a connection the caller already has: what a pledge and a registration
// authority have in common. Messages are signed, answers must be; by whom is the caller's to judge.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "crypto/cmp.h"
#include "crypto/tls.h"
#include "net/http.h"
#include "pki/issuer.h"

namespace cahn::pki {

// One transaction with a server: between two messages, only this is needed to go on.
struct CmpConversation {
  static CmpConversation begin() { return {random_bytes(crypto::CmpHeader::min_nonce), {}, {}, 0, false}; }

  Bytes id;             // transactionID
  Bytes our_nonce;      // of our last message
  Bytes its_nonce;      // of the server's last message
  int request = 0;      // certReqId
  bool broken = false;  // the server ended it with an error message
};

// Who speaks with whom.
struct CmpParties {
  crypto::TlsIdentity signer;  // of our messages; its chain goes along
  Bytes recipient;             // GeneralName, DER
  std::string path;            // of the server's URL
  // Whether the signer of an answer, and the certificates that came with it, are of the party that is asked.
  std::function<Result<void>(const crypto::Certificate& signer, std::span<const crypto::Certificate> others)> check;
};

// Sends the next message of a conversation. The answer is signed by whom `check` accepts and belongs to the message.
// Errors: not_offered (404, 405, 501: no CMP here), server_refused (an error message, or another status), unavailable
// (5xx), bad_answer, or the connection's.
net::awaitable<Result<crypto::CmpMessage>> cmp_exchange(std::shared_ptr<net::HttpConnection>,
                                                        std::shared_ptr<const CmpParties>, CmpConversation&,
                                                        crypto::CmpBody, Bytes content);

// The CA certificates a server tells (RFC 9483 4.3.1, genm). Errors: cmp_exchange's.
net::awaitable<Result<std::vector<crypto::Certificate>>> cmp_ca_certificates(std::shared_ptr<net::HttpConnection>,
                                                                             std::shared_ptr<const CmpParties>);

// What a request for a certificate was answered with.
struct CmpIssued {
  crypto::Certificate certificate;
  int id = 0;              // certReqId, for the confirmation
  bool confirmed = false;  // implicitly: no certConf is to be sent
};
struct CmpLater {
  std::optional<std::chrono::seconds> check_after;
};
using CmpAnswer = std::variant<CmpIssued, CmpLater>;

// Asks with ir, or, in a conversation that has begun and waits, polls. Errors: as cmp_exchange's; server_refused for a
// rejection.
net::awaitable<Result<CmpAnswer>> cmp_ask(std::shared_ptr<net::HttpConnection>, std::shared_ptr<const CmpParties>,
                                          CmpConversation&, Bytes request);

// Confirms a certificate or, with `refusal`, rejects it (RFC 9483 4.1.1), which has the CA revoke it.
net::awaitable<Result<void>> cmp_confirm(std::shared_ptr<net::HttpConnection>, std::shared_ptr<const CmpParties>,
                                         CmpConversation&, CmpIssued, std::optional<std::string> refusal);

}  // namespace cahn::pki
