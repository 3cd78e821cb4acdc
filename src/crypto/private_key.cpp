#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/key.h"

namespace cahn::crypto {
namespace {

constexpr std::size_t max_key_file = 64 << 10;

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

// Text that is wiped when it goes.
struct SecretText {
  std::string text;
  explicit SecretText(std::string t) : text(std::move(t)) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { OPENSSL_cleanse(text.data(), text.size()); }
};

Result<PrivateKeyPtr> wrap(PkeyPtr handle, std::string uri) {
  if (!handle) return openssl_failure(CryptoError::internal, "making the key");
  CAHN_TRY(PublicKey public_key, PublicKeyAccess::of(handle.get()));
  return std::make_shared<MemoryKey>(std::move(public_key), std::move(handle), std::move(uri));
}

Result<PrivateKeyPtr> parse_pem(std::string_view pem, std::string uri) {
  const ErrorScope scope;
  if (pem.size() > max_key_file) return fail(CryptoError::malformed, "a private key of more than 64 KiB");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // Without a callback OpenSSL would ask the terminal for a passphrase.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  PkeyPtr handle(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!handle) return fail(CryptoError::malformed, "not an unencrypted private key in PEM");
  return wrap(std::move(handle), std::move(uri));
}

// Reads a file that only its owner can read. The check and the reading use one descriptor, so that nothing can be
// exchanged in between.
Result<std::string> read_secret_file(const std::filesystem::path& path) {
  const auto refuse = [&](const char* why) { return fail(CryptoError::key_unavailable, path.string() + ": " + why); };
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  } const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return refuse("the key file cannot be opened");
  struct stat status{};
  if (::fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode)) return refuse("not a file");
  if ((status.st_mode & 077) != 0) return refuse("others can use the key file; its mode must be 0600");
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > max_key_file)
    return refuse("too large for a key");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(file.fd, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return refuse("the key file cannot be read");
    done += static_cast<std::size_t>(got);
  }
  return text;
}

// The path a `file:` URI (RFC 8089) or a bare path names.
Result<std::filesystem::path> path_of(std::string_view uri) {
  if (!uri.starts_with("file:")) return std::filesystem::path(uri);
  uri.remove_prefix(5);
  if (uri.starts_with("//")) {
    uri.remove_prefix(2);
    if (uri.starts_with("localhost/")) uri.remove_prefix(9);
  }
  if (!uri.starts_with('/'))
    return fail(CryptoError::key_unavailable, "a file: URI names an absolute path on this machine");
  std::string path;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    if (uri[i] != '%') {
      path += uri[i];
      continue;
    }
    const auto octet = hex_decode(uri.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return fail(CryptoError::key_unavailable, "a file: URI with a bad % escape");
    path += static_cast<char>(octet->front());
    i += 2;
  }
  return std::filesystem::path(path);
}

Result<PrivateKeyPtr> open_key_file(const std::filesystem::path& path) {
  CAHN_TRY(std::string text, read_secret_file(path));
  const SecretText pem(std::move(text));
  return parse_pem(pem.text, "file:" + path.string());
}

}  // namespace

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
  if (uri.starts_with("pkcs11:") || uri.starts_with("tpm2:")) {
    return fail(CryptoError::unsupported,
                "keys in tokens are not built in: " + std::string(uri.substr(0, uri.find(':'))));
  }
  CAHN_TRY(const std::filesystem::path path, path_of(uri));
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
