// What a registrar keeps in its state directory and how it comes to be: the domain CA (unless it is elsewhere), the
// HTTPS identity, the key that signs commands and what the claim node states.
//
//   registrar.db      events and tables        node.key      Ed25519
//   tls.key tls.pem   the HTTPS identity       tls.csr       for the CA, where it is elsewhere
//   and what domain_ca_parts.h says

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/cahn/domain_ca_parts.h"
#include "pki/remote_ca.h"

namespace cahn::apps {

struct RegistrarIdentityOptions {
  std::string owner_name;
  std::vector<std::string> dns_names, ip_addresses;
  std::chrono::seconds ldevid_lifetime;
  std::string ca_key;                  // file or URI of the domain CA's first key; empty: ca.key in the state directory
  std::string status_url;              // see DomainCaSettings
  std::string ca_url, ca_certificate;  // of `cahn ca`; empty: the CA is here
};

struct RegistrarParts {
  StateDirectory state;
  std::unique_ptr<store::Store> store;
  // One of the two.
  std::unique_ptr<pki::DomainCa> own_ca;
  std::unique_ptr<pki::RemoteCa> remote_ca;
  std::vector<crypto::Certificate> roots;  // the domain's, the present one first
  crypto::TlsIdentity tls;
  crypto::PrivateKeyPtr node_key;

  pki::CertificateAuthority& ca() const {
    return own_ca ? static_cast<pki::CertificateAuthority&>(*own_ca) : *remote_ca;
  }
};

// Opens the state, making on first use what is missing. A registrar whose CA is elsewhere must have its certificate.
Result<RegistrarParts> open_registrar(net::Runtime&, const std::filesystem::path& state,
                                      const RegistrarIdentityOptions&);

struct RegistrarRequest {
  StateDirectory state;
  crypto::PrivateKeyPtr tls_key, node_key;
};
// For a registrar whose CA is elsewhere: makes the keys, and tls.csr for the CA to sign.
Result<RegistrarRequest> prepare_registrar(const std::filesystem::path& state, const RegistrarIdentityOptions&);

}  // namespace cahn::apps
