// The only file that uses interfaces of OpenSSL that 3.0 deprecates: methods of EC_KEY and RSA. There is no other way
// to give TLS, CMS and X.509 a key that signs somewhere else, short of a provider of our own; the tokens' own providers
// and engines were tried and fail in TLS (they hash in the token, or lose the private half on the way).

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "crypto/asn1.h"
#include "crypto/token.h"

namespace cahn::crypto {
namespace {

using EcKeyPtr = Handle<EC_KEY, EC_KEY_free>;
using RsaPtr = Handle<RSA, RSA_free>;
using Signer = std::shared_ptr<const TokenSigner>;

// Every OpenSSL key of ours owns a Signer in a slot of its extra data.
void free_signer(void*, void* data, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Signer*>(data); }
int copy_signer(CRYPTO_EX_DATA*, const CRYPTO_EX_DATA*, void** data, int, long, void*) {
  if (*data != nullptr) *data = new Signer(*static_cast<Signer*>(*data));
  return 1;
}
int new_slot(int class_index) {
  return CRYPTO_get_ex_new_index(class_index, 0, nullptr, nullptr, copy_signer, free_signer);
}
int ec_slot() {
  static const int slot = new_slot(CRYPTO_EX_INDEX_EC_KEY);
  return slot;
}
int rsa_slot() {
  static const int slot = new_slot(CRYPTO_EX_INDEX_RSA);
  return slot;
}

std::optional<Bytes> sign_digest(EC_KEY* key, const unsigned char* digest, int size) {
  const auto* signer = static_cast<const Signer*>(EC_KEY_get_ex_data(key, ec_slot()));
  if (signer == nullptr || size < 0) return std::nullopt;
  auto signature = (*signer)->sign_digest({digest, static_cast<std::size_t>(size)});
  if (signature) return *std::move(signature);
  ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s", signature.error().message.c_str());
  return std::nullopt;
}

int ec_sign(int, const unsigned char* digest, int size, unsigned char* out, unsigned* out_size, const BIGNUM*,
            const BIGNUM*, EC_KEY* key) {
  const auto signature = sign_digest(key, digest, size);
  if (!signature || signature->size() > static_cast<std::size_t>(ECDSA_size(key))) return 0;
  std::copy(signature->begin(), signature->end(), out);
  *out_size = static_cast<unsigned>(signature->size());
  return 1;
}

ECDSA_SIG* ec_sign_sig(const unsigned char* digest, int size, const BIGNUM*, const BIGNUM*, EC_KEY* key) {
  const auto signature = sign_digest(key, digest, size);
  if (!signature) return nullptr;
  const unsigned char* cursor = signature->data();
  return d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(signature->size()));
}

const EC_KEY_METHOD* ec_method() {
  static EC_KEY_METHOD* const method = [] {
    EC_KEY_METHOD* made = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    int (*setup)(EC_KEY*, BN_CTX*, BIGNUM**, BIGNUM**) = nullptr;
    EC_KEY_METHOD_get_sign(made, nullptr, &setup, nullptr);
    EC_KEY_METHOD_set_sign(made, ec_sign, setup, ec_sign_sig);
    return made;
  }();
  return method;
}

// RSA_private_encrypt(3): both paddings that signatures come with; OpenSSL does PSS's itself.
int rsa_sign(int size, const unsigned char* in, unsigned char* out, RSA* rsa, int padding) {
  const auto* signer = static_cast<const Signer*>(RSA_get_ex_data(rsa, rsa_slot()));
  if (signer == nullptr || size < 0 || (padding != RSA_PKCS1_PADDING && padding != RSA_NO_PADDING)) return -1;
  const auto how = padding == RSA_PKCS1_PADDING ? TokenSigner::Padding::pkcs1 : TokenSigner::Padding::none;
  const auto signature = (*signer)->sign_rsa({in, static_cast<std::size_t>(size)}, how);
  if (!signature) {
    ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s", signature.error().message.c_str());
    return -1;
  }
  if (signature->size() != static_cast<std::size_t>(RSA_size(rsa))) return -1;
  std::copy(signature->begin(), signature->end(), out);
  return static_cast<int>(signature->size());
}

const RSA_METHOD* rsa_method() {
  static RSA_METHOD* const method = [] {
    RSA_METHOD* made = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    RSA_meth_set1_name(made, "token");
    RSA_meth_set_priv_enc(made, rsa_sign);
    // There is no private half here that could be checked.
    RSA_meth_set_flags(made, RSA_meth_get_flags(made) | RSA_METHOD_FLAG_NO_CHECK | RSA_FLAG_EXT_PKEY);
    return made;
  }();
  return method;
}

PkeyPtr ec_handle(EVP_PKEY* public_half, Signer signer) {
  EcKeyPtr key(EVP_PKEY_get1_EC_KEY(public_half));
  // A key of its own: the one that is asked for may be shared with the public key.
  key.reset(key ? EC_KEY_dup(key.get()) : nullptr);
  PkeyPtr handle(EVP_PKEY_new());
  if (!key || !handle || EC_KEY_set_method(key.get(), ec_method()) != 1) return nullptr;
  auto owned = std::make_unique<Signer>(std::move(signer));
  if (EC_KEY_set_ex_data(key.get(), ec_slot(), owned.get()) != 1) return nullptr;
  owned.release();
  return EVP_PKEY_set1_EC_KEY(handle.get(), key.get()) == 1 ? std::move(handle) : nullptr;
}

PkeyPtr rsa_handle(EVP_PKEY* public_half, Signer signer) {
  const RSA* const shown = EVP_PKEY_get0_RSA(public_half);
  RsaPtr key(shown != nullptr ? RSAPublicKey_dup(shown) : nullptr);
  PkeyPtr handle(EVP_PKEY_new());
  if (!key || !handle || RSA_set_method(key.get(), rsa_method()) != 1) return nullptr;
  auto owned = std::make_unique<Signer>(std::move(signer));
  if (RSA_set_ex_data(key.get(), rsa_slot(), owned.get()) != 1) return nullptr;
  owned.release();
  return EVP_PKEY_set1_RSA(handle.get(), key.get()) == 1 ? std::move(handle) : nullptr;
}

}  // namespace

PkeyPtr make_token_handle(std::shared_ptr<const TokenSigner> signer) {
  EVP_PKEY* const public_half = signer->public_key().handle();
  const auto algorithm = signer->public_key().algorithm();
  if (algorithm == "rsa") return rsa_handle(public_half, std::move(signer));
  if (algorithm == "ed25519") return nullptr;
  return ec_handle(public_half, std::move(signer));
}

}  // namespace cahn::crypto
