// Certificates that were decoded lately, by their DER. One flow of an onboarding reads the same few certificates a
// dozen times, and OpenSSL 3.0 takes some 120 µs to decode one. Internal.
//
// Threads: safe from any thread. Bounded: at most 2 × `generation` certificates; whoever floods it evicts, and costs
// time only.

#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>

#include "crypto/certificate.h"
#include "crypto/digest.h"

namespace cahn::crypto {

class CertificateCache {
 public:
  static CertificateCache& instance();

  std::optional<Certificate> find(ByteView der);
  // Keeps the certificate and returns the one to use: that of another thread that was faster, if any.
  Certificate keep(Certificate certificate);

 private:
  static constexpr std::size_t generation = 256;

  struct HashOfHash {
    std::size_t operator()(const Sha256& digest) const;
  };
  using Map = std::unordered_map<Sha256, Certificate, HashOfHash>;

  // Moves what is used to the young generation; when that is full it becomes the old one, and the old one goes.
  void insert(const Sha256& name, const Certificate& certificate);

  std::mutex mutex_;
  Map young_, old_;
};

}  // namespace cahn::crypto
