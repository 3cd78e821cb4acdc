#include "crypto/chain.h"

#include <algorithm>

#include "crypto/asn1.h"

namespace cahn::crypto {
namespace {

constexpr int max_depth = 10;                  // intermediates in a path
constexpr std::size_t max_intermediates = 20;  // offered by the peer
constexpr int security_level = 2;              // 112 bits: no SHA-1, no RSA below 2048

// With CRLs in the store OpenSSL demands one at every step. We demand one for the leaf, unless the leaf is the anchor.
int forgive_missing_crls(int ok, X509_STORE_CTX* context) {
  if (ok == 1) return 1;
  const int error = X509_STORE_CTX_get_error(context);
  if (error != X509_V_ERR_UNABLE_TO_GET_CRL && error != X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER) return 0;
  const int depth = X509_STORE_CTX_get_error_depth(context);
  const int anchor = sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1;
  const bool forgiven = depth == anchor || (depth > 0 && error == X509_V_ERR_UNABLE_TO_GET_CRL);
  if (forgiven) X509_STORE_CTX_set_error(context, X509_V_OK);
  return forgiven ? 1 : 0;
}

CryptoError meaning(int x509_error) {
  switch (x509_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
      return CryptoError::expired;
    case X509_V_ERR_CERT_REVOKED:
      return CryptoError::revoked;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
      return CryptoError::bad_signature;
    case X509_V_ERR_OUT_OF_MEM:
    case X509_V_ERR_UNSPECIFIED:
      return CryptoError::internal;
    default:
      return CryptoError::untrusted;
  }
}

void set_parameters(X509_STORE_CTX* context, std::optional<Time> at) {
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_depth(parameters, max_depth);
  X509_VERIFY_PARAM_set_auth_level(parameters, security_level);
  if (at) {
    X509_VERIFY_PARAM_set_time(parameters, seconds_since_epoch(*at));
  } else {
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME);
  }
}

}  // namespace

TrustStore::TrustStore(std::vector<Certificate> anchors, std::vector<Crl> crls) : anchors_(std::move(anchors)) {
  if (anchors_.empty()) return;
  const ErrorScope scope;
  StorePtr store(X509_STORE_new());
  if (!store) std::abort();
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  for (const auto& anchor : anchors_) X509_STORE_add_cert(store.get(), anchor.handle());
  for (const auto& crl : crls) X509_STORE_add_crl(store.get(), crl.handle());
  if (!crls.empty()) {
    flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_STORE_set_verify_cb(store.get(), forgive_missing_crls);
  }
  X509_STORE_set_flags(store.get(), flags);
  store_ = std::move(store);
}

Result<std::vector<Certificate>> verify_chain(const Certificate& leaf, std::span<const Certificate> intermediates,
                                              const TrustStore& anchors, std::optional<Time> at) {
  const ErrorScope scope;
  if (anchors.empty()) return fail(CryptoError::untrusted, "there are no trust anchors");
  if (intermediates.size() > max_intermediates) {
    return fail(CryptoError::untrusted, "a chain with more than 20 further certificates");
  }
  const X509BorrowedStackPtr untrusted(sk_X509_new_null());
  for (const auto& certificate : intermediates) sk_X509_push(untrusted.get(), certificate.handle());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!context || X509_STORE_CTX_init(context.get(), anchors.handle(), leaf.handle(), untrusted.get()) != 1) {
    return openssl_failure(CryptoError::internal, "preparing the path validation");
  }
  set_parameters(context.get(), at);
  if (X509_verify_cert(context.get()) != 1) {
    const int error = X509_STORE_CTX_get_error(context.get());
    const int depth = X509_STORE_CTX_get_error_depth(context.get());
    return fail(meaning(error), "the certificate of " + leaf.subject_text() + ": " +
                                    X509_verify_cert_error_string(error) + " (at depth " + std::to_string(depth) + ")");
  }

  // The path is made of the very objects that went in.
  std::vector<Certificate> path;
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(context.get());
  const auto same = [](const X509* x) { return [x](const Certificate& c) { return c.handle() == x; }; };
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    const X509* x509 = sk_X509_value(chain, i);
    const auto offered = std::find_if(intermediates.begin(), intermediates.end(), same(x509));
    const auto anchor = std::find_if(anchors.anchors().begin(), anchors.anchors().end(), same(x509));
    if (x509 == leaf.handle()) {
      path.push_back(leaf);
    } else if (offered != intermediates.end()) {
      path.push_back(*offered);
    } else if (anchor != anchors.anchors().end()) {
      path.push_back(*anchor);
    } else {
      return fail(CryptoError::internal, "a path over a certificate that nobody gave");
    }
  }
  return path;
}

}  // namespace cahn::crypto
