#include <openssl/pem.h>

#include "base/file.h"
#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/key.h"
#include "crypto/secret_file.h"
#include "crypto/token.h"

namespace cahn::crypto {
namespace {

// A private key in this process's memory, from a file or not.
class MemoryKey final : public PrivateKey {
 public:
  MemoryKey(PublicKey public_key, PkeyPtr handle, std::string uri)
      : public_key_(std::move(public_key)), handle_(std::move(handle)), uri_(std::move(uri)) {}

  const PublicKey& public_key() const override { return public_key_; }
  evp_pkey_st* handle() const override { return handle_.get(); }
  const std::string& uri() const override { return uri_; }

  Result<Bytes> sign(ByteView message) const override {
    const ErrorScope scope;
    const MdContextPtr context(EVP_MD_CTX_new());
    Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(handle_.get())));
    std::size_t size = signature.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, digest_for(public_key_), nullptr, handle_.get()) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
      return openssl_failure(CryptoError::internal, "signing");
    }
    signature.resize(size);
    return signature;
  }

 private:
  PublicKey public_key_;
  PkeyPtr handle_;
  std::string uri_;
};

Result<PrivateKeyPtr> wrap(PkeyPtr handle, std::string uri) {
  if (!handle) return openssl_failure(CryptoError::internal, "making the key");
  CAHN_TRY(PublicKey public_key, PublicKeyAccess::of(handle.get()));
  return std::make_shared<MemoryKey>(std::move(public_key), std::move(handle), std::move(uri));
}

Result<PrivateKeyPtr> parse_pem(std::string_view pem, std::string uri) {
  const ErrorScope scope;
  if (pem.size() > max_secret_file) return fail(CryptoError::malformed, "a private key of more than 64 KiB");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // Without a callback OpenSSL would ask the terminal for a passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  PkeyPtr handle(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!handle) return fail(CryptoError::malformed, "not an unencrypted private key in PEM");
  return wrap(std::move(handle), std::move(uri));
}

Result<PrivateKeyPtr> open_key_file(const std::filesystem::path& path) {
  CAHN_TRY(const SecretText pem, read_secret_file(path));
  return parse_pem(pem.text, "file:" + path.string());
}

}  // namespace

std::unexpected<Error> signing_failure(const PrivateKey& key, std::string_view what) {
  if (const auto again = key.sign({}); !again) return fail(again.error(), what);
  return openssl_failure(CryptoError::internal, what);
}

Result<PrivateKeyPtr> generate_key(KeyType type) {
  const ErrorScope scope;
  const auto generate = [&]() -> EVP_PKEY* {
    switch (type) {
      case KeyType::p256:
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
      case KeyType::p384:
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384");
      case KeyType::ed25519:
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      case KeyType::rsa2048:
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
      case KeyType::rsa3072:
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{3072});
    }
    return nullptr;
  };
  return wrap(PkeyPtr(generate()), {});
}

Result<PrivateKeyPtr> create_key_file(KeyType type, const std::filesystem::path& path) {
  CAHN_TRY(const PrivateKeyPtr key, generate_key(type));
  {
    CAHN_TRY(std::string text, key_to_pem(*key));
    const SecretText pem(std::move(text));
    CAHN_CHECK(create_file(path, as_bytes(pem.text), FileMode::secret));
  }
  return open_key_file(path);
}

Result<PrivateKeyPtr> open_key(std::string_view uri) {
  if (uri.empty()) return fail(CryptoError::key_unavailable, "no key is named");
  if (uri.starts_with("pkcs11:")) return open_pkcs11_key(uri);
  if (uri.starts_with("tpm2:")) return open_tpm2_key(uri);
  CAHN_TRY(const std::filesystem::path path, path_of_file_uri(uri));
  return open_key_file(path);
}

Result<PrivateKeyPtr> open_or_create_key_file(KeyType type, const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return open_key_file(path);
  auto created = create_key_file(type, path);
  // Another process was faster: its key is the key.
  if (!created && created.error().code == FileError::exists) return open_key_file(path);
  return created;
}

Result<PrivateKeyPtr> key_from_pem(std::string_view pem) { return parse_pem(pem, {}); }

Result<PrivateKeyPtr> key_from_der(ByteView der) {
  const ErrorScope scope;
  if (der.size() > max_secret_file) return fail(CryptoError::malformed, "a private key of more than 64 KiB");
  if (!is_der(der)) return fail(CryptoError::malformed, "not a private key in DER");
  const unsigned char* cursor = der.data();
  PkeyPtr handle(d2i_AutoPrivateKey(nullptr, &cursor, static_cast<long>(der.size())));
  if (!handle || cursor != der.data() + der.size()) {
    return fail(CryptoError::malformed, "not an unencrypted private key in DER");
  }
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, handle.get(), nullptr));
  if (!context || EVP_PKEY_pairwise_check(context.get()) != 1) {
    return fail(CryptoError::malformed, "a private key that is not the one of the public key beside it");
  }
  return wrap(std::move(handle), {});
}

Result<std::string> key_to_pem(const PrivateKey& key) {
  const ErrorScope scope;
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.handle(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return openssl_failure(CryptoError::key_unavailable, "the key does not leave its place");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<PrivateKeyPtr> ed25519_from_seed(ByteView seed) {
  const ErrorScope scope;
  if (seed.size() != 32) return fail(CryptoError::malformed, "an Ed25519 seed has 32 octets");
  return wrap(PkeyPtr(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size())), {});
}

}  // namespace cahn::crypto
