#include "apps/cahn/domain_ca_parts.h"

#include "apps/cahn/role_support.h"
#include "base/log.h"

namespace cahn::apps {
namespace {

using Issued = Result<pki::IssuedCertificate>;

net::awaitable<Issued> issue(pki::Issuer* issuer, pki::IssueRequest request) {
  co_return co_await issuer->issue(std::move(request));
}

bool names_match(const crypto::Certificate& certificate, const ServerIdentityOptions& options) {
  return certificate.dns_names() == options.dns_names;
}

// With what bridges a change of the CA's key, so that a device that knows the old root only finds its way to it: before
// the new root, since OpenSSL follows the first issuer that fits and never turns back. The end stays what is pinned.
crypto::TlsIdentity with_bridge(std::vector<crypto::Certificate> chain, crypto::PrivateKeyPtr key,
                                const pki::DomainCa& ca) {
  for (const crypto::Certificate& each : ca.rollover_certificates())
    if (each.public_key() == ca.certificate().public_key()) chain.insert(chain.end() - 1, each);
  return {std::move(chain), std::move(key)};
}

}  // namespace

Result<std::vector<crypto::Certificate>> issue_server_certificate(net::Runtime& runtime, pki::DomainCa& ca,
                                                                  pki::Profile profile, Bytes csr_der, std::string name,
                                                                  std::vector<std::string> dns_names,
                                                                  std::vector<std::string> ip_addresses) {
  CAHN_TRY(auto csr, crypto::Csr::from_der(csr_der));
  pki::IssueRequest request{.csr = std::move(csr),
                            .profile = profile,
                            .subject = {{"CN", std::move(name)}},
                            .dns_names = std::move(dns_names),
                            .uris = {},
                            .ip_addresses = std::move(ip_addresses)};
  pki::DomainCa* issuer = &ca;
  CAHN_TRY(auto issued, net::run_blocking<Issued>(runtime, [issuer, request] { return issue(issuer, request); }));
  std::vector<crypto::Certificate> chain = {issued.certificate};
  chain.insert(chain.end(), issued.chain.begin(), issued.chain.end());
  return chain;
}

Result<crypto::TlsIdentity> open_server_identity(net::Runtime& runtime, const StateDirectory& state, pki::DomainCa& ca,
                                                 const ServerIdentityOptions& options) {
  CAHN_TRY(auto key, crypto::open_or_create_key_file(crypto::KeyType::p256, state / "tls.key"));
  if (std::filesystem::exists(state / "tls.pem")) {
    CAHN_TRY(auto chain, read_certificates(state / "tls.pem"));
    // After the CA changed its key, what is pinned is the new root, which must be the end of this chain.
    if (chain.front().public_key() == key->public_key() && names_match(chain.front(), options) &&
        chain.back() == ca.certificate() && chain.front().valid_at(system_clock().now() + std::chrono::days(30)))
      return with_bridge(std::move(chain), std::move(key), ca);
    log::info("SERVER_IDENTITY_RENEWED",
              "the certificate of the HTTPS server is issued anew: names or the CA's key changed, or it ends soon");
  }
  const crypto::Name subject = {{"CN", options.dns_names.empty() ? options.name : options.dns_names.front()}};
  CAHN_TRY(const Bytes csr, crypto::make_csr({.subject = subject}, *key));
  const std::string name = subject.front().second;
  CAHN_TRY(auto chain,
           issue_server_certificate(runtime, ca, options.profile, csr, name, options.dns_names, options.ip_addresses));
  CAHN_CHECK(write_certificates(state / "tls.pem", chain));
  return with_bridge(std::move(chain), std::move(key), ca);
}

Result<std::unique_ptr<pki::DomainCa>> open_domain_ca(store::Store& store, const StateDirectory& state,
                                                      const DomainCaSettings& settings) {
  pki::DomainCaOptions options;
  options.owner_name = settings.owner_name;
  options.key_uri = settings.key_uri.empty() ? std::filesystem::absolute(state / "ca.key").string() : settings.key_uri;
  options.ldevid_lifetime = settings.ldevid_lifetime;
  std::string url = settings.status_url;
  while (url.ends_with('/')) url.pop_back();
  if (!url.empty()) {
    options.crl_url = url + "/crl/{ca}";
    options.ocsp_url = url + "/ocsp";
    options.ca_issuers_url = url + "/ca/{ca}";
  }
  CAHN_TRY(auto ca, pki::DomainCa::open(store, system_clock(), options));
  CAHN_CHECK(write_certificates(state / "domain-ca.pem", ca->roots()));
  return ca;
}

Result<void> roll_over(net::Runtime& runtime, const StateDirectory& state, pki::DomainCa& its_ca) {
  std::filesystem::path path;
  int number = 2;
  do {
    path = std::filesystem::absolute(state / ("ca-" + std::to_string(number++) + ".key"));
  } while (std::filesystem::exists(path));
  pki::DomainCa* ca = &its_ca;
  const std::string uri = path.string();  // not a file: URI, in which a % would begin an escape
  CAHN_CHECK(net::run_blocking<Result<void>>(runtime, [ca, uri] { return ca->roll_over(uri); }));
  return write_certificates(state / "domain-ca.pem", ca->roots());
}

}  // namespace cahn::apps
