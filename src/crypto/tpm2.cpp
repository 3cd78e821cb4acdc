// Keys in a TPM 2.0, by the provider of tpm2-openssl in a library context of its own: in the default context it would
// take over hashing and TLS as well, and run out of the TPM's few places.

#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include <cstring>
#include <mutex>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/token.h"

namespace cahn::crypto {
namespace {

using LibraryPtr = Handle<OSSL_LIB_CTX, OSSL_LIB_CTX_free>;
using ProviderPtr = Handle<OSSL_PROVIDER, OSSL_PROVIDER_unload>;
using StorePtr = Handle<OSSL_STORE_CTX, OSSL_STORE_close>;
using StoreInfoPtr = Handle<OSSL_STORE_INFO, OSSL_STORE_INFO_free>;
using UiMethodPtr = Handle<UI_METHOD, UI_destroy_method>;

constexpr const char* in_the_tpm = "?provider=tpm2";

std::unexpected<Error> unavailable(std::string why) {
  const std::string reason = openssl_reason();
  return fail(CryptoError::key_unavailable, reason.empty() ? std::move(why) : why + ": " + reason);
}

// The connection to this machine's TPM. Lives on one worker. Order of destruction: providers before their library.
struct Connection {
  LibraryPtr library;
  ProviderPtr defaults, tpm;

  // Which TPM that is the environment says: TPM2OPENSSL_TCTI, else the first that answers. The provider of Debian 12
  // does not read the setting for it in a configuration.
  static Result<Connection> open() {
    Connection out;
    out.library.reset(OSSL_LIB_CTX_new());
    if (!out.library) return unavailable("a library context");
    out.defaults.reset(OSSL_PROVIDER_load(out.library.get(), "default"));
    out.tpm.reset(OSSL_PROVIDER_load(out.library.get(), "tpm2"));
    if (!out.defaults || !out.tpm) return unavailable("no TPM answers, or tpm2-openssl is not installed");
    return out;
  }
};

// The TPM for all keys in it: without a resource manager it takes one connection at a time.
class Tpm {
 public:
  // The TPM as it is open already, or anew.
  static std::shared_ptr<Tpm> of_this_machine() {
    static std::mutex mutex;
    static std::weak_ptr<Tpm> open;
    const std::lock_guard lock(mutex);
    auto tpm = open.lock();
    if (!tpm) open = tpm = std::make_shared<Tpm>();
    return tpm;
  }

  ~Tpm() {
    (void)worker_.run([connection = std::move(connection_)]() -> Result<Bytes> {
      connection->reset();
      return Bytes();
    });
  }

  // Runs `job` on the worker, with the connection open.
  Result<Bytes> run(std::function<Result<Bytes>(OSSL_LIB_CTX*)> job) {
    return worker_.run([job = std::move(job), connection = connection_]() -> Result<Bytes> {
      const ErrorScope scope;
      if (!*connection) {
        CAHN_TRY(*connection, Connection::open());
      }
      return job((*connection)->library.get());
    });
  }

 private:
  std::shared_ptr<std::optional<Connection>> connection_ = std::make_shared<std::optional<Connection>>();
  Worker worker_;
};

int give_pin(char* buffer, int size, int, void* data) {
  const auto* pin = static_cast<const SecretText*>(data);
  if (pin == nullptr || static_cast<std::size_t>(size) < pin->text.size()) return -1;
  std::memcpy(buffer, pin->text.data(), pin->text.size());
  return static_cast<int>(pin->text.size());
}

Result<PkeyPtr> load_key(OSSL_LIB_CTX* library, const std::string& handle, const TokenUri& uri) {
  CAHN_TRY(auto pin, uri.read_pin());
  const std::string name = "handle:" + handle + (pin ? "?pass" : "");
  const UiMethodPtr ui(UI_UTIL_wrap_read_pem_callback(give_pin, 0));
  const StorePtr store(OSSL_STORE_open_ex(name.c_str(), library, in_the_tpm, ui.get(), pin ? &*pin : nullptr, nullptr,
                                          nullptr, nullptr));
  if (!store) return unavailable("the TPM's keys cannot be looked at");
  while (OSSL_STORE_eof(store.get()) == 0) {
    const StoreInfoPtr info(OSSL_STORE_load(store.get()));
    if (!info) break;
    if (OSSL_STORE_INFO_get_type(info.get()) == OSSL_STORE_INFO_PKEY) {
      return PkeyPtr(OSSL_STORE_INFO_get1_PKEY(info.get()));
    }
  }
  return unavailable("the TPM has no key at " + handle);
}

// What jobs own. The key is used and freed on the worker only.
struct LoadedKey {
  PkeyPtr key;
};

class TpmSigner final : public TokenSigner {
 public:
  TpmSigner(std::shared_ptr<Tpm> tpm, std::shared_ptr<LoadedKey> loaded, PublicKey key)
      : tpm_(std::move(tpm)), loaded_(std::move(loaded)), key_(std::move(key)) {}
  ~TpmSigner() override {
    (void)tpm_->run([loaded = std::move(loaded_)](OSSL_LIB_CTX*) -> Result<Bytes> {
      loaded->key.reset();
      return Bytes();
    });
  }

  const PublicKey& public_key() const override { return key_; }
  Result<Bytes> sign_digest(ByteView digest) const override {
    return tpm_->run([loaded = loaded_, digest = to_bytes(digest)](OSSL_LIB_CTX* library) {
      return sign_with(*loaded, library, digest);
    });
  }
  Result<Bytes> sign_rsa(ByteView, Padding) const override {
    return fail(CryptoError::unsupported, "RSA keys in a TPM are not taken");
  }

 private:
  static Result<Bytes> sign_with(const LoadedKey& loaded, OSSL_LIB_CTX* library, const Bytes& digest) {
    const char* const hash = digest.size() == 32 ? "SHA2-256" : digest.size() == 48 ? "SHA2-384" : "SHA2-512";
    const Handle<EVP_MD, EVP_MD_free> algorithm(EVP_MD_fetch(library, hash, "provider=default"));
    const PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(library, loaded.key.get(), in_the_tpm));
    std::size_t size = 0;
    if (!algorithm || !context || EVP_PKEY_sign_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_signature_md(context.get(), algorithm.get()) != 1 ||
        EVP_PKEY_sign(context.get(), nullptr, &size, digest.data(), digest.size()) != 1) {
      return unavailable("the TPM does not sign in this way");
    }
    Bytes signature(size);
    if (EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) != 1) {
      return unavailable("the TPM does not sign with this key; is the PIN of pin-source its own?");
    }
    signature.resize(size);
    return signature;
  }

  std::shared_ptr<Tpm> tpm_;
  std::shared_ptr<LoadedKey> loaded_;
  PublicKey key_;
};

// A persistent handle in hexadecimal (TPM 2.0 part 2, 7.2: 81xxxxxx).
bool is_persistent_handle(std::string_view handle) {
  return handle.size() == 10 && handle.starts_with("0x81") && hex_decode(handle.substr(2)).has_value();
}

}  // namespace

Result<PrivateKeyPtr> open_tpm2_key(std::string_view text) {
  CAHN_TRY(const TokenUri uri, TokenUri::parse(text));
  const std::string handle = uri.find("handle").value_or("");
  if (!is_persistent_handle(handle)) {
    return fail(CryptoError::key_unavailable, uri.text + ": names no persistent key, as handle=0x81010010 does");
  }
  const auto tpm = Tpm::of_this_machine();
  const auto loaded = std::make_shared<LoadedKey>();
  const auto spki = tpm->run([loaded, uri, handle](OSSL_LIB_CTX* library) -> Result<Bytes> {
    CAHN_TRY(loaded->key, load_key(library, handle, uri));
    CAHN_TRY(const PublicKey key, PublicKeyAccess::of(loaded->key.get()));
    return key.spki();
  });
  if (!spki) return fail(spki.error(), uri.text);
  CAHN_TRY(PublicKey key, PublicKey::from_spki(*spki));
  auto signer = std::make_shared<TpmSigner>(tpm, loaded, std::move(key));
  if (signer->public_key().algorithm() == "rsa") {
    return fail(CryptoError::unsupported, uri.text + ": RSA keys in a TPM are not taken");
  }
  return make_token_key(std::move(signer), uri.text);
}

}  // namespace cahn::crypto
