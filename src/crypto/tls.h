// TLS endpoints: what an SSL_CTX must know, TLS 1.2 with AEAD suites and TLS 1.3 only, no renegotiation, no
// compression, no resumption by default.
//
// Threads: a TlsContext is immutable and safe to share.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "crypto/chain.h"

struct ssl_ctx_st;
struct ssl_st;

namespace cahn::crypto {

struct TlsIdentity {
  std::vector<Certificate> chain;  // leaf first
  PrivateKeyPtr key;
};

// How a peer's certificate is treated in the handshake. The signature that proves its key is always checked.
enum class PeerCheck {
  anchors,      // must lead to an anchor; a client also checks the server's name; else the handshake fails
  provisional,  // taken as it comes; the caller judges the chain afterwards (RFC 8995 5.1; decision 63 for servers)
  none          // a server that does not ask for one
};

struct TlsClientOptions {
  std::optional<TlsIdentity> identity;
  PeerCheck check = PeerCheck::anchors;
  TrustStore anchors;
  bool ask_status = false;  // asks the server for an OCSP response on its certificate (RFC 6066 8)
  bool tls12_only = false;  // for what needs tls-unique, which TLS 1.3 does not have (decision 71)
};

// DER of an OCSP response on a server's own certificate, empty when there is none at the moment. Called in handshakes,
// from any thread; must not block.
using StatusSource = std::function<Bytes()>;

struct TlsServerOptions {
  TlsIdentity identity;
  PeerCheck check = PeerCheck::provisional;
  bool client_certificate_required = false;  // with `anchors`: no certificate, no handshake
  TrustStore anchors;
  StatusSource status{};  // stapled for clients that ask; empty: nothing is
};

class TlsContext {
 public:
  static Result<TlsContext> client(const TlsClientOptions&);
  static Result<TlsContext> server(const TlsServerOptions&);
  ssl_ctx_st* handle() const { return context_.get(); }  // borrowed
  bool checks_names() const { return checks_names_; }    // a client with PeerCheck::anchors
  // A server's own leaf, as it shows it: what a pledge must name in proximity-registrar-cert.
  const std::optional<Certificate>& own_leaf() const { return own_leaf_; }

 private:
  std::shared_ptr<ssl_ctx_st> context_;
  bool checks_names_ = false;
  std::optional<Certificate> own_leaf_;
};

// The peer's chain as it was sent, leaf first; empty when it sent none. Works for both sides, also when unverified.
Result<std::vector<Certificate>> peer_chain(const ssl_st*);

// The OCSP response that a server stapled, unread and at most 64 KiB; empty when there is none. On a client.
Bytes stapled_status(const ssl_st*);

// The channel binding tls-unique (RFC 5929 3): the first Finished message of the handshake, the same on both sides.
// Empty on TLS 1.3, which has none.
Bytes tls_unique(const ssl_st*);

}  // namespace cahn::crypto
