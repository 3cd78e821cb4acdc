#include <array>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/token.h"

namespace cahn::crypto {
namespace {

// DigestInfo of SHA-256 up to the digest (RFC 8017 9.2, note 1).
constexpr std::array<std::uint8_t, 19> sha256_info{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

class TokenKey final : public PrivateKey {
 public:
  TokenKey(std::shared_ptr<const TokenSigner> signer, PkeyPtr handle, std::string uri)
      : signer_(std::move(signer)), handle_(std::move(handle)), uri_(std::move(uri)) {}

  const PublicKey& public_key() const override { return signer_->public_key(); }
  evp_pkey_st* handle() const override { return handle_.get(); }
  const std::string& uri() const override { return uri_; }

  // Not through the handle, which could not say what is wrong with the token.
  Result<Bytes> sign(ByteView message) const override {
    const ErrorScope scope;
    Bytes digest(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (EVP_Digest(message.data(), message.size(), digest.data(), &size, digest_for(public_key()), nullptr) != 1) {
      return openssl_failure(CryptoError::internal, "hashing");
    }
    digest.resize(size);
    if (public_key().algorithm() != "rsa") return signer_->sign_digest(digest);
    digest.insert(digest.begin(), sha256_info.begin(), sha256_info.end());
    return signer_->sign_rsa(digest, TokenSigner::Padding::pkcs1);
  }

 private:
  std::shared_ptr<const TokenSigner> signer_;
  PkeyPtr handle_;
  std::string uri_;
};

}  // namespace

Result<PrivateKeyPtr> make_token_key(std::shared_ptr<const TokenSigner> signer, std::string uri) {
  const ErrorScope scope;
  PkeyPtr handle = make_token_handle(signer);
  if (!handle) return fail(CryptoError::unsupported, uri + ": a key in a token is P-256, P-384 or RSA");
  auto key = std::make_shared<TokenKey>(std::move(signer), std::move(handle), std::move(uri));
  const Bytes challenge = random_bytes(32);
  const auto signature = key->sign(challenge);
  if (!signature) return fail(CryptoError::key_unavailable, key->uri() + ": " + signature.error().message);
  if (!key->public_key().verify(challenge, *signature)) {
    return fail(CryptoError::key_unavailable, key->uri() + ": the token signs with another key than it shows");
  }
  return key;
}

}  // namespace cahn::crypto
