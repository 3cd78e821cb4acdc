#include "voucher/jws.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/jws.h"
#include "voucher/bounded_json.h"

namespace cahn::voucher {
namespace {

using nlohmann::json;

constexpr std::size_t max_message = 1 << 20;
constexpr std::size_t max_header = 256 << 10;
constexpr std::size_t max_certificates = 20;
constexpr std::string_view type_of_message = "voucher-jws+json";

std::unexpected<Error> not_jws(std::string what) { return fail(VoucherError::not_jws, std::move(what)); }

// One signature of a message, in whichever serialisation it came.
struct Signature {
  std::string payload, protected_header, signature;  // base64url, as received
  json unprotected = json::object();
};

Result<std::string> text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return not_jws(std::string(name) + ": missing");
  if (!found->is_string()) {
    return not_jws(std::string(name) + ": expected a string, found " + std::string(kind_of(*found)));
  }
  return found->get<std::string>();
}

// The members that a flattened message and an element of `signatures` have in common (RFC 7515 7.2).
Result<Signature> read_signature(std::string payload, const json& object) {
  Signature out;
  out.payload = std::move(payload);
  CAHN_TRY(out.protected_header, text_member(object, "protected"));
  CAHN_TRY(out.signature, text_member(object, "signature"));
  if (const auto header = object.find("header"); header != object.end()) {
    if (!header->is_object()) return not_jws("header: expected an object, found " + std::string(kind_of(*header)));
    out.unprotected = *header;
  }
  return out;
}

Result<Signature> read_compact(std::string_view text) {
  const auto parts = crypto::split_compact_jws(text);
  if (!parts) return not_jws(parts.error().message);
  const std::size_t dot = parts->signing_input.find('.');
  return Signature{std::string(parts->signing_input.substr(dot + 1)), std::string(parts->signing_input.substr(0, dot)),
                   std::string(text.substr(parts->signing_input.size() + 1))};
}

Result<Signature> read_message(std::string_view text, Reading reading) {
  const bool tolerant = reading == Reading::tolerant;
  if (tolerant && text.starts_with('e')) return read_compact(text);
  const auto document = parse_object(text, max_message);
  if (!document) return not_jws(document.error().message);
  CAHN_TRY(std::string payload, text_member(*document, "payload"));
  const auto signatures = document->find("signatures");
  if (signatures == document->end()) {
    if (tolerant) return read_signature(std::move(payload), *document);
    return not_jws("signatures: missing");
  }
  if (document->contains("signature") || document->contains("protected") || document->contains("header")) {
    return not_jws("a message in two serialisations");
  }
  if (!signatures->is_array() || signatures->size() != 1 || !signatures->front().is_object()) {
    return not_jws("signatures: expected an array of one object");
  }
  return read_signature(std::move(payload), signatures->front());
}

struct Header {
  crypto::JwsAlgorithm algorithm;
  std::vector<crypto::Certificate> certificates;
};

// RFC 7515 4.1.9: with or without "application/" in front, in any case.
bool is_type_of_voucher(std::string type) {
  const auto lower = [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
  std::transform(type.begin(), type.end(), type.begin(), lower);
  return type == type_of_message || type == "application/" + std::string(type_of_message);
}

// RFC 7515 4.1.6: base64 of RFC 4648 4, the signer's certificate first.
Result<std::vector<crypto::Certificate>> read_certificates(const json& x5c, Reading reading) {
  if (!x5c.is_array() || x5c.empty() || x5c.size() > max_certificates) {
    return not_jws("x5c: expected an array of 1 to 20 certificates");
  }
  std::vector<crypto::Certificate> certificates;
  for (const json& each : x5c) {
    if (!each.is_string()) return not_jws("x5c: expected a string, found " + std::string(kind_of(each)));
    const auto& text = each.get_ref<const std::string&>();
    const auto der = reading == Reading::tolerant ? base64_decode_lenient(text) : base64_decode(text);
    if (!der) return not_jws("x5c: expected base64, found " + in_quotes(text));
    auto certificate = crypto::Certificate::from_der(*der);
    if (!certificate) return not_jws("x5c: expected a certificate, found " + certificate.error().message);
    certificates.push_back(*std::move(certificate));
  }
  return certificates;
}

// RFC 7515 4: the parameters of the two headers have different names. 4.1.11, RFC 7797 6: "crit" and "b64" change what
// is signed or what it means.
Result<void> check_names(const json& header, const json& unprotected) {
  for (const auto& [name, value] : unprotected.items()) {
    if (header.contains(name)) return not_jws("the header parameter " + in_quotes(name) + " is there twice");
  }
  for (const char* name : {"crit", "b64"}) {
    if (header.contains(name) || unprotected.contains(name)) {
      return not_jws(std::string("the header parameter ") + name + " is not taken");
    }
  }
  return {};
}

Result<Header> read_header(const Signature& signature, Reading reading) {
  const auto octets = base64url_decode(signature.protected_header);
  if (!octets) return not_jws("protected: expected base64url, found " + in_quotes(signature.protected_header));
  const auto header = parse_object(as_text(*octets), max_header);
  if (!header) return not_jws("protected: " + header.error().message);
  CAHN_CHECK(check_names(*header, signature.unprotected));
  CAHN_TRY(const std::string name, text_member(*header, "alg"));
  const auto algorithm = crypto::jws_algorithm(name);
  if (!algorithm) return not_jws("alg: " + in_quotes(name) + " is not taken");
  if (header->contains("typ")) {
    CAHN_TRY(const std::string type, text_member(*header, "typ"));
    if (!is_type_of_voucher(type)) {
      return fail(VoucherError::wrong_content_type, "typ: expected voucher-jws+json, found " + in_quotes(type));
    }
  }
  Header out{*algorithm, {}};
  const bool elsewhere = reading == Reading::tolerant && signature.unprotected.contains("x5c");
  const json& holder = elsewhere ? signature.unprotected : *header;
  if (holder.contains("x5c")) {
    CAHN_TRY(out.certificates, read_certificates(holder["x5c"], reading));
  }
  return out;
}

// The certificate whose key made the signature: the first that is carried, or else one that is known.
Result<crypto::Certificate> find_signer(const Header& header, std::string_view signing_input, ByteView octets,
                                        std::span<const crypto::Certificate> known_signers) {
  if (header.certificates.empty()) {
    for (const auto& known : known_signers) {
      if (crypto::jws_verify(header.algorithm, signing_input, octets, known.public_key())) return known;
    }
    return fail(VoucherError::signer_not_trusted, "the signer's certificate is not at hand");
  }
  const auto& signer = header.certificates.front();
  const auto verified = crypto::jws_verify(header.algorithm, signing_input, octets, signer.public_key());
  if (verified) return signer;
  return fail(VoucherError::bad_signature, verified.error().message);
}

}  // namespace

Result<Bytes> sign_jws(ByteView payload, const crypto::Certificate& signer, const crypto::PrivateKey& key,
                       std::span<const crypto::Certificate> include) {
  std::vector<crypto::Certificate> chain{signer};
  for (const auto& certificate : include) {
    if (std::find(chain.begin(), chain.end(), certificate) == chain.end()) chain.push_back(certificate);
  }
  const auto algorithm = crypto::jws_algorithm_of(key.public_key());
  nlohmann::ordered_json header{{"alg", crypto::to_text(algorithm)}, {"typ", type_of_message}};
  header["x5c"] = nlohmann::ordered_json::array();
  for (const auto& certificate : chain) header["x5c"].push_back(base64(certificate.der()));
  const std::string protected_header = base64url(as_bytes(header.dump()));
  const std::string encoded = base64url(payload);
  CAHN_TRY(const Bytes signature, crypto::jws_sign(algorithm, protected_header + "." + encoded, key));
  const nlohmann::ordered_json message{
      {"payload", encoded}, {"signatures", {{{"protected", protected_header}, {"signature", base64url(signature)}}}}};
  return to_bytes(message.dump());
}

Result<JwsMessage> verify_jws(ByteView octets, Reading reading, std::span<const crypto::Certificate> known_signers) {
  if (octets.size() > max_message) return not_jws("a JWS of more than 1 MiB");
  CAHN_TRY(const Signature received, read_message(as_text(octets), reading));
  CAHN_TRY(Header header, read_header(received, reading));
  auto payload = base64url_decode(received.payload);
  if (!payload) return not_jws("payload: expected base64url, found " + in_quotes(received.payload));
  const auto signature = base64url_decode(received.signature);
  if (!signature) return not_jws("signature: expected base64url, found " + in_quotes(received.signature));
  const std::string signing_input = received.protected_header + "." + received.payload;
  CAHN_TRY(crypto::Certificate signer, find_signer(header, signing_input, *signature, known_signers));
  return JwsMessage{*std::move(payload), std::move(signer), std::move(header.certificates)};
}

}  // namespace cahn::voucher
