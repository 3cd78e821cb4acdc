#include "apps/common/certificate_files.h"

#include "base/file.h"

namespace cahn::apps {
namespace {

constexpr std::size_t max_key_file = std::size_t{64} << 10;

}  // namespace

Result<std::vector<crypto::Certificate>> read_certificates(const std::filesystem::path& path) {
  CAHN_TRY(const Bytes content, read_file(path));
  if (auto one = crypto::Certificate::from_der(content)) return std::vector{*std::move(one)};
  auto certificates = crypto::Certificate::all_from_pem(as_text(content));
  if (!certificates) return fail(certificates.error(), path.string());
  if (certificates->empty())
    return fail(crypto::CryptoError::malformed, path.string() + " holds no certificate, neither in PEM nor in DER");
  return certificates;
}

Result<std::vector<crypto::Certificate>> read_certificates(const std::vector<std::string>& files) {
  std::vector<crypto::Certificate> all;
  for (const std::string& file : files) {
    CAHN_TRY(auto some, read_certificates(std::filesystem::path(file)));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

Result<crypto::TrustStore> read_anchors(const std::vector<std::string>& files) {
  CAHN_TRY(auto certificates, read_certificates(files));
  return crypto::TrustStore(std::move(certificates));
}

Result<crypto::PrivateKeyPtr> read_key(const std::string& uri) {
  auto key = crypto::open_key(uri);
  if (key || !(key.error().code == crypto::CryptoError::malformed)) return key;
  // It is a file, and its owner's alone; but not PEM.
  const std::filesystem::path path(uri.starts_with("file:") ? uri.substr(5) : uri);
  CAHN_TRY(const Bytes der, read_file(path, max_key_file));
  if (auto read = crypto::key_from_der(der)) return read;
  return fail(crypto::CryptoError::malformed,
              path.string() + " holds no unencrypted private key, neither in PEM nor in DER");
}

Result<crypto::TlsIdentity> read_identity(const std::filesystem::path& chain, const std::string& key_uri) {
  CAHN_TRY(auto certificates, read_certificates(chain));
  CAHN_TRY(auto key, read_key(key_uri));
  if (!(certificates.front().public_key() == key->public_key()))
    return fail(crypto::CryptoError::wrong_key,
                "the key " + key_uri + " does not belong to the certificate in " + chain.string());
  return crypto::TlsIdentity{std::move(certificates), std::move(key)};
}

Result<void> write_certificates(const std::filesystem::path& path,
                                const std::vector<crypto::Certificate>& certificates) {
  std::string pem;
  for (const crypto::Certificate& certificate : certificates) pem += certificate.pem();
  return write_file(path, as_bytes(pem));
}

}  // namespace cahn::apps
