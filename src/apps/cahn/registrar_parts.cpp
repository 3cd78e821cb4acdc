#include "apps/cahn/registrar_parts.h"

#include "apps/cahn/role_support.h"
#include "base/log.h"
#include "crypto/csr.h"

namespace cahn::apps {
namespace {

constexpr std::string_view cmp_path = "/.well-known/cmp";

DomainCaSettings ca_settings(const RegistrarIdentityOptions& options) {
  return {options.owner_name, options.ca_key, options.ldevid_lifetime, options.status_url};
}

// The identity that a CA elsewhere gave this registrar.
Result<crypto::TlsIdentity> read_given_identity(const StateDirectory& state,
                                                const std::vector<crypto::Certificate>& roots) {
  const std::filesystem::path file = state / "tls.pem";
  if (!std::filesystem::exists(file)) {
    return fail(SettingsError::missing,
                file.string() + " is missing: have the CA sign " + (state / "tls.csr").string() + " (cahn ca sign)");
  }
  CAHN_TRY(auto identity, read_identity(file, std::filesystem::absolute(state / "tls.key").string()));
  const crypto::Certificate& own = identity.chain.front();
  if (auto path = crypto::verify_chain(own, identity.chain, crypto::TrustStore(roots), system_clock().now()); !path) {
    return fail(SettingsError::bad_value, file.string() + " is not of `ca-certificate`: " + path.error().message);
  }
  if (!own.has_extended_key_usage(crypto::oid_cmc_ra)) {
    return fail(SettingsError::bad_value, file.string() + " is no registrar's certificate: it lacks id-kp-cmcRA");
  }
  if (!own.valid_at(system_clock().now() + std::chrono::days(30))) {
    log::warning("REGISTRAR_IDENTITY_ENDS",
                 "the registrar's certificate ends within 30 days; have the CA sign tls.csr again (cahn ca sign)");
  }
  return identity;
}

Result<void> open_remote_ca(RegistrarParts& parts, const RegistrarIdentityOptions& options) {
  CAHN_TRY(parts.roots, read_certificates(std::filesystem::path(options.ca_certificate)));
  CAHN_TRY(parts.tls, read_given_identity(parts.state, parts.roots));
  CAHN_CHECK(write_certificates(parts.state / "domain-ca.pem", parts.roots));
  std::string url = options.ca_url;
  while (url.ends_with('/')) url.pop_back();
  pki::UpstreamOptions upstream;
  upstream.url = url + std::string(cmp_path);
  upstream.identity = parts.tls;
  upstream.tls_anchors = crypto::TrustStore(parts.roots);
  upstream.ca_anchors = crypto::TrustStore(parts.roots);
  upstream.ca_certificates = {parts.roots.front()};
  CAHN_TRY(parts.remote_ca, pki::RemoteCa::open(*parts.store, system_clock(), std::move(upstream)));
  return {};
}

}  // namespace

Result<RegistrarParts> open_registrar(net::Runtime& runtime, const std::filesystem::path& path,
                                      const RegistrarIdentityOptions& options) {
  CAHN_TRY(auto state, StateDirectory::open(path));
  CAHN_TRY(auto store, store::Store::open(state / "registrar.db"));
  RegistrarParts parts{std::move(state), std::move(store), {}, {}, {}, {}, {}};
  if (options.ca_url.empty()) {
    CAHN_TRY(parts.own_ca, open_domain_ca(*parts.store, parts.state, ca_settings(options)));
    parts.roots = parts.own_ca->roots();
    CAHN_TRY(parts.tls,
             open_server_identity(runtime, parts.state, *parts.own_ca,
                                  {pki::Profile::registrar, "registrar", options.dns_names, options.ip_addresses}));
  } else {
    CAHN_CHECK(open_remote_ca(parts, options));
  }
  CAHN_TRY(parts.node_key, crypto::open_or_create_key_file(crypto::KeyType::ed25519, parts.state / "node.key"));
  return parts;
}

Result<RegistrarRequest> prepare_registrar(const std::filesystem::path& path, const RegistrarIdentityOptions& options) {
  CAHN_TRY(auto state, StateDirectory::open(path));
  CAHN_TRY(const auto key, crypto::open_or_create_key_file(crypto::KeyType::p256, state / "tls.key"));
  CAHN_TRY(auto node_key, crypto::open_or_create_key_file(crypto::KeyType::ed25519, state / "node.key"));
  CAHN_TRY(const auto roots, read_certificates(std::filesystem::path(options.ca_certificate)));
  CAHN_CHECK(write_certificates(state / "domain-ca.pem", roots));
  crypto::CsrSpec spec;
  spec.subject = {{"CN", options.dns_names.empty() ? "registrar" : options.dns_names.front()}};
  spec.dns_names = options.dns_names;
  CAHN_TRY(const Bytes csr, crypto::make_csr(spec, *key));
  CAHN_CHECK(write_file(state / "tls.csr", csr));
  return RegistrarRequest{std::move(state), key, std::move(node_key)};
}

}  // namespace cahn::apps
