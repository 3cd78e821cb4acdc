#include "apps/cahn/registrar_parts.h"

#include "apps/cahn/role_support.h"
#include "base/log.h"

namespace cahn::apps {
namespace {

using Issued = Result<pki::IssuedCertificate>;

net::awaitable<Issued> issue(pki::Issuer* issuer, pki::IssueRequest request) {
  co_return co_await issuer->issue(std::move(request));
}

bool names_match(const crypto::Certificate& certificate, const RegistrarIdentityOptions& options) {
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

Result<crypto::TlsIdentity> open_tls_identity(net::Runtime& runtime, const StateDirectory& state, pki::DomainCa& ca,
                                              const RegistrarIdentityOptions& options) {
  CAHN_TRY(auto key, crypto::open_or_create_key_file(crypto::KeyType::p256, state / "tls.key"));
  if (std::filesystem::exists(state / "tls.pem")) {
    CAHN_TRY(auto chain, read_certificates(state / "tls.pem"));
    // After the CA changed its key, what is pinned is the new root, which must be the end of this chain.
    if (chain.front().public_key() == key->public_key() && names_match(chain.front(), options) &&
        chain.back() == ca.certificate() && chain.front().valid_at(system_clock().now() + std::chrono::days(30)))
      return with_bridge(std::move(chain), std::move(key), ca);
    log::info("REGISTRAR_IDENTITY_RENEWED",
              "the registrar's certificate is issued anew: names or the CA's key changed, or it ends soon");
  }
  const crypto::Name subject = {{"CN", options.dns_names.empty() ? "registrar" : options.dns_names.front()}};
  CAHN_TRY(const Bytes csr, crypto::make_csr({.subject = subject}, *key));
  const std::string name = subject.front().second;
  CAHN_TRY(auto chain, issue_server_certificate(runtime, ca, pki::Profile::registrar, csr, name, options.dns_names,
                                                options.ip_addresses));
  CAHN_CHECK(write_certificates(state / "tls.pem", chain));
  return with_bridge(std::move(chain), std::move(key), ca);
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

Result<RegistrarParts> open_registrar(net::Runtime& runtime, const std::filesystem::path& path,
                                      const RegistrarIdentityOptions& options) {
  CAHN_TRY(auto state, StateDirectory::open(path));
  CAHN_TRY(auto store, store::Store::open(state / "registrar.db"));
  pki::DomainCaOptions ca_options;
  ca_options.owner_name = options.owner_name;
  ca_options.key_uri = options.ca_key.empty() ? std::filesystem::absolute(state / "ca.key").string() : options.ca_key;
  ca_options.ldevid_lifetime = options.ldevid_lifetime;
  if (!options.status_url.empty()) {
    ca_options.crl_url = options.status_url + "/crl/{ca}";
    ca_options.ocsp_url = options.status_url + "/ocsp";
    ca_options.ca_issuers_url = options.status_url + "/ca/{ca}";
  }
  CAHN_TRY(auto ca, pki::DomainCa::open(*store, system_clock(), ca_options));
  CAHN_CHECK(write_certificates(state / "domain-ca.pem", ca->roots()));
  CAHN_TRY(auto tls, open_tls_identity(runtime, state, *ca, options));
  CAHN_TRY(auto node_key, crypto::open_or_create_key_file(crypto::KeyType::ed25519, state / "node.key"));
  return RegistrarParts{std::move(state), std::move(store), std::move(ca), std::move(tls), std::move(node_key)};
}

Result<void> roll_over(net::Runtime& runtime, RegistrarParts& parts) {
  std::filesystem::path path;
  int number = 2;
  do {
    path = std::filesystem::absolute(parts.state / ("ca-" + std::to_string(number++) + ".key"));
  } while (std::filesystem::exists(path));
  pki::DomainCa* ca = parts.ca.get();
  const std::string uri = path.string();  // not a file: URI, in which a % would begin an escape
  CAHN_CHECK(net::run_blocking<Result<void>>(runtime, [ca, uri] { return ca->roll_over(uri); }));
  return write_certificates(parts.state / "domain-ca.pem", ca->roots());
}

}  // namespace cahn::apps
