#include "tests/support/pki/pki.h"

namespace cahn::test {
namespace {

using crypto::CertificateSpec;
using crypto::KeyUsage;

Time on(int year, unsigned month, unsigned day) {
  return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day));
}

CertificateSpec ca(const std::string& organization, const std::string& name) {
  return {.subject = {{"O", organization}, {"CN", name}},
          .ca = true,
          .key_usage = KeyUsage::cert_sign | KeyUsage::crl_sign};
}

CertificateSpec server(const std::string& organization, const std::string& name, std::vector<std::string> usages) {
  return {.subject = {{"O", organization}, {"CN", name}},
          .key_usage = KeyUsage::digital_signature,
          .extended_key_usage = std::move(usages),
          .dns_names = {"localhost"},
          .ip_addresses = {"127.0.0.1", "::1"}};
}

}  // namespace

Time Pki::now() { return on(2026, 3, 1) + std::chrono::hours(12); }

Identity Pki::issue(CertificateSpec spec, const Identity* issuer, crypto::KeyType type) {
  crypto::PrivateKeyPtr key = must(crypto::generate_key(type));
  spec.key = key->public_key();
  if (spec.not_after == Time{}) {
    spec.not_before = on(2020, 1, 1);
    spec.not_after = on(2099, 12, 31);
  }
  crypto::Certificate certificate =
      must(crypto::issue_certificate(spec, issuer ? *issuer->key : *key, issuer ? &issuer->certificate : nullptr));
  std::vector<crypto::Certificate> chain{certificate};
  if (issuer) chain.insert(chain.end(), issuer->chain.begin(), issuer->chain.end());
  return {std::move(certificate), std::move(chain), std::move(key)};
}

Pki::Pki(const Options& options)
    : options_(options),
      manufacturer_(issue(ca(options.maker, options.maker + " Device CA"), nullptr, options.keys)),
      masa_ca_(issue(ca(options.maker, options.maker + " MASA CA"), nullptr, options.keys)),
      masa_(
          issue(server(options.maker, options.maker + " MASA", {"serverAuth", "clientAuth"}), &masa_ca_, options.keys)),
      domain_(issue(ca("Owner", "Owner Domain CA"), nullptr, options.keys)),
      registrar_(
          issue(server("Owner", "Owner Registrar", {"serverAuth", "clientAuth", std::string(crypto::oid_cmc_ra)}),
                &domain_, options.keys)) {}

Identity Pki::device(const std::string& serial_number) const {
  const std::lock_guard lock(devices_->mutex);
  const auto known = devices_->made.find(serial_number);
  if (known != devices_->made.end()) return known->second;
  // RFC 8995 2.3: a serialNumber in the subject, the MASA's URL, no usages, no end.
  Identity made = issue({.subject = {{"O", options_.maker}, {"CN", serial_number}, {"serialNumber", serial_number}},
                         .not_before = on(2020, 1, 1),
                         .not_after = crypto::no_expiration(),
                         .masa_url = options_.masa_url},
                        &manufacturer_, options_.keys);
  return devices_->made.emplace(serial_number, std::move(made)).first->second;
}

voucher::Voucher Pki::voucher_for(const std::string& serial_number, std::optional<std::string> nonce) const {
  voucher::Voucher voucher;
  voucher.created_on = now();
  voucher.assertion = voucher::Assertion::proximity;
  voucher.serial_number = serial_number;
  voucher.nonce = std::move(nonce);
  voucher.pinned_domain_cert = domain_.certificate;
  return voucher;
}

Bytes Pki::sign(const voucher::Voucher& voucher) const {
  return must(voucher::sign(voucher, voucher::Root::voucher, masa_.certificate, *masa_.key, masa_.issuers()));
}

voucher::PledgeExpectation Pki::expectation(const std::string& serial_number, std::optional<std::string> nonce) const {
  return {.idevid = device(serial_number).certificate,
          .nonce = std::move(nonce),
          .now = now(),
          .masa_anchors = masa_anchors()};
}

const Pki& pki() {
  static const Pki made;
  return made;
}

}  // namespace cahn::test
