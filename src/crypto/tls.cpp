#include "crypto/tls.h"

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/ocsp.h"

namespace cahn::crypto {
namespace {

// TLS 1.2: forward secrecy and AEAD only (RFC 9325 4.2). The suites of TLS 1.3 are all of that kind.
constexpr const char* tls12_suites = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr const char* signature_algorithms =
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
    "rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";
constexpr int max_depth = 10;
constexpr long max_chain_octets = 64 << 10;
constexpr unsigned char session_context[] = "cahn";

Result<SslContextPtr> new_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return openssl_failure(CryptoError::internal, "a TLS context");
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_security_level(raw, 2);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  // A resumed session would skip the certificate, and with it the decision about the device behind it.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(raw, max_chain_octets);
  SSL_CTX_set_verify_depth(raw, max_depth);
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 || SSL_CTX_set_num_tickets(raw, 0) != 1 ||
      SSL_CTX_set_cipher_list(raw, tls12_suites) != 1 || SSL_CTX_set1_groups_list(raw, groups) != 1 ||
      SSL_CTX_set1_sigalgs_list(raw, signature_algorithms) != 1 ||
      SSL_CTX_set_session_id_context(raw, session_context, sizeof session_context - 1) != 1) {
    return openssl_failure(CryptoError::internal, "the TLS settings");
  }
  return context;
}

Result<void> use_identity(SSL_CTX* context, const TlsIdentity& identity) {
  if (identity.chain.empty() || !identity.key)
    return fail(CryptoError::wrong_key, "a TLS identity without certificate or key");
  const Certificate& leaf = identity.chain.front();
  if (leaf.public_key() != identity.key->public_key()) {
    return fail(CryptoError::wrong_key, "the TLS certificate of " + leaf.subject_text() + " is for another key");
  }
  if (SSL_CTX_use_certificate(context, leaf.handle()) != 1 ||
      SSL_CTX_use_PrivateKey(context, identity.key->handle()) != 1) {
    return openssl_failure(CryptoError::unsupported, "the TLS certificate of " + leaf.subject_text());
  }
  for (std::size_t i = 1; i < identity.chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, identity.chain[i].handle()) != 1) {
      return openssl_failure(CryptoError::unsupported,
                             "the TLS chain certificate of " + identity.chain[i].subject_text());
    }
  }
  return {};
}

// Takes any chain. The handshake still proves that the peer holds the leaf's key (CertificateVerify, RFC 8446 4.4.3).
int take_any_chain(X509_STORE_CTX* context, void*) {
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

Result<void> use_anchors(SSL_CTX* context, const TrustStore& anchors) {
  // No anchors: an empty store, with which no chain ends well.
  StorePtr empty(anchors.empty() ? X509_STORE_new() : nullptr);
  X509_STORE* const store = anchors.empty() ? empty.get() : anchors.handle();
  if (store == nullptr || SSL_CTX_set1_verify_cert_store(context, store) != 1) {
    return openssl_failure(CryptoError::internal, "the TLS trust anchors");
  }
  return {};
}

Result<void> use_check(SSL_CTX* context, PeerCheck check, const TrustStore& anchors, int verify_mode) {
  SSL_CTX_set_verify(context, check == PeerCheck::none ? SSL_VERIFY_NONE : verify_mode, nullptr);
  if (check == PeerCheck::provisional) SSL_CTX_set_cert_verify_callback(context, take_any_chain, nullptr);
  if (check == PeerCheck::anchors) return use_anchors(context, anchors);
  return {};
}

// What a context keeps of its StatusSource: it goes with the context, which connections may hold longer than its owner.
int status_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* source, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<StatusSource*>(source); });
  return index;
}

int staple(SSL* ssl, void*) {
  const auto* const source = static_cast<StatusSource*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), status_index()));
  const Bytes response = source != nullptr ? (*source)() : Bytes();
  if (response.empty() || response.size() > max_ocsp_response) return SSL_TLSEXT_ERR_NOACK;
  auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
  // OpenSSL frees it.
  if (copy == nullptr || SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size())) != 1) {
    OPENSSL_free(copy);
    return SSL_TLSEXT_ERR_NOACK;
  }
  return SSL_TLSEXT_ERR_OK;
}

Result<void> use_status(SSL_CTX* context, const StatusSource& status) {
  auto source = std::make_unique<StatusSource>(status);
  if (SSL_CTX_set_ex_data(context, status_index(), source.get()) != 1 ||
      SSL_CTX_set_tlsext_status_cb(context, staple) != 1) {
    return openssl_failure(CryptoError::internal, "the TLS certificate status");
  }
  (void)source.release();  // the context's
  return {};
}

}  // namespace

Result<TlsContext> TlsContext::client(const TlsClientOptions& options) {
  const ErrorScope scope;
  if (options.check == PeerCheck::none)
    return fail(CryptoError::unsupported, "a TLS client that looks at no certificate");
  CAHN_TRY(SslContextPtr context, new_context(TLS_client_method()));
  if (options.tls12_only && SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return openssl_failure(CryptoError::internal, "the TLS version");
  }
  if (options.ask_status && SSL_CTX_set_tlsext_status_type(context.get(), TLSEXT_STATUSTYPE_ocsp) != 1) {
    return openssl_failure(CryptoError::internal, "the TLS certificate status");
  }
  if (options.identity) CAHN_CHECK(use_identity(context.get(), *options.identity));
  CAHN_CHECK(use_check(context.get(), options.check, options.anchors, SSL_VERIFY_PEER));
  TlsContext out;
  out.context_ = std::move(context);
  out.checks_names_ = options.check == PeerCheck::anchors;
  if (options.identity) out.own_leaf_ = options.identity->chain.front();
  return out;
}

Result<TlsContext> TlsContext::server(const TlsServerOptions& options) {
  const ErrorScope scope;
  CAHN_TRY(SslContextPtr context, new_context(TLS_server_method()));
  CAHN_CHECK(use_identity(context.get(), options.identity));
  const int required = options.client_certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  CAHN_CHECK(use_check(context.get(), options.check, options.anchors, SSL_VERIFY_PEER | required));
  // RFC 8995 2.3: IDevIDs carry no usages, and none may be asked of them.
  SSL_CTX_set_purpose(context.get(), X509_PURPOSE_ANY);
  if (options.status) CAHN_CHECK(use_status(context.get(), options.status));
  TlsContext out;
  out.context_ = std::move(context);
  out.own_leaf_ = options.identity.chain.front();
  return out;
}

Result<std::vector<Certificate>> peer_chain(const ssl_st* ssl) {
  const ErrorScope scope;
  std::vector<Certificate> chain;
  X509* const leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return chain;
  CAHN_TRY(Certificate first, CertificateAccess::share(leaf));
  chain.push_back(std::move(first));
  // On a client OpenSSL's list starts with the leaf, on a server it does not (SSL_get_peer_cert_chain(3)).
  const STACK_OF(X509)* const sent = SSL_get_peer_cert_chain(ssl);
  for (int i = SSL_is_server(ssl) ? 0 : 1; i < sk_X509_num(sent); ++i) {
    CAHN_TRY(Certificate next, CertificateAccess::share(sk_X509_value(sent, i)));
    chain.push_back(std::move(next));
  }
  return chain;
}

Bytes stapled_status(const ssl_st* ssl) {
  const unsigned char* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(const_cast<ssl_st*>(ssl), &response);
  if (response == nullptr || size <= 0 || static_cast<std::size_t>(size) > max_ocsp_response) return {};
  return Bytes(response, response + size);
}

Bytes tls_unique(const ssl_st* ssl) {
  if (SSL_version(ssl) != TLS1_2_VERSION) return {};
  // Without resumption the client's Finished comes first.
  Bytes finished(EVP_MAX_MD_SIZE);
  const std::size_t size = SSL_is_server(ssl) ? SSL_get_peer_finished(ssl, finished.data(), finished.size())
                                              : SSL_get_finished(ssl, finished.data(), finished.size());
  finished.resize(std::min(size, finished.size()));
  return finished;
}

}  // namespace cahn::crypto
