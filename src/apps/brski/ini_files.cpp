#include "apps/brski/ini_files.h"

#include <algorithm>

#include "apps/common/certificate_files.h"

namespace cahn::apps::tool {

Result<std::vector<crypto::Certificate>> certificates(const Ini& ini, const PathSetting& setting) {
  if (!setting) return std::vector<crypto::Certificate>();
  auto read = read_certificates(*setting);
  if (!read) return wrong(ini, setting, read.error().message);
  return read;
}

Result<std::vector<crypto::Certificate>> needed_certificates(const Ini& ini, const PathSetting& setting,
                                                             std::string_view why) {
  if (!setting) return not_set(ini, setting, why);
  return certificates(ini, setting);
}

Result<crypto::TlsIdentity> needed_identity(const Ini& ini, const PathSetting& certificate, const PathSetting& key,
                                            std::string_view why) {
  CAHN_TRY(auto chain, needed_certificates(ini, certificate, why));
  if (!key) return not_set(ini, key, why);
  auto opened = read_key(key->string());
  if (!opened) return wrong(ini, key, opened.error().message);
  if (!((*opened)->public_key() == chain.front().public_key()))
    return wrong(ini, key, "the key does not belong to the certificate in " + certificate->string());
  return crypto::TlsIdentity{std::move(chain), *std::move(opened)};
}

void append(std::vector<crypto::Certificate>& chain, const std::vector<crypto::Certificate>& more) {
  for (const crypto::Certificate& certificate : more) {
    if (std::ranges::find(chain, certificate) == chain.end()) chain.push_back(certificate);
  }
}

}  // namespace cahn::apps::tool
