// Keys that never leave their token. Internal to this room.
//
//   pkcs11:token=…;object=…?pin-source=file:/…&module-path=/…   RFC 7512
//   tpm2:handle=0x81010010?pin-source=file:/…                   a persistent key of a TPM 2.0
//
// A token is slow (a TPM needs 5 to 50 ms), keeps state per session, and may be gone: each has a worker, one thread on
// which everything happens that concerns it. Who asks it to sign waits for the answer, at most 30 s.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/handles.h"
#include "crypto/key.h"
#include "crypto/secret_file.h"

namespace cahn::crypto {

Result<PrivateKeyPtr> open_pkcs11_key(std::string_view uri);
Result<PrivateKeyPtr> open_tpm2_key(std::string_view uri);

// The attributes of such a URI, percent-decoded. A name that we do not know would be one that somebody relies on, and
// is refused; so is pin-value, which would put the PIN wherever the URI goes.
struct TokenUri {
  std::string text;  // as it came; holds no secret
  std::map<std::string, std::string, std::less<>> path, query;

  static Result<TokenUri> parse(std::string_view uri);
  std::optional<std::string> find(std::string_view name) const;  // in either
  // What is in the file that pin-source names, without the end of its line; nullopt without pin-source.
  Result<std::optional<SecretText>> read_pin() const;
};

// A thread that does one job after the other. Threads: `run` may be called from any but its own.
class Worker {
 public:
  using Job = std::function<Result<Bytes>()>;
  Worker();
  // Waits for what is being done, unless somebody gave up waiting for it.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Runs `job` and returns what it returns; after 30 s key_unavailable, while the job runs on: it may only use what it
  // owns.
  Result<Bytes> run(Job job);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// What a token does for one key. Threads: called from any, one call at a time for each token or not as it likes.
class TokenSigner {
 public:
  enum class Padding { pkcs1, none };
  virtual ~TokenSigner() = default;
  virtual const PublicKey& public_key() const = 0;
  // EC: signs a digest; DER.
  virtual Result<Bytes> sign_digest(ByteView digest) const = 0;
  // RSA: the private operation, over octets that the token pads (PKCS#1 v1.5 with what is a DigestInfo) or that are as
  // long as the modulus.
  virtual Result<Bytes> sign_rsa(ByteView, Padding) const = 0;
};

// The key behind it. Signs once to see that the token is there, will, and has the private half of this public key; else
// key_unavailable.
Result<PrivateKeyPtr> make_token_key(std::shared_ptr<const TokenSigner>, std::string uri);

// An OpenSSL key with this signer's public half, whose signatures the signer makes: for TLS, CMS and X.509. Null for
// Ed25519, for which OpenSSL has no way to do so.
PkeyPtr make_token_handle(std::shared_ptr<const TokenSigner>);

}  // namespace cahn::crypto
