// JSON Web Signatures (RFC 7515): which algorithms there are, what is signed, and the compact form. Headers and the
// JSON forms are for the rooms that know JSON documents.
//
//   what is signed:  BASE64URL(protected header) '.' BASE64URL(payload)
//   compact form:    BASE64URL(protected header) '.' BASE64URL(payload) '.' BASE64URL(signature)
//
// Threads: functions without state.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"

namespace cahn::crypto {

// RFC 7518 3.1, RFC 8037 3.1. What is not here ("none" and HMACs among it) is taken by nobody.
enum class JwsAlgorithm { es256, es384, rs256, ps256, eddsa };
std::string_view to_text(JwsAlgorithm);
// The "alg" of a header, case-sensitive (RFC 7515 4.1.1).
std::optional<JwsAlgorithm> jws_algorithm(std::string_view name);
// What a key signs with where nothing else is asked for: RS256 for RSA.
JwsAlgorithm jws_algorithm_of(const PublicKey&);

// `signing_input` is text as above. Errors: wrong_key (the algorithm is for another kind of key), internal.
Result<Bytes> jws_sign(JwsAlgorithm, std::string_view signing_input, const PrivateKey&);
// Errors: wrong_key, bad_signature.
Result<void> jws_verify(JwsAlgorithm, std::string_view signing_input, ByteView signature, const PublicKey&);

std::string jws_signing_input(std::string_view protected_header, ByteView payload);

// The parts of a compact form, as octets; borrowed is what was signed.
struct CompactJws {
  std::string protected_header;
  Bytes payload;
  Bytes signature;
  std::string_view signing_input;
};
// Three parts of base64url without padding, none of them empty but the payload, 1 MiB in all. Else malformed.
Result<CompactJws> split_compact_jws(std::string_view text);
Result<std::string> make_compact_jws(JwsAlgorithm, std::string_view protected_header, ByteView payload,
                                     const PrivateKey&);

}  // namespace cahn::crypto
