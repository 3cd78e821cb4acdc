// The four steps of a voucher in memory: the pledge asks, the registrar checks and asks in turn, the MASA checks and
// signs, the pledge checks (RFC 8995 5.2, 5.5, 5.6). No network, no store, no policy; every chain in full.

#pragma once

#include <string>
#include <vector>

#include "brski/registrar.h"
#include "tests/support/pki/pki.h"

namespace cahn::bench {

class Steps {
 public:
  // Makes the parties and so many devices, which takes a while and is not what is measured.
  explicit Steps(std::size_t devices);

  std::size_t devices() const { return serials_.size(); }
  // One flow of this device, with a nonce of its own. What any party refuses is a bug, and throws.
  void run(std::size_t device) const;

 private:
  Bytes ask(const test::Identity& device, const std::string& serial, const std::string& nonce) const;
  Bytes registrar(ByteView request, const test::Identity& device) const;
  Bytes masa(ByteView request) const;
  void judge(ByteView voucher, const std::string& serial, const std::string& nonce) const;

  test::Pki pki_;
  std::vector<brski::Manufacturer> makers_;
  crypto::TlsIdentity identity_;
  std::vector<std::string> serials_;
};

}  // namespace cahn::bench
