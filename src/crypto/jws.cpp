#include "crypto/jws.h"

#include <openssl/rsa.h>

#include <algorithm>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/ecdsa.h"

namespace cahn::crypto {
namespace {

constexpr std::size_t max_compact = 1 << 20;

struct Entry {
  JwsAlgorithm algorithm;
  std::string_view name;
  std::string_view key;  // PublicKey::algorithm()
};
constexpr Entry table[] = {{JwsAlgorithm::es256, "ES256", "p256"},
                           {JwsAlgorithm::es384, "ES384", "p384"},
                           {JwsAlgorithm::rs256, "RS256", "rsa"},
                           {JwsAlgorithm::ps256, "PS256", "rsa"},
                           {JwsAlgorithm::eddsa, "EdDSA", "ed25519"}};

const Entry& entry_of(JwsAlgorithm algorithm) { return table[static_cast<std::size_t>(algorithm)]; }

// RFC 8725 3.1: an algorithm is for one kind of key, and nothing in a header changes that.
Result<void> check_key(JwsAlgorithm algorithm, const PublicKey& key) {
  const Entry& entry = entry_of(algorithm);
  if (key.algorithm() == entry.key) return {};
  return fail(CryptoError::wrong_key,
              std::string(entry.name) + " is not an algorithm of a key of " + std::string(key.algorithm()));
}

bool is_ecdsa(JwsAlgorithm algorithm) { return algorithm == JwsAlgorithm::es256 || algorithm == JwsAlgorithm::es384; }

// RFC 7518 3.5: MGF1 with SHA-256, and a salt as long as the hash.
bool use_pss(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

Result<Bytes> sign_pss(ByteView message, const PrivateKey& key) {
  const ErrorScope scope;
  const MdContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key.handle())));
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), &parameters, EVP_sha256(), nullptr, key.handle()) != 1 ||
      !use_pss(parameters) ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return signing_failure(key, "signing");
  }
  signature.resize(size);
  return signature;
}

Result<void> verify_pss(ByteView message, ByteView signature, const PublicKey& key) {
  const ErrorScope scope;
  const MdContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  if (!context || EVP_DigestVerifyInit(context.get(), &parameters, EVP_sha256(), nullptr, key.handle()) != 1 ||
      !use_pss(parameters)) {
    return openssl_failure(CryptoError::internal, "preparing to verify");
  }
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) != 1) {
    return fail(CryptoError::bad_signature, "the signature does not hold");
  }
  return {};
}

}  // namespace

std::string_view to_text(JwsAlgorithm algorithm) { return entry_of(algorithm).name; }

std::optional<JwsAlgorithm> jws_algorithm(std::string_view name) {
  const auto found = std::find_if(std::begin(table), std::end(table), [&](const Entry& e) { return e.name == name; });
  return found == std::end(table) ? std::nullopt : std::optional(found->algorithm);
}

JwsAlgorithm jws_algorithm_of(const PublicKey& key) {
  return std::find_if(std::begin(table), std::end(table), [&](const Entry& e) { return e.key == key.algorithm(); })
      ->algorithm;
}

Result<Bytes> jws_sign(JwsAlgorithm algorithm, std::string_view signing_input, const PrivateKey& key) {
  CAHN_CHECK(check_key(algorithm, key.public_key()));
  if (algorithm == JwsAlgorithm::ps256) return sign_pss(as_bytes(signing_input), key);
  CAHN_TRY(Bytes signature, key.sign(as_bytes(signing_input)));
  if (is_ecdsa(algorithm)) return ecdsa_raw_from_der(key.public_key(), signature);
  return signature;
}

Result<void> jws_verify(JwsAlgorithm algorithm, std::string_view signing_input, ByteView signature,
                        const PublicKey& key) {
  CAHN_CHECK(check_key(algorithm, key));
  const ByteView message = as_bytes(signing_input);
  if (algorithm == JwsAlgorithm::ps256) return verify_pss(message, signature, key);
  if (!is_ecdsa(algorithm)) return key.verify(message, signature);
  const auto der = ecdsa_der_from_raw(key, signature);
  if (!der) return fail(CryptoError::bad_signature, der.error().message);
  return key.verify(message, *der);
}

std::string jws_signing_input(std::string_view protected_header, ByteView payload) {
  return base64url(as_bytes(protected_header)) + "." + base64url(payload);
}

Result<CompactJws> split_compact_jws(std::string_view text) {
  const auto malformed = [](const char* what) { return fail(CryptoError::malformed, what); };
  if (text.size() > max_compact) return malformed("a JWS of more than 1 MiB");
  const std::size_t first = text.find('.');
  const std::size_t second = first == text.npos ? text.npos : text.find('.', first + 1);
  if (second == text.npos || text.find('.', second + 1) != text.npos) {
    return malformed("not three parts with dots between them");
  }
  const auto header = base64url_decode(text.substr(0, first));
  auto payload = base64url_decode(text.substr(first + 1, second - first - 1));
  auto signature = base64url_decode(text.substr(second + 1));
  if (!header || !payload || !signature) return malformed("a part that is not base64url");
  if (header->empty() || signature->empty()) return malformed("an empty header or signature");
  return CompactJws{to_string(*header), *std::move(payload), *std::move(signature), text.substr(0, second)};
}

Result<std::string> make_compact_jws(JwsAlgorithm algorithm, std::string_view protected_header, ByteView payload,
                                     const PrivateKey& key) {
  const std::string input = jws_signing_input(protected_header, payload);
  CAHN_TRY(const Bytes signature, jws_sign(algorithm, input, key));
  return input + "." + base64url(signature);
}

}  // namespace cahn::crypto
