#include "crypto/certificate_cache.h"

namespace cahn::crypto {

CertificateCache& CertificateCache::instance() {
  // Never destroyed: threads may still hold certificates when static objects go.
  static auto* const cache = new CertificateCache;  // NOLINT(cppcoreguidelines-owning-memory)
  return *cache;
}

std::optional<Certificate> CertificateCache::find(ByteView der) {
  const Sha256 name = sha256(der);
  const std::lock_guard lock(mutex_);
  if (const auto found = young_.find(name); found != young_.end()) return found->second;
  const auto found = old_.find(name);
  if (found == old_.end()) return std::nullopt;
  Certificate certificate = found->second;
  insert(name, certificate);
  return certificate;
}

Certificate CertificateCache::keep(Certificate certificate) {
  const Sha256 name = sha256(certificate.der());
  const std::lock_guard lock(mutex_);
  if (const auto found = young_.find(name); found != young_.end()) return found->second;
  insert(name, certificate);
  return certificate;
}

void CertificateCache::insert(const Sha256& name, const Certificate& certificate) {
  if (young_.size() >= generation) {
    old_ = std::move(young_);
    young_ = {};
  }
  young_.emplace(name, certificate);
}

}  // namespace cahn::crypto
