#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>

#include "crypto/access.h"
#include "crypto/asn1.h"
#include "crypto/key.h"

namespace cahn::crypto {
namespace {

// SubjectPublicKeyInfo up to the key's own octets (RFC 5480 2, RFC 8410 4); the point is uncompressed.
constexpr std::array<std::uint8_t, 27> p256_prefix{0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
constexpr std::array<std::uint8_t, 24> p384_prefix{0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                                   0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                                   0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04};
constexpr std::array<std::uint8_t, 12> ed25519_prefix{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
// AlgorithmIdentifier of rsaEncryption with its NULL (RFC 3279 2.3.1).
constexpr std::array<std::uint8_t, 15> rsa_algorithm{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                                     0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

bool starts_with(ByteView octets, ByteView prefix) {
  return octets.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), octets.begin());
}

// The value of an SPKI's BIT STRING; empty when it is none.
ByteView key_octets(ByteView spki) {
  DerReader outer(spki);
  const auto info = outer.next(tag::sequence);
  if (!info || !outer.at_end()) return {};
  DerReader inner(info->content);
  if (!inner.next(tag::sequence)) return {};
  const auto bits = inner.next(tag::bit_string);
  if (!bits || !inner.at_end() || bits->content.empty() || bits->content[0] != 0) return {};
  return bits->content.subspan(1);
}

bool is_rsa(ByteView spki) {
  DerReader outer(spki);
  const auto info = outer.next(tag::sequence);
  return info && starts_with(info->content, rsa_algorithm) && !key_octets(spki).empty();
}

// The key of an uncompressed point; checks that it is on the curve. OpenSSL's decoders come to the same, five times as
// slowly.
PkeyPtr key_of_point(const char* group, ByteView point) {
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(group), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<std::uint8_t*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    return nullptr;
  return PkeyPtr(made);
}

Bytes concatenate(ByteView a, ByteView b) {
  Bytes out(a.begin(), a.end());
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

}  // namespace

Result<PublicKey> PublicKeyAccess::of(EVP_PKEY* key) {
  const int type = EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_EC) {
    unsigned char* octets = nullptr;
    const std::size_t size = EVP_PKEY_get1_encoded_public_key(key, &octets);
    const Bytes point(octets, octets + size);
    OPENSSL_free(octets);
    const bool is_p256 = EVP_PKEY_get_bits(key) == 256;
    const ByteView prefix = is_p256 ? ByteView(p256_prefix) : ByteView(p384_prefix);
    char group[32] = {};
    EVP_PKEY_get_group_name(key, group, sizeof group, nullptr);
    const std::string_view name(group);
    const bool known = is_p256 ? name == SN_X9_62_prime256v1 : name == SN_secp384r1;
    // Anything unusual (another curve, a compressed point) goes the long way and is judged there.
    if (known && size == (is_p256 ? 65U : 97U) && point[0] == 4)
      return PublicKey::from_spki(concatenate(prefix.first(prefix.size() - 1), point));
  }
  return PublicKey::from_spki(encode<i2d_PUBKEY>(key));
}

bool PublicKeyAccess::set(X509_PUBKEY* field, const PublicKey& key) {
  using Algorithm = PublicKey::Algorithm;
  int type = NID_X9_62_id_ecPublicKey;
  int parameter_type = V_ASN1_OBJECT;
  ASN1_OBJECT* parameter = nullptr;
  switch (key.algorithm_) {
    case Algorithm::p256:
      parameter = OBJ_nid2obj(NID_X9_62_prime256v1);
      break;
    case Algorithm::p384:
      parameter = OBJ_nid2obj(NID_secp384r1);
      break;
    case Algorithm::ed25519:
      type = NID_ED25519;
      parameter_type = V_ASN1_UNDEF;
      break;
    case Algorithm::rsa:
      type = NID_rsaEncryption;
      parameter_type = V_ASN1_NULL;
      break;
  }
  const ByteView octets = key_octets(key.spki_);
  auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(octets.data(), octets.size()));
  if (copy != nullptr && X509_PUBKEY_set0_param(field, OBJ_nid2obj(type), parameter_type, parameter, copy,
                                                static_cast<int>(octets.size())) == 1)
    return true;
  OPENSSL_free(copy);
  return false;
}

Result<PublicKey> PublicKeyAccess::make(Bytes spki, PkeyPtr handle) {
  using Algorithm = PublicKey::Algorithm;
  std::optional<Algorithm> algorithm;
  if (starts_with(spki, p256_prefix) && spki.size() == p256_prefix.size() + 64) algorithm = Algorithm::p256;
  if (starts_with(spki, p384_prefix) && spki.size() == p384_prefix.size() + 96) algorithm = Algorithm::p384;
  if (starts_with(spki, ed25519_prefix) && spki.size() == ed25519_prefix.size() + 32) algorithm = Algorithm::ed25519;
  if (is_rsa(spki)) algorithm = Algorithm::rsa;
  if (!algorithm) {
    return fail(CryptoError::unsupported, "the key is none of P-256, P-384 (uncompressed), Ed25519 and RSA");
  }
  if (!handle) return openssl_failure(CryptoError::malformed, "the public key");
  if (*algorithm == Algorithm::rsa) {
    const int bits = EVP_PKEY_get_bits(handle.get());
    if (bits < 2048 || bits > 8192)
      return fail(CryptoError::unsupported, "an RSA key of " + std::to_string(bits) + " bits");
    // Another encoding of the same modulus would be another name for the same key.
    if (encode<i2d_PUBKEY>(handle.get()) != spki) return fail(CryptoError::malformed, "an RSA key that is not DER");
  }
  return PublicKey(std::move(spki), std::shared_ptr<EVP_PKEY>(std::move(handle)), *algorithm);
}

Result<PublicKey> PublicKey::from_spki(ByteView der) {
  const ErrorScope scope;
  if (der.size() > 4096 || key_octets(der).empty()) return fail(CryptoError::malformed, "not a SubjectPublicKeyInfo");
  if (starts_with(der, ed25519_prefix)) return from_ed25519(der.subspan(ed25519_prefix.size()));
  if (starts_with(der, p256_prefix))
    return PublicKeyAccess::make(to_bytes(der), key_of_point("P-256", key_octets(der)));
  if (starts_with(der, p384_prefix))
    return PublicKeyAccess::make(to_bytes(der), key_of_point("P-384", key_octets(der)));
  const unsigned char* cursor = der.data();
  PkeyPtr handle(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(der.size())));
  return PublicKeyAccess::make(to_bytes(der), std::move(handle));
}

Result<PublicKey> PublicKey::from_ed25519(ByteView raw) {
  const ErrorScope scope;
  if (raw.size() != 32) return fail(CryptoError::malformed, "an Ed25519 key has 32 octets");
  PkeyPtr handle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
  return PublicKeyAccess::make(concatenate(ed25519_prefix, raw), std::move(handle));
}

Result<PublicKey> PublicKey::from_ec_point(KeyType curve, ByteView point) {
  const ErrorScope scope;
  if (curve != KeyType::p256 && curve != KeyType::p384)
    return fail(CryptoError::unsupported, "not a curve with points");
  const bool is_p256 = curve == KeyType::p256;
  const EcGroupPtr group(EC_GROUP_new_by_curve_name(is_p256 ? NID_X9_62_prime256v1 : NID_secp384r1));
  const EcPointPtr decoded(group ? EC_POINT_new(group.get()) : nullptr);
  Bytes plain(is_p256 ? 65 : 97);
  if (!decoded || EC_POINT_oct2point(group.get(), decoded.get(), point.data(), point.size(), nullptr) != 1 ||
      EC_POINT_point2oct(group.get(), decoded.get(), POINT_CONVERSION_UNCOMPRESSED, plain.data(), plain.size(),
                         nullptr) != plain.size()) {
    return openssl_failure(CryptoError::malformed, "not a point of the curve");
  }
  const ByteView prefix = is_p256 ? ByteView(p256_prefix) : ByteView(p384_prefix);
  return from_spki(concatenate(prefix.first(prefix.size() - 1), plain));
}

std::string_view PublicKey::algorithm() const {
  switch (algorithm_) {
    case Algorithm::p256:
      return "p256";
    case Algorithm::p384:
      return "p384";
    case Algorithm::ed25519:
      return "ed25519";
    case Algorithm::rsa:
      return "rsa";
  }
  return "unknown";
}

Result<Bytes> PublicKey::raw() const {
  const ByteView octets = key_octets(spki_);
  if (algorithm_ == Algorithm::rsa) return fail(CryptoError::unsupported, "an RSA key has no raw form");
  if (algorithm_ == Algorithm::ed25519) return to_bytes(octets);
  // SEC 1 2.3.3: the parity of y, then x.
  const std::size_t coordinate = (octets.size() - 1) / 2;
  Bytes out{static_cast<std::uint8_t>(octets.back() % 2 == 0 ? 2 : 3)};
  out.insert(out.end(), octets.begin() + 1, octets.begin() + 1 + static_cast<std::ptrdiff_t>(coordinate));
  return out;
}

Bytes PublicKey::key_identifier() const {
  const ByteView octets = key_octets(spki_);
  Bytes out(20);
  EVP_Digest(octets.data(), octets.size(), out.data(), nullptr, EVP_sha1(), nullptr);
  return out;
}

const EVP_MD* digest_for(const PublicKey& key) {
  if (key.algorithm() == "ed25519") return nullptr;
  return key.algorithm() == "p384" ? EVP_sha384() : EVP_sha256();
}

ByteView signature_algorithm_of(const PublicKey& key) {
  static const Bytes p256 = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
  static const Bytes p384 = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
  static const Bytes ed25519 = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
  static const Bytes rsa = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
  if (key.algorithm() == "p256") return p256;
  if (key.algorithm() == "p384") return p384;
  return key.algorithm() == "ed25519" ? ed25519 : rsa;
}

bool is_strong_signature(int signature_nid) {
  if (signature_nid == NID_ED25519) return true;
  int digest = NID_undef;
  int key = NID_undef;
  if (OBJ_find_sigid_algs(signature_nid, &digest, &key) != 1) return false;
  const bool key_is_ours = key == NID_X9_62_id_ecPublicKey || key == NID_rsaEncryption;
  return key_is_ours && (digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512);
}

Result<void> verify_with_algorithm(const PublicKey& key, ByteView algorithm, ByteView message, ByteView signature) {
  const ErrorScope scope;
  const auto decoded = decode_exactly<d2i_X509_ALGOR, i2d_X509_ALGOR, Handle<X509_ALGOR, X509_ALGOR_free>>(algorithm);
  if (!decoded) return fail(CryptoError::malformed, "an algorithm that cannot be read");
  const ASN1_OBJECT* type = nullptr;
  X509_ALGOR_get0(&type, nullptr, nullptr, decoded.get());
  const int nid = OBJ_obj2nid(type);
  int digest = NID_undef;
  int kind = NID_undef;
  if (!is_strong_signature(nid) || OBJ_find_sigid_algs(nid, &digest, &kind) != 1) {
    return fail(CryptoError::unsupported, "a signature algorithm that we do not take");
  }
  if (EVP_PKEY_get_base_id(key.handle()) != kind) {
    return fail(CryptoError::bad_signature, "a signature algorithm of another kind than the key");
  }
  const MdContextPtr context(EVP_MD_CTX_new());
  const EVP_MD* const md = nid == NID_ED25519 ? nullptr : EVP_get_digestbynid(digest);
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, md, nullptr, key.handle()) != 1) {
    return openssl_failure(CryptoError::internal, "preparing to verify");
  }
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) != 1) {
    return fail(CryptoError::bad_signature, "the signature does not hold");
  }
  return {};
}

Result<void> PublicKey::verify(ByteView message, ByteView signature) const {
  const ErrorScope scope;
  const MdContextPtr context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, digest_for(*this), nullptr, handle()) != 1) {
    return openssl_failure(CryptoError::internal, "preparing to verify");
  }
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) != 1) {
    return fail(CryptoError::bad_signature, "the signature does not hold");
  }
  return {};
}

}  // namespace cahn::crypto
