// Layout in the store:
//   table "ca_state"    "certificate" → DER of the CA; "crl_epoch" → decimal
//   table "ca_issued"   certificate serial (hex) → DER
//   event "certificate_issued"  JSON {"serial", "profile", "certificate": base64 DER}
// and what revocations.h keeps.

#include "pki/domain_ca.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/metrics.h"
#include "pki/callback.h"
#include "pki/profile.h"
#include "pki/revocations.h"
#include "store/async.h"

namespace cahn::pki {
namespace {

using std::chrono::seconds;
constexpr std::string_view state_table = "ca_state", issued_table = "ca_issued";
// Certificates and CRLs are valid from a little before they are made: the clocks of those who check them differ.
constexpr std::chrono::minutes backdated{5};
constexpr int serial_attempts = 3;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return out;
}

Time whole_second(Time time) { return std::chrono::floor<seconds>(time); }

// L913-923: the domain's root is self-signed and bears its owner's name or mail address.
Result<crypto::Certificate> self_signed(const DomainCaOptions& options, const crypto::PrivateKey& key, Time now) {
  if (options.owner_name.empty()) return fail(PkiError::bad_request, "a domain CA needs its owner's name");
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", options.owner_name}};
  spec.key = key.public_key();
  spec.not_before = whole_second(now) - backdated;
  spec.not_after = whole_second(now) + options.ca_lifetime;
  spec.ca = true;
  spec.path_length = 0;
  spec.key_usage = crypto::KeyUsage::cert_sign | crypto::KeyUsage::crl_sign;
  if (options.owner_name.contains('@')) spec.emails = {options.owner_name};
  return crypto::issue_certificate(spec, key);
}

bool names_a_file(std::string_view uri) { return uri.starts_with("file:") || uri.starts_with('/'); }

Result<crypto::PrivateKeyPtr> first_key(const std::string& uri) {
  if (!names_a_file(uri)) return crypto::open_key(uri);
  return crypto::open_or_create_key_file(crypto::KeyType::p256, uri.starts_with("file:") ? uri.substr(5) : uri);
}

struct Identity {
  crypto::Certificate certificate;
  crypto::PrivateKeyPtr key;
};

// The CA as the store remembers it, or a new one. A CA whose key is gone is an error, never a new key under an old
// name.
Result<Identity> open_identity(store::Store& store, const DomainCaOptions& options, Time now) {
  CAHN_TRY(const auto kept, store.get(state_table, "certificate"));
  if (kept) {
    CAHN_TRY(auto certificate, crypto::Certificate::from_der(*kept));
    CAHN_TRY(auto key, crypto::open_key(options.key_uri));
    if (!(key->public_key() == certificate.public_key())) {
      return fail(crypto::CryptoError::wrong_key, "the CA's key file does not belong to the CA's certificate");
    }
    if (certificate.common_name() != options.owner_name) {
      log::warning("PKI_OWNER_UNCHANGED", "the domain CA keeps the owner's name it was made with",
                   {{"kept", certificate.common_name().value_or("")}, {"configured", options.owner_name}});
    }
    return Identity{std::move(certificate), std::move(key)};
  }
  CAHN_TRY(auto key, first_key(options.key_uri));
  CAHN_TRY(auto certificate, self_signed(options, *key, now));
  store::Batch batch;
  batch.events.push_back({"ca_created", certificate.der()});
  batch.puts.push_back({std::string(state_table), "certificate", certificate.der()});
  batch.absent.emplace_back(state_table, "certificate");
  CAHN_CHECK(store.commit_and_wait(std::move(batch)));
  log::info("PKI_CA_CREATED", "a domain CA was created", {{"subject", certificate.subject_text()}});
  return Identity{std::move(certificate), std::move(key)};
}

// A CRLNumber is the count of this CA's starts in the upper 32 bits and the count of CRLs since in the lower: it grows
// across restarts without a commit for every CRL.
Result<std::uint64_t> next_crl_epoch(store::Store& store) {
  CAHN_TRY(const auto kept, store.get(state_table, "crl_epoch"));
  std::uint32_t epoch = 0;
  if (kept) {
    const auto text = as_text(*kept);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
    if (error != std::errc() || end != text.data() + text.size() || epoch == UINT32_MAX) {
      return fail(store::StoreError::corrupt, "the CA's count of starts cannot be read");
    }
  }
  store::Batch batch;
  batch.puts.push_back({std::string(state_table), "crl_epoch", to_bytes(std::to_string(epoch + 1))});
  CAHN_CHECK(store.commit_and_wait(std::move(batch)));
  return std::uint64_t{epoch} + 1;
}

class StoredDomainCa final : public DomainCa {
 public:
  StoredDomainCa(store::Store& store, const Clock& clock, DomainCaOptions options, Identity identity,
                 std::shared_ptr<Revocations> revocations, std::uint64_t crl_epoch)
      : store_(store),
        clock_(clock),
        options_(std::move(options)),
        identity_(std::move(identity)),
        revocations_(std::move(revocations)),
        crl_number_(crl_epoch << 32) {}

  const crypto::Certificate& certificate() const override { return identity_.certificate; }
  std::vector<crypto::Certificate> ca_certificates() const override { return {identity_.certificate}; }

  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override;
  boost::asio::awaitable<Result<void>> revoke(std::string serial_hex, crypto::RevocationReason reason) override;
  boost::asio::awaitable<Result<void>> release(std::string serial_hex) override;
  std::optional<crypto::RevocationReason> revocation(std::string_view serial_hex) const override;
  Bytes crl() const override;
  Result<std::optional<crypto::Certificate>> find(std::string_view serial_hex) const override;

 private:
  Result<crypto::Certificate> sign(const IssueRequest&) const;
  Result<crypto::Certificate> must_find(const std::string& serial) const;
  bool crl_is_due(Time now) const;
  void publish_crl(Time now) const;

  store::Store& store_;
  const Clock& clock_;
  const DomainCaOptions options_;
  const Identity identity_;
  const std::shared_ptr<Revocations> revocations_;

  mutable std::mutex crl_mutex_;  // guards what follows
  mutable std::uint64_t crl_number_;
  mutable std::uint64_t crl_version_ = 0;
  mutable Time crl_at_;
  mutable Bytes crl_;
};

Result<crypto::Certificate> StoredDomainCa::sign(const IssueRequest& request) const {
  CAHN_CHECK(check_request(request, identity_.certificate));
  const Time now = whole_second(clock_.now());
  if (!identity_.certificate.valid_at(now))
    return fail(PkiError::unavailable, "the CA's own certificate is not valid now");
  crypto::CertificateSpec spec = certificate_spec(request);
  const bool is_ldevid = request.profile == Profile::ldevid;
  spec.not_before = std::max(now - backdated, identity_.certificate.not_before());
  spec.not_after = std::min(now + (is_ldevid ? options_.ldevid_lifetime : options_.server_lifetime),
                            identity_.certificate.not_after());
  if (is_ldevid) spec.crl_url = options_.crl_url;
  if (options_.make_serial) spec.serial = options_.make_serial();
  auto certificate = crypto::issue_certificate(spec, *identity_.key, &identity_.certificate);
  // What was granted cannot be put into a certificate: a name too long, an address that is none.
  if (!certificate) return fail(PkiError::bad_request, certificate.error().message);
  return certificate;
}

boost::asio::awaitable<Result<IssuedCertificate>> StoredDomainCa::issue(IssueRequest request) {
  for (int attempt = 1;; ++attempt) {
    auto signed_certificate = sign(request);
    if (!signed_certificate) co_return std::unexpected(std::move(signed_certificate).error());
    const std::string serial = signed_certificate->serial_hex();
    const nlohmann::json record = {{"serial", serial},
                                   {"profile", std::string(profile_name(request.profile))},
                                   {"certificate", base64(signed_certificate->der())}};
    store::Batch batch;
    batch.events.push_back({"certificate_issued", to_bytes(record.dump())});
    batch.puts.push_back({std::string(issued_table), serial, signed_certificate->der()});
    batch.absent.emplace_back(issued_table, serial);  // RFC 5280 4.1.2.2: never two with one serial
    const auto committed = co_await store::commit(store_, std::move(batch));
    if (committed) {
      static metrics::Counter issued("cahn_certificates_issued_total", "Certificates issued by the domain CA");
      issued.add();
      IssuedCertificate answer{*std::move(signed_certificate), {identity_.certificate}};
      co_return answer;
    }
    if (committed.error().code == store::StoreError::conflict && attempt < serial_attempts) continue;
    co_return fail(PkiError::unavailable, "the CA's store: " + committed.error().message);
  }
}

Result<std::optional<crypto::Certificate>> StoredDomainCa::find(std::string_view serial_hex) const {
  CAHN_TRY(const auto der, store_.get(issued_table, lower(serial_hex)));
  if (!der) return std::nullopt;
  CAHN_TRY(auto certificate, crypto::Certificate::from_der(*der));
  return certificate;
}

Result<crypto::Certificate> StoredDomainCa::must_find(const std::string& serial) const {
  auto found = find(serial);
  if (!found) return fail(PkiError::unavailable, "the CA's store: " + found.error().message);
  if (!*found) return fail(PkiError::bad_request, "this CA issued no certificate with that serial number");
  return **std::move(found);
}

boost::asio::awaitable<Result<void>> StoredDomainCa::revoke(std::string serial_hex, crypto::RevocationReason reason) {
  const std::string serial = lower(serial_hex);
  CAHN_CO_TRY(const auto certificate, must_find(serial));
  const Revocation asked{reason, clock_.now(), certificate.not_after()};
  auto revocations = revocations_;
  std::function<void(Revocations::Done)> start = [revocations, serial, asked](Revocations::Done done) {
    revocations->revoke(serial, asked, std::move(done));
  };
  co_return co_await await_callback(std::move(start));
}

boost::asio::awaitable<Result<void>> StoredDomainCa::release(std::string serial_hex) {
  const std::string serial = lower(serial_hex);
  CAHN_CO_CHECK(must_find(serial));
  auto revocations = revocations_;
  std::function<void(Revocations::Done)> start = [revocations, serial](Revocations::Done done) {
    revocations->release(serial, std::move(done));
  };
  co_return co_await await_callback(std::move(start));
}

std::optional<crypto::RevocationReason> StoredDomainCa::revocation(std::string_view serial_hex) const {
  const auto found = revocations_->find(lower(serial_hex));
  return found ? std::optional(found->reason) : std::nullopt;
}

bool StoredDomainCa::crl_is_due(Time now) const {
  if (crl_.empty() || now < crl_at_) return true;
  if (now - crl_at_ >= options_.crl_lifetime / 2) return true;
  return revocations_->version() != crl_version_ && now - crl_at_ >= options_.crl_interval;
}

void StoredDomainCa::publish_crl(Time now) const {
  // RFC 5280 3.3: an entry stays until one CRL after the certificate's expiry has shown it.
  auto [version, entries] = revocations_->entries(now - options_.crl_lifetime);
  crypto::CrlSpec spec;
  spec.number = crl_number_ + 1;
  spec.this_update = whole_second(now) - backdated;
  spec.next_update = whole_second(now) + options_.crl_lifetime;
  spec.entries = std::move(entries);
  auto der = crypto::make_crl(spec, identity_.certificate, *identity_.key);
  if (!der) {
    log::error("PKI_CRL_FAILED", "the CRL could not be signed; the old one stays", {{"error", der.error().message}});
    return;
  }
  static metrics::Gauge listed("cahn_crl_entries", "Certificates on the current CRL");
  listed.set(static_cast<double>(spec.entries.size()));
  crl_number_ = spec.number;
  crl_version_ = version;
  crl_at_ = now;
  crl_ = *std::move(der);
}

Bytes StoredDomainCa::crl() const {
  const Time now = clock_.now();
  const std::lock_guard lock(crl_mutex_);
  if (crl_is_due(now)) publish_crl(now);
  return crl_;
}

}  // namespace

Result<std::unique_ptr<DomainCa>> DomainCa::open(store::Store& store, const Clock& clock, DomainCaOptions options) {
  CAHN_TRY(auto identity, open_identity(store, options, clock.now()));
  CAHN_TRY(auto revocations, Revocations::load(store));
  CAHN_TRY(const auto epoch, next_crl_epoch(store));
  return std::make_unique<StoredDomainCa>(store, clock, std::move(options), std::move(identity), std::move(revocations),
                                          epoch);
}

}  // namespace cahn::pki
