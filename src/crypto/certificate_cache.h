// Certificates that were decoded lately, by their DER. One flow of an onboarding reads the same few certificates a
// dozen times, and OpenSSL 3.0 takes some 120 µs to decode one. Internal.
//
// Threads: safe from any thread. Bounded: at most 2 × `generation` certificates; whoever floods it evicts, and costs
// time only.

#pragma once

#include <map>
#include <mutex>
#include <optional>

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

  // Ordered: a hash table would need libm, which a C program that links libvoucher does not have.
  using Map = std::map<Sha256, Certificate>;

  // Moves what is used to the young generation; when that is full it becomes the old one, and the old one goes.
  void insert(const Sha256& name, const Certificate& certificate);

  std::mutex mutex_;
  Map young_, old_;
};

}  // namespace cahn::crypto
