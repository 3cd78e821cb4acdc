// What a registrar is told: the makers it deals with, how each is to be treated, and its own policies.

#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "brski/wire.h"
#include "crypto/chain.h"
#include "crypto/crl.h"
#include "crypto/tls.h"
#include "net/http.h"
#include "store/store.h"

namespace cahn::brski {

// Where a maker's IDevIDs have their serial number (RFC 8995 2.3.1, L2606).
enum class SerialSource {
  subject_serial_number,  // X520SerialNumber, as RFC 8995 wants it
  common_name,            // CN of the subject
  dns_name,               // first dNSName of the SubjectAltName
  uri                     // first uniformResourceIdentifier of the SubjectAltName
};

// How peers of one maker speak.
enum class Compat {
  strict,  // RFC 8995
  field    // as some devices and MASAs do: bodies in base64, requests under the voucher's JSON root, id-data in CMS
};

// Name and password for a MASA's HTTP authentication (RFC 8995 5.4). A secret: never logged.
struct MasaCredentials {
  enum class Scheme { basic, digest };
  std::string user, password;
  Scheme scheme = Scheme::basic;
};

// A maker of devices this registrar deals with. To be listed is not to be trusted: that is Admission's (decision 63).
struct Manufacturer {
  std::string name;                          // for logs and the operator; unique
  crypto::TrustStore idevid_anchors;         // CAs of its IDevIDs; never the anchors of its MASA's web server (2.5.3)
  std::optional<std::string> masa_override;  // authority or URI used instead of the IDevID's, and logged (decision 16)
  std::optional<crypto::TrustStore> masa_tls_anchors;  // else RegistrarOptions::masa_tls_anchors
  std::vector<crypto::Certificate> intermediates{};    // issuing CAs under the anchors, if devices do not send them
  bool ignore_idevid_lifetime = false;                 // RFC 8995 2.6.2
  SerialSource serial_source = SerialSource::subject_serial_number;
  std::optional<std::string> masa_fallback{};          // where the IDevID names no MASA (RFC 8995 2.8)
  std::optional<crypto::TlsIdentity> masa_identity{};  // our TLS client certificate there, if not the registrar's
  bool masa_without_certificate = false;               // none at all
  std::optional<MasaCredentials> masa_credentials{};
  bool operator_approves = false;  // what policy permits waits for an operator's word too
  bool offline_first = false;      // a stored voucher is used without asking the MASA first
  Compat compat = Compat::strict;
};

// How far up the CMS of a voucher-request shows the registrar's chain, which is what a MASA may pin (RFC 8995 5.5).
enum class PinDepth { end_entity, issuing_ca, chain };

enum class AuditTiming {
  never,            // only for devices that bootstrap although they have joined
  after_status,     // when the pledge has told what it thinks of its voucher (RFC 8995 5.8); before it may enrol
  before_delivery,  // a device with an unexpected past gets no voucher (406)
};

// What of a device's past the registrar puts up with (RFC 8995 5.8.3).
struct AuditPolicy {
  AuditTiming timing = AuditTiming::after_status;
  std::vector<Bytes> known_domains;       // domainIDs that are expected besides our own
  bool earlier_owners = true;             // foreign domains before our first entry: preowned equipment
  bool ignore_history = false;            // RFC 8995 5.8.3: only with hardware-assisted assessment of devices
  bool ignore_unknown_nonceless = false;  // RFC 8995 7.3
  bool unknown_answers = false;           // permit on a kind of answer that is not understood, and on 404
  enum class Unavailable { wait, permit } unavailable = Unavailable::wait;  // the MASA cannot be asked at the moment
};

struct RegistrarOptions {
  crypto::TlsIdentity identity;  // as the HTTPS server shows it; leaf has cmcRA and serverAuth (decision 8)
  // Shown on other connections: another kind of key, or the one before a change. Each signs for its own sessions.
  std::vector<crypto::TlsIdentity> other_identities{};
  std::vector<crypto::Certificate>
      domain_ca;  // issuing CA first; carried in voucher-requests, so that the CA is pinned
  std::vector<crypto::Certificate> retired_roots{};  // of the CA's earlier keys: LDevIDs under them are still valid
  std::vector<Manufacturer> manufacturers;
  crypto::TrustStore masa_tls_anchors;  // who may vouch for a MASA's TLS name
  // Within the time a server gives its handlers (net::ServerLimits::handler).
  net::ClientLimits masa_limits{.response = std::chrono::seconds(20)};
  PinDepth pin_depth = PinDepth::chain;
  AuditPolicy audit;
  bool opaque_vouchers = false;  // pass on what the pledge accepts and we cannot read (decision 13)
  std::chrono::seconds reuse_answers_for = std::chrono::minutes(10);  // the MASA's answer to the very same request
  std::chrono::seconds pending_for = std::chrono::days(4);            // how long an undecided request is kept (L3522)
  std::chrono::seconds status_within = std::chrono::minutes(2);       // then a pledge is silent (L4303)
  std::string network;      // target network's name (SSID): CN of LDevIDs (decision 9)
  std::string network_uri;  // SAN of LDevIDs; empty: urn:cahn:network:<name, percent-encoded>
  // How a key is named in the device registry: credential::did_key (decision 64), which this room must not know.
  std::function<std::string(const crypto::PublicKey&)> name_of_key;
  // Whether a certificate of our CA is revoked or on hold: DomainCa::revocation.
  std::function<std::optional<crypto::RevocationReason>(std::string_view serial_hex)> revocation;
  std::function<void(const Progress&)> on_progress;  // must not block; may be empty
  // Where reports, pending decisions, exchanges with MASAs and stored vouchers are kept.
  store::Store* store = nullptr;
};

}  // namespace cahn::brski
