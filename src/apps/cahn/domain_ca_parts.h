// The domain CA as the programs keep it, in the state directory of a registrar or of a `cahn ca`, and what it issues to
// servers of the domain.
//
//   ca.key            the CA's key, unless its URI says otherwise
//   ca-2.key …        further keys, after `roll-over`
//   domain-ca.pem     for RADIUS servers and devices: the CA certificate, and those of its earlier keys
//   tls.key tls.pem   the HTTPS identity

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

struct DomainCaSettings {
  std::string owner_name;
  std::string key_uri;  // empty: ca.key of the state directory
  std::chrono::seconds ldevid_lifetime;
  std::string status_url;  // under which LDevIDs say that CRL, OCSP and CA certificate are found; empty: they do not
};

// Opens the CA, making on first use what is missing, and writes domain-ca.pem.
Result<std::unique_ptr<pki::DomainCa>> open_domain_ca(store::Store&, const StateDirectory&, const DomainCaSettings&);

// Gives the CA a new key in the state directory (RFC 4210 4.4).
Result<void> roll_over(net::Runtime&, const StateDirectory&, pki::DomainCa&);

struct ServerIdentityOptions {
  pki::Profile profile = pki::Profile::registrar;
  std::string name;  // CN, where there is no DNS name
  std::vector<std::string> dns_names, ip_addresses;
};
// tls.key and tls.pem of a server in the CA's own process; issued anew when names or the CA's key have changed, or it
// ends soon.
Result<crypto::TlsIdentity> open_server_identity(net::Runtime&, const StateDirectory&, pki::DomainCa&,
                                                 const ServerIdentityOptions&);

// A certificate of the domain CA for a server of this domain: RADIUS (decision 34: its own name).
Result<std::vector<crypto::Certificate>> issue_server_certificate(net::Runtime&, pki::DomainCa&, pki::Profile,
                                                                  Bytes csr, std::string name,
                                                                  std::vector<std::string> dns_names,
                                                                  std::vector<std::string> ip_addresses);

}  // namespace cahn::apps
