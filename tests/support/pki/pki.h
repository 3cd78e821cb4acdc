// The parties of an onboarding, made in memory for tests: a manufacturer with its devices and its MASA, and a domain
// with its registrar. Real keys and certificates, as the rooms make them; nothing is on disk.
//
//   const test::Pki pki;
//   const auto device = pki.device("00-D0-E5-F2-00-02");
//   const Bytes cms = pki.sign(pki.voucher_for("00-D0-E5-F2-00-02", "QWJjZGVmZ2hpamtsbW5vcA=="));
//
// What cannot be made is a bug of the test and throws. Threads: const members are safe from any thread.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/certificate.h"
#include "crypto/chain.h"
#include "crypto/tls.h"
#include "voucher/signed_voucher.h"
#include "voucher/voucher.h"

namespace cahn::test {

// The value, or an exception that ends the test with the error's message.
template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(std::string(result.error().code.name()) + ": " + result.error().message);
  return *std::move(result);
}

// The error, or an exception that ends the test when there was none.
template <typename T>
Error refusal(const Result<T>& result) {
  if (result) throw std::runtime_error("accepted what should have been refused");
  return result.error();
}

// A certificate, its path up to and with its CA, and its key.
struct Identity {
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> chain;  // leaf first
  crypto::PrivateKeyPtr key;

  crypto::TlsIdentity tls() const { return {chain, key}; }
  std::span<const crypto::Certificate> issuers() const { return std::span(chain).subspan(1); }
};

class Pki {
 public:
  struct Options {
    std::string maker = "Honest Machines";  // manufacturers of another name have other keys anyway
    std::string masa_url = "localhost:9443";
    crypto::KeyType keys = crypto::KeyType::p256;
  };
  Pki() : Pki(Options{}) {}
  explicit Pki(const Options&);

  const Identity& manufacturer() const { return manufacturer_; }  // the CA of the IDevIDs
  const Identity& masa_ca() const { return masa_ca_; }            // signs MASAs only (decision 7)
  const Identity& masa() const { return masa_; }                  // for localhost and 127.0.0.1
  const Identity& domain() const { return domain_; }              // the owner's CA
  const Identity& registrar() const { return registrar_; }        // cmcRA and serverAuth, for localhost and 127.0.0.1
  // The device of this serial number, IDevID until 9999; the same one whenever it is asked for.
  Identity device(const std::string& serial_number) const;
  // Whatever else a test needs, with a fresh key, and valid from 2020 to 2099 unless the spec says otherwise. Without
  // `issuer`: self-signed.
  static Identity issue(crypto::CertificateSpec, const Identity* issuer = nullptr,
                        crypto::KeyType = crypto::KeyType::p256);

  crypto::TrustStore manufacturer_anchors() const { return crypto::TrustStore({manufacturer_.certificate}); }
  crypto::TrustStore masa_anchors() const { return crypto::TrustStore({masa_ca_.certificate}); }
  crypto::TrustStore domain_anchors() const { return crypto::TrustStore({domain_.certificate}); }

  // A proximity voucher that pins the domain CA, created at now().
  voucher::Voucher voucher_for(const std::string& serial_number, std::optional<std::string> nonce) const;
  // Signed by the MASA, which carries its chain.
  Bytes sign(const voucher::Voucher&) const;
  // What the device expects that sent `nonce`; its clock says now().
  voucher::PledgeExpectation expectation(const std::string& serial_number, std::optional<std::string> nonce) const;

  // 2026-03-01T12:00:00Z: inside all validity periods.
  static Time now();

 private:
  Options options_;
  Identity manufacturer_, masa_ca_, masa_, domain_, registrar_;
  struct Devices {
    std::mutex mutex;
    std::map<std::string, Identity> made;
  };
  std::shared_ptr<Devices> devices_ = std::make_shared<Devices>();
};

// One for the whole test program, for tests that need no other parties than these. Threads: may be shared.
const Pki& pki();

}  // namespace cahn::test
