#include "credential/did.h"

#include <algorithm>
#include <array>

namespace cahn::credential {

namespace {

constexpr std::string_view scheme = "did:key:";

// An RSA key of 8192 bits is 1038 octets of PKCS#1; base58 is quadratic, so the bound is close.
constexpr std::size_t max_multikey = 1100;
constexpr std::size_t max_did = 1600;

// Unsigned varints of the multicodec table.
constexpr std::array<std::uint8_t, 2> codec_ed25519{0xed, 0x01};
constexpr std::array<std::uint8_t, 2> codec_p256{0x80, 0x24};  // 0x1200
constexpr std::array<std::uint8_t, 2> codec_p384{0x81, 0x24};  // 0x1201
constexpr std::array<std::uint8_t, 2> codec_rsa{0x85, 0x24};   // 0x1205

bool starts_with(ByteView bytes, ByteView prefix) {
  return bytes.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

std::string multikey(ByteView codec, ByteView key) {
  Bytes bytes = to_bytes(codec);
  bytes.insert(bytes.end(), key.begin(), key.end());
  return std::string(scheme) + "z" + base58btc(bytes);
}

// AlgorithmIdentifier { rsaEncryption, NULL } (RFC 8017 A.1).
constexpr std::array<std::uint8_t, 15> rsa_algorithm{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                                     0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
constexpr std::uint8_t der_bit_string = 0x03, der_sequence = 0x30;

Bytes der_element(std::uint8_t tag, ByteView content) {
  Bytes out{tag};
  if (content.size() >= 0x100) {
    out.insert(out.end(), {0x82, static_cast<std::uint8_t>(content.size() >> 8)});
  } else if (content.size() >= 0x80) {
    out.push_back(0x81);
  }
  out.push_back(static_cast<std::uint8_t>(content.size()));
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

// The RSAPublicKey in the SubjectPublicKeyInfo of an RSA key: what follows the BIT STRING's header and its count of
// unused bits. A PublicKey is DER to the letter, so that nothing else can stand there.
ByteView rsa_from_spki(ByteView spki) {
  const auto algorithm = std::ranges::search(spki, rsa_algorithm);
  const ByteView bits(algorithm.end(), spki.end());
  const std::size_t header = bits.size() > 1 && bits[1] > 0x80 ? 2 + (bits[1] & 0x7fU) : 2;
  return bits.size() > header ? bits.subspan(header + 1) : ByteView{};
}

Result<crypto::PublicKey> rsa_from_pkcs1(ByteView pkcs1) {
  Bytes bits{0};
  bits.insert(bits.end(), pkcs1.begin(), pkcs1.end());
  Bytes content = to_bytes(ByteView(rsa_algorithm));
  const Bytes bit_string = der_element(der_bit_string, bits);
  content.insert(content.end(), bit_string.begin(), bit_string.end());
  return crypto::PublicKey::from_spki(der_element(der_sequence, content));
}

// The y coordinates of the points whose order divides 8, but for p - 1, which is_strong_ed25519 sees to
// (little-endian).
constexpr std::array<std::uint8_t, 32> order_4{};
constexpr std::array<std::uint8_t, 32> order_1{1};
constexpr std::array<std::uint8_t, 32> order_8{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
                                               0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
                                               0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};
constexpr std::array<std::uint8_t, 32> order_8_negative{
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};

// Under a key of small order one signature holds for many messages, and an encoding of y not below p is a second name
// of a point; RFC 8032's verification, as OpenSSL does it, takes both.
bool is_strong_ed25519(ByteView key) {
  if (key.size() != 32) return false;
  std::array<std::uint8_t, 32> y{};
  std::ranges::copy(key, y.begin());
  y[31] &= 0x7f;  // the sign of x
  const bool at_least_p_minus_1 = y[0] >= 0xec && y[31] == 0x7f &&
                                  std::all_of(y.begin() + 1, y.end() - 1, [](auto octet) { return octet == 0xff; });
  return !at_least_p_minus_1 && y != order_1 && y != order_4 && y != order_8 && y != order_8_negative;
}

Result<crypto::PublicKey> ed25519_key(ByteView key) {
  if (!is_strong_ed25519(key)) return fail(CredentialError::bad_did, "the Ed25519 key is no point of full order");
  return crypto::PublicKey::from_ed25519(key);
}

Result<crypto::PublicKey> key_of_multikey(ByteView bytes) {
  const auto key = bytes.size() > 2 ? bytes.subspan(2) : ByteView{};
  if (starts_with(bytes, codec_ed25519)) return ed25519_key(key);
  // did:key 0.9 names elliptic curve keys by the compressed point only.
  const bool compressed = !key.empty() && (key[0] == 0x02 || key[0] == 0x03);
  if (starts_with(bytes, codec_p256) && compressed && key.size() == 33) {
    return crypto::PublicKey::from_ec_point(crypto::KeyType::p256, key);
  }
  if (starts_with(bytes, codec_p384) && compressed && key.size() == 49) {
    return crypto::PublicKey::from_ec_point(crypto::KeyType::p384, key);
  }
  if (starts_with(bytes, codec_rsa)) return rsa_from_pkcs1(key);
  if (starts_with(bytes, codec_p256) || starts_with(bytes, codec_p384)) {
    return fail(CredentialError::bad_did, "the elliptic curve key of the did:key is not a compressed point");
  }
  const std::string codec = bytes.size() < 2 ? "" : " (codec " + hex(bytes.first(2)) + ")";
  return fail(CredentialError::unsupported_did, "the did:key is not an Ed25519, P-256, P-384 or RSA key" + codec);
}

}  // namespace

std::string_view error_name(CredentialError error) {
  switch (error) {
    case CredentialError::not_json:
      return "not_json";
    case CredentialError::too_large:
      return "too_large";
    case CredentialError::too_deep:
      return "too_deep";
    case CredentialError::duplicate_member:
      return "duplicate_member";
    case CredentialError::bad_number:
      return "bad_number";
    case CredentialError::bad_did:
      return "bad_did";
    case CredentialError::unsupported_did:
      return "unsupported_did";
    case CredentialError::not_a_credential:
      return "not_a_credential";
    case CredentialError::bad_relation:
      return "bad_relation";
    case CredentialError::missing_proof:
      return "missing_proof";
    case CredentialError::unsupported_proof:
      return "unsupported_proof";
    case CredentialError::bad_proof:
      return "bad_proof";
    case CredentialError::wrong_verification_method:
      return "wrong_verification_method";
    case CredentialError::not_yet_valid:
      return "not_yet_valid";
    case CredentialError::expired:
      return "expired";
    case CredentialError::bad_notation:
      return "bad_notation";
  }
  return "unknown";
}

std::string did_key(const crypto::PublicKey& key) {
  if (key.algorithm() == "rsa") return multikey(codec_rsa, rsa_from_spki(key.spki()));
  const auto raw = key.raw();
  if (!raw) return {};  // cannot happen: every algorithm but RSA has a raw form
  if (key.algorithm() == "ed25519") return multikey(codec_ed25519, *raw);
  return multikey(key.algorithm() == "p256" ? codec_p256 : codec_p384, *raw);
}

Result<crypto::PublicKey> key_of_did(std::string_view did) {
  if (did.size() > max_did) return fail(CredentialError::bad_did, "the DID is too long");
  if (!did.starts_with("did:")) return fail(CredentialError::bad_did, "not a DID");
  if (!did.starts_with(scheme)) return fail(CredentialError::unsupported_did, "a DID of another method than did:key");
  const auto multibase = did.substr(scheme.size());
  if (!multibase.starts_with('z')) return fail(CredentialError::bad_did, "the did:key is not in base58btc (z…)");
  const auto bytes = base58btc_decode(multibase.substr(1), max_multikey);
  if (!bytes) return fail(CredentialError::bad_did, "the did:key is not in base58btc (z…)");
  auto key = key_of_multikey(*bytes);
  if (!key) {
    if (key.error().code == CredentialError::unsupported_did) return key;
    return fail(CredentialError::bad_did, "the did:key holds no valid key: " + key.error().message);
  }
  // One key, one name: whatever else decodes to the same key is another spelling, and would be another identity.
  if (did_key(*key) != did) return fail(CredentialError::bad_did, "the did:key is not in its canonical form");
  return key;
}

std::string verification_method(std::string_view did) {
  const auto multibase = did.starts_with(scheme) ? did.substr(scheme.size()) : std::string_view{};
  return std::string(did) + "#" + std::string(multibase);
}

}  // namespace cahn::credential
