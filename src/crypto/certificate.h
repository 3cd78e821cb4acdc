// X.509 certificates: parsed once into an immutable value that keeps its exact DER.
//
// Threads: immutable, safe to share; copies are cheap (shared).

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"

struct x509_st;

namespace cahn::crypto {

// A distinguished name, most significant first. Types are OpenSSL short names ("CN", "O", "OU", "serialNumber", "C").
using Name = std::vector<std::pair<std::string, std::string>>;
// RFC 4514 text, for people: "CN=…,O=…".
std::string to_text(const Name&);

class Certificate {
 public:
  // Exactly one DER certificate of at most 64 KiB with a supported key; trailing octets are malformed.
  static Result<Certificate> from_der(ByteView);
  static Result<Certificate> from_pem(std::string_view);  // the first one
  static Result<std::vector<Certificate>> all_from_pem(std::string_view);

  const Bytes& der() const;
  std::string pem() const;
  const PublicKey& public_key() const;
  const Name& subject() const;
  const Name& issuer() const;
  std::string subject_text() const { return to_text(subject()); }
  std::string issuer_text() const { return to_text(issuer()); }
  // The subject's attribute 2.5.4.5 (RFC 8995 2.3.1), not the certificate's serial number; absent or empty: nullopt.
  std::optional<std::string> subject_serial_number() const;
  std::optional<std::string> common_name() const;
  // The certificate's own serial number, big-endian octets without sign, as lower-case hex (even length).
  std::string serial_hex() const;
  Time not_before() const;
  Time not_after() const;  // 99991231235959Z reads as it is
  bool valid_at(Time) const;
  bool is_ca() const;  // basicConstraints cA
  bool is_self_issued() const;
  // The name's dotted OID or OpenSSL short name: "serverAuth", "clientAuth", "1.3.6.1.5.5.7.3.28" (id-kp-cmcRA).
  bool has_extended_key_usage(std::string_view) const;
  // Absent keyUsage permits everything.
  bool allows_digital_signature() const;
  std::optional<Bytes> subject_key_identifier() const;
  // The whole extension value, a DER AuthorityKeyIdentifier (decision 4); nullopt without the extension.
  std::optional<Bytes> authority_key_identifier_der() const;
  // Its keyIdentifier member alone.
  std::optional<Bytes> authority_key_identifier() const;
  // id-pe-masa-url 1.3.6.1.5.5.7.1.32, IA5String (RFC 8995 2.3.2).
  std::optional<std::string> masa_url() const;
  std::vector<std::string> dns_names() const;
  std::vector<std::string> uris() const;
  // Where its issuer tells whether it is revoked: URIs of cRLDistributionPoints that hold a full list of the issuer's
  // own (RFC 5280 4.2.1.13), and of authorityInfoAccess for OCSP. At most 8 each.
  std::vector<std::string> crl_urls() const;
  std::vector<std::string> ocsp_urls() const;
  // SHA-256 of the DER.
  Bytes fingerprint() const;
  // RFC 8995 5.8.2: SubjectKeyIdentifier, else SHA-256 of the SPKI.
  Bytes domain_id() const;
  // Whether `issuer`'s key signed this one; says nothing of names, times or purposes.
  bool signed_by(const PublicKey& issuer) const;
  x509_st* handle() const;  // borrowed

  friend bool operator==(const Certificate& a, const Certificate& b) { return a.der() == b.der(); }

 private:
  struct Parsed;
  friend struct CertificateAccess;
  explicit Certificate(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

inline constexpr std::string_view oid_cmc_ra = "1.3.6.1.5.5.7.3.28";
inline constexpr std::string_view oid_masa_url = "1.3.6.1.5.5.7.1.32";

// 99991231235959Z: "no well-defined expiration" (RFC 5280 4.1.2.5).
Time no_expiration();

enum class KeyUsage : unsigned { digital_signature = 1, key_encipherment = 2, cert_sign = 4, crl_sign = 8 };
constexpr KeyUsage operator|(KeyUsage a, KeyUsage b) { return KeyUsage(unsigned(a) | unsigned(b)); }

// What goes into a new certificate. Subject and authority key identifiers are always added, serials are 16 random
// octets.
struct CertificateSpec {
  Name subject;
  std::optional<PublicKey> key;
  Time not_before;
  Time not_after;
  bool ca = false;                              // basicConstraints, critical, always present
  std::optional<int> path_length;               // with ca only
  std::optional<KeyUsage> key_usage;            // absent: no extension (IDevIDs, RFC 8995 2.3)
  std::vector<std::string> extended_key_usage;  // short names or OIDs
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // text form
  std::vector<std::string> uris;
  std::vector<std::string> emails;
  std::optional<std::string> masa_url;
  std::optional<std::string> crl_url;
  std::optional<std::string> ocsp_url, ca_issuers_url;  // authorityInfoAccess
  bool ocsp_no_check = false;                           // id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1)
  std::optional<Bytes> serial;                          // else random
};

// Signs `spec` with `issuer_key`. Without `issuer` the certificate is self-signed and spec.key must be issuer_key's.
Result<Certificate> issue_certificate(const CertificateSpec&, const PrivateKey& issuer_key,
                                      const Certificate* issuer = nullptr);

}  // namespace cahn::crypto
