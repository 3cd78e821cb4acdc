// What a registrar keeps in its state directory and how it comes to be: the domain CA, the HTTPS identity, the key that
// signs commands and what the claim node states.
//
//   registrar.db      events and tables        ca.key        the domain CA's key
//   tls.key tls.pem   the HTTPS identity       node.key      Ed25519
//   domain-ca.pem     for RADIUS servers and devices: the CA certificate, and those of its earlier keys
//   ca-2.key …        further keys of the domain CA, after `cahn registrar roll-over`

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "crypto/tls.h"
#include "net/async.h"
#include "pki/domain_ca.h"
#include "store/store.h"

namespace cahn::apps {

struct RegistrarIdentityOptions {
  std::string owner_name;
  std::vector<std::string> dns_names, ip_addresses;
  std::chrono::seconds ldevid_lifetime;
  std::string ca_key;      // file or URI of the domain CA's first key; empty: ca.key in the state directory
  std::string status_url;  // under which LDevIDs say that CRL, OCSP and CA certificate are found; empty: they do not
};

struct RegistrarParts {
  StateDirectory state;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<pki::DomainCa> ca;
  crypto::TlsIdentity tls;
  crypto::PrivateKeyPtr node_key;
};

// Opens the state, making on first use what is missing.
Result<RegistrarParts> open_registrar(net::Runtime&, const std::filesystem::path& state,
                                      const RegistrarIdentityOptions&);

// Gives the domain CA a new key in the state directory (RFC 4210 4.4).
Result<void> roll_over(net::Runtime&, RegistrarParts&);

// A certificate of the domain CA for a server of this domain: RADIUS (decision 34: its own name).
Result<std::vector<crypto::Certificate>> issue_server_certificate(net::Runtime&, pki::DomainCa&, pki::Profile,
                                                                  Bytes csr, std::string name,
                                                                  std::vector<std::string> dns_names,
                                                                  std::vector<std::string> ip_addresses);

}  // namespace cahn::apps
