#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/cahn/role_support.h"
#include "apps/cahn/vc_support.h"
#include "credential/did.h"
#include "crypto/certificate.h"
#include "crypto/csr.h"

namespace cahn::apps::vc {

namespace {

using crypto::CryptoError;

struct KeyOptions {
  std::string file;
  bool json = false;
};

struct PemBlock {
  std::string label;
  Bytes der;
};

// The first PEM block (RFC 7468) of a text.
Result<PemBlock> first_pem_block(std::string_view text) {
  constexpr std::string_view begin = "-----BEGIN ", end = "-----END ", dashes = "-----";
  const auto start = text.find(begin);
  const auto label_end = start == std::string_view::npos ? start : text.find(dashes, start + begin.size());
  const auto stop = label_end == std::string_view::npos ? label_end : text.find(end, label_end);
  if (stop == std::string_view::npos)
    return fail(CryptoError::malformed, "neither PEM nor DER of a key, certificate or request");
  const auto body_start = label_end + dashes.size();
  const auto der = base64_decode_lenient(text.substr(body_start, stop - body_start));
  if (!der) return fail(CryptoError::malformed, "the PEM block is not base64");
  return PemBlock{std::string(text.substr(start + begin.size(), label_end - start - begin.size())), *der};
}

bool is_key_uri(const std::string& text) {
  return text.starts_with("file:") || text.starts_with("pkcs11:") || text.starts_with("tpm2:");
}

// DER says not what it is, so whatever reads it is it.
Result<crypto::PublicKey> public_key_of_der(ByteView der) {
  if (const auto certificate = crypto::Certificate::from_der(der)) return certificate->public_key();
  if (const auto request = crypto::Csr::from_der(der)) return request->public_key();
  if (const auto key = crypto::PublicKey::from_spki(der)) return *key;
  return fail(CryptoError::malformed, "neither a certificate, a request nor a public key that is supported");
}

Result<crypto::PublicKey> public_key_of_private(const std::string& uri) {
  CAHN_TRY(const auto key, crypto::open_key(uri));
  return key->public_key();
}

Result<crypto::PublicKey> public_key_of(const std::string& file) {
  if (is_key_uri(file)) return public_key_of_private(file);
  CAHN_TRY(const auto text, read_input(file));
  if (text.starts_with('\x30')) return public_key_of_der(as_bytes(text));
  CAHN_TRY(const auto block, first_pem_block(text));
  if (!block.label.ends_with("PRIVATE KEY")) return public_key_of_der(block.der);
  if (file != "-") return public_key_of_private(file);  // with the check that nobody else can read it
  CAHN_TRY(const auto key, crypto::key_from_pem(text));
  return key->public_key();
}

int print_did(const Result<crypto::PublicKey>& key, const KeyOptions& options) {
  if (!key) return failed(Error{key.error().code, options.file + ": " + key.error().message});
  const auto did = credential::did_key(*key);
  const auto text = options.json ? nlohmann::json{{"did", did}, {"algorithm", key->algorithm()}}.dump() : did;
  const auto written = write_output("", text);
  return written ? exit_done : failed(written.error());
}

int make_key(const KeyOptions& options) {
  const auto key = crypto::create_key_file(crypto::KeyType::ed25519, options.file);
  if (!key) return failed(key.error());
  return print_did((*key)->public_key(), options);
}

}  // namespace

void add_key_commands(CLI::App& vc, int& exit_code) {
  const auto making = std::make_shared<KeyOptions>();
  auto* key = vc.add_subcommand("key", "Make an Ed25519 key file (0600) and print its did:key");
  key->add_option("file", making->file, "the file to make; one that is there is left alone")->required();
  key->add_flag("--json", making->json, "for programs");
  key->callback([making, &exit_code] { exit_code = make_key(*making); });

  const auto naming = std::make_shared<KeyOptions>();
  auto* did = vc.add_subcommand("did", "Print the did:key of a key, certificate or certificate request");
  did->add_option("file", naming->file, "PEM or DER, a key URI, or - for standard input")->required();
  did->add_flag("--json", naming->json, "for programs");
  did->callback([naming, &exit_code] { exit_code = print_did(public_key_of(naming->file), *naming); });
}

}  // namespace cahn::apps::vc
