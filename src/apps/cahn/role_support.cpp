#include "apps/cahn/role_support.h"

#include <cstdio>

#include "base/file.h"
#include "base/log.h"

namespace cahn::apps {

int report(const Error& error) {
  std::fprintf(stderr, "cahn: %s\n", error.message.c_str());
  const bool usage = error.code == SettingsError::missing || error.code == SettingsError::bad_value ||
                     error.code == SettingsError::unknown_key || error.code == SettingsError::bad_toml;
  return usage ? exit_usage : exit_failed;
}

Result<std::vector<crypto::Certificate>> read_certificates(const std::filesystem::path& path) {
  CAHN_TRY(const Bytes pem, read_file(path));
  auto certificates = crypto::Certificate::all_from_pem(as_text(pem));
  if (!certificates) return fail(certificates.error(), path.string());
  if (certificates->empty())
    return fail(crypto::CryptoError::malformed, path.string() + " holds no certificate in PEM form");
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

Result<crypto::TlsIdentity> read_identity(const std::filesystem::path& chain, const std::string& key_uri) {
  CAHN_TRY(auto certificates, read_certificates(chain));
  CAHN_TRY(auto key, crypto::open_key(key_uri));
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

namespace {

// Takes its state by value and pointer: a coroutine outlives the lambda it was made in.
net::awaitable<void> stop_all(Servers* servers) {
  if (servers->stop_others) co_await servers->stop_others();
  for (auto& server : servers->http) co_await server->stop();
}

}  // namespace

void run_role(net::Runtime& runtime, Servers& servers, const std::string& ready_text, std::function<void()> on_reload) {
  log::info("ROLE_READY", ready_text);
  Servers* all = &servers;
  runtime.run([all] { return stop_all(all); }, std::chrono::seconds(5), std::move(on_reload));
  log::info("ROLE_STOPPED", "stopped");
}

}  // namespace cahn::apps
