// The domain CA: an Issuer whose key is in this process, with every certificate it ever issued in its store, its CRL
// and its OCSP answers.
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/time.h"
#include "crypto/crl.h"
#include "pki/certificate_authority.h"
#include "store/store.h"

namespace cahn::pki {

struct DomainCaOptions {
  std::string owner_name;  // CN of the CA: the owner's name or mail address (L913-923)
  std::string key_uri;     // file: created (P-256) if it is not there
  std::chrono::seconds ca_lifetime = std::chrono::days(20 * 365);  // no leaf outlives the CA's certificate
  std::chrono::seconds ldevid_lifetime = std::chrono::days(365);
  std::chrono::seconds server_lifetime = std::chrono::days(2 * 365);  // every other profile
  std::chrono::seconds crl_lifetime = std::chrono::days(7);
  std::chrono::milliseconds crl_interval{1000};  // republished at most this often (decision 57)
  // Where the state of LDevIDs is told, if anywhere; "{ca}" in a URL becomes the key identifier of the issuing CA in
  // hex. Other profiles get none (RFC 8995 5.5.3: in a registrar's certificate only if the MASA can reach it).
  std::optional<std::string> crl_url;         // cRLDistributionPoints
  std::optional<std::string> ocsp_url;        // authorityInfoAccess, id-ad-ocsp
  std::optional<std::string> ca_issuers_url;  // authorityInfoAccess, id-ad-caIssuers
  std::chrono::seconds ocsp_lifetime{60};     // nextUpdate of OCSP answers: how long a hold may go unseen
  // Who signs OCSP answers: certificates delegated by the CA, with keys that live in memory only (RFC 6960 4.2.2.2), or
  // the CA itself.
  bool delegate_ocsp = true;
  std::chrono::seconds ocsp_signer_lifetime = std::chrono::days(30);
  std::function<Bytes()> make_serial;  // for tests; empty: 16 random octets
};

class DomainCa : public CertificateAuthority {
 public:
  // Creates key and self-signed certificate on first use; both and all records live in `store`'s folder and `store`.
  static Result<std::unique_ptr<DomainCa>> open(store::Store&, const Clock&, DomainCaOptions);

  virtual const crypto::Certificate& certificate() const = 0;

  // The current CRL, DER; never stale by more than crl_interval after a change and always within its nextUpdate.
  virtual Bytes crl() const = 0;
  // The CRL of one of the CA's keys, the present one or an earlier one; nullopt when there is no such key. All list the
  // same: what the CA revoked under its one name.
  virtual std::optional<Bytes> crl_of(std::string_view key_identifier_hex) const = 0;
  // The answer to an OCSP request, DER: good, revoked (a hold says so) or unknown, as it is at this moment.
  virtual boost::asio::awaitable<Bytes> answer_ocsp(Bytes request) = 0;

  // Makes a new key at `key_uri` (file: created) and issues with it from now on, under the same name; both keys certify
  // each other (RFC 4210 4.4). The old key goes on signing the CRL and OCSP answers of what it issued.
  virtual boost::asio::awaitable<Result<void>> roll_over(std::string key_uri) = 0;
  // The roots under which certificates of this CA may still be valid, the present one first.
  virtual std::vector<crypto::Certificate> roots() const = 0;
  // What was issued: by certificate serial.
  virtual Result<std::optional<crypto::Certificate>> find(std::string_view serial_hex) const = 0;
};

}  // namespace cahn::pki
