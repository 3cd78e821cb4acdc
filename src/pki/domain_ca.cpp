// Layout in the store:
//   table "ca_state"    "crl_epoch" → decimal
//   table "ca_issued"   certificate serial (hex) → DER
//   event "certificate_issued"  JSON {"serial", "profile", "certificate": base64 DER}
// and what revocations.h and ca_generations.h keep.

#include "pki/domain_ca.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ranges>

#include "base/log.h"
#include "base/metrics.h"
#include "crypto/ocsp.h"
#include "crypto/tls.h"
#include "pki/ca_generations.h"
#include "pki/callback.h"
#include "pki/profile.h"
#include "pki/revocations.h"
#include "store/async.h"

namespace cahn::pki {
namespace {

constexpr std::string_view state_table = "ca_state", issued_table = "ca_issued";
constexpr int serial_attempts = 3;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return out;
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

// One of the CA's keys with what it publishes.
struct Authority {
  explicit Authority(CaGeneration of)
      : generation(std::move(of)), id(hex(generation.certificate.public_key().key_identifier())) {}

  const CaGeneration generation;
  const std::string id;

  std::mutex mutex;  // guards what follows
  std::uint64_t crl_version = 0;
  Time crl_at;
  Bytes crl;
  std::optional<crypto::TlsIdentity> ocsp_signer;  // a delegate: certificate and key
};
using AuthorityPtr = std::shared_ptr<Authority>;

std::optional<std::string> url_for(const std::optional<std::string>& url, const Authority& authority) {
  if (!url) return std::nullopt;
  constexpr std::string_view placeholder = "{ca}";
  const auto at = url->find(placeholder);
  if (at == std::string::npos) return url;
  return url->substr(0, at) + authority.id + url->substr(at + placeholder.size());
}

class StoredDomainCa final : public DomainCa {
 public:
  StoredDomainCa(store::Store& store, const Clock& clock, DomainCaOptions options,
                 std::vector<CaGeneration> generations, std::shared_ptr<Revocations> revocations,
                 std::uint64_t crl_epoch)
      : store_(store),
        clock_(clock),
        options_(std::move(options)),
        revocations_(std::move(revocations)),
        crl_number_(crl_epoch << 32) {
    for (auto& each : generations) authorities_.push_back(std::make_shared<Authority>(std::move(each)));
  }

  const crypto::Certificate& certificate() const override { return current()->generation.certificate; }
  std::vector<crypto::Certificate> ca_certificates() const override { return {certificate()}; }
  std::vector<crypto::Certificate> rollover_certificates() const override;
  std::vector<crypto::Certificate> roots() const override;

  boost::asio::awaitable<Result<IssuedCertificate>> issue(IssueRequest request) override;
  boost::asio::awaitable<Result<void>> revoke(std::string serial_hex, crypto::RevocationReason reason) override;
  boost::asio::awaitable<Result<void>> release(std::string serial_hex) override;
  std::optional<crypto::RevocationReason> revocation(std::string_view serial_hex) const override;
  Bytes crl() const override { return crl_by(*current()); }
  std::optional<Bytes> crl_of(std::string_view key_identifier_hex) const override;
  boost::asio::awaitable<Bytes> answer_ocsp(Bytes request) override;
  boost::asio::awaitable<Result<void>> roll_over(std::string key_uri) override;
  Result<std::optional<crypto::Certificate>> find(std::string_view serial_hex) const override;

 private:
  // The present key's. Authorities are added and never removed, so that what they hold lives as long as the CA.
  AuthorityPtr current() const;
  std::vector<AuthorityPtr> all() const;
  boost::asio::awaitable<Result<IssuedCertificate>> issue_by(AuthorityPtr, IssueRequest request);
  Result<crypto::Certificate> sign(const IssueRequest&, const Authority&) const;
  std::chrono::seconds lifetime_of(Profile) const;
  Result<crypto::Certificate> must_find(const std::string& serial) const;
  Bytes crl_by(Authority&) const;
  bool crl_is_due(const Authority&, Time now) const;
  void publish_crl(Authority&, Time now) const;
  AuthorityPtr asked_of(const crypto::OcspRequest&) const;
  crypto::OcspAnswer status_of(const crypto::OcspCertId&, const Authority&) const;
  boost::asio::awaitable<Result<crypto::TlsIdentity>> ocsp_signer(AuthorityPtr);

  store::Store& store_;
  const Clock& clock_;
  const DomainCaOptions options_;
  const std::shared_ptr<Revocations> revocations_;

  mutable std::mutex authorities_mutex_;
  std::vector<AuthorityPtr> authorities_;  // oldest first
  mutable std::atomic<std::uint64_t> crl_number_;
};

AuthorityPtr StoredDomainCa::current() const {
  const std::lock_guard lock(authorities_mutex_);
  return authorities_.back();
}

std::vector<AuthorityPtr> StoredDomainCa::all() const {
  const std::lock_guard lock(authorities_mutex_);
  return authorities_;
}

std::vector<crypto::Certificate> StoredDomainCa::rollover_certificates() const {
  const Time now = clock_.now();
  const auto authorities = all();
  std::vector<crypto::Certificate> out;
  for (std::size_t i = authorities.size() - 1; i > 0; --i) {
    const CaGeneration& newer = authorities[i]->generation;
    const crypto::Certificate& older = authorities[i - 1]->generation.certificate;
    if (!older.valid_at(now)) break;
    out.insert(out.end(), {older, *newer.old_with_new, *newer.new_with_old});
  }
  return out;
}

std::vector<crypto::Certificate> StoredDomainCa::roots() const {
  const Time now = clock_.now();
  std::vector<crypto::Certificate> out;
  for (const auto& authority : all() | std::views::reverse) {
    if (out.empty() || authority->generation.certificate.valid_at(now))
      out.push_back(authority->generation.certificate);
  }
  return out;
}

std::chrono::seconds StoredDomainCa::lifetime_of(Profile profile) const {
  if (profile == Profile::ocsp_signer) return options_.ocsp_signer_lifetime;
  return profile == Profile::ldevid ? options_.ldevid_lifetime : options_.server_lifetime;
}

Result<crypto::Certificate> StoredDomainCa::sign(const IssueRequest& request, const Authority& authority) const {
  const crypto::Certificate& ca = authority.generation.certificate;
  CAHN_CHECK(check_request(request, ca));
  const Time now = whole_second(clock_.now());
  if (!ca.valid_at(now)) return fail(PkiError::unavailable, "the CA's own certificate is not valid now");
  crypto::CertificateSpec spec = certificate_spec(request);
  spec.not_before = std::max(now - backdated, ca.not_before());
  spec.not_after = std::min(now + lifetime_of(request.profile), ca.not_after());
  if (request.profile == Profile::ldevid) {
    spec.crl_url = url_for(options_.crl_url, authority);
    spec.ocsp_url = url_for(options_.ocsp_url, authority);
    spec.ca_issuers_url = url_for(options_.ca_issuers_url, authority);
  }
  if (options_.make_serial) spec.serial = options_.make_serial();
  auto certificate = crypto::issue_certificate(spec, *authority.generation.key, &ca);
  // What was granted cannot be put into a certificate: a name too long, an address that is none.
  if (!certificate) return fail(PkiError::bad_request, certificate.error().message);
  return certificate;
}

boost::asio::awaitable<Result<IssuedCertificate>> StoredDomainCa::issue(IssueRequest request) {
  return issue_by(current(), std::move(request));
}

boost::asio::awaitable<Result<IssuedCertificate>> StoredDomainCa::issue_by(AuthorityPtr authority,
                                                                           IssueRequest request) {
  for (int attempt = 1;; ++attempt) {
    auto signed_certificate = sign(request, *authority);
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
      IssuedCertificate answer{*std::move(signed_certificate), {authority->generation.certificate}};
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

bool StoredDomainCa::crl_is_due(const Authority& authority, Time now) const {
  if (authority.crl.empty() || now < authority.crl_at) return true;
  if (now - authority.crl_at >= options_.crl_lifetime / 2) return true;
  return revocations_->version() != authority.crl_version && now - authority.crl_at >= options_.crl_interval;
}

void StoredDomainCa::publish_crl(Authority& authority, Time now) const {
  // RFC 5280 3.3: an entry stays until one CRL after the certificate's expiry has shown it.
  auto [version, entries] = revocations_->entries(now - options_.crl_lifetime);
  crypto::CrlSpec spec;
  spec.number = ++crl_number_;
  spec.this_update = whole_second(now) - backdated;
  spec.next_update = whole_second(now) + options_.crl_lifetime;
  spec.entries = std::move(entries);
  auto der = crypto::make_crl(spec, authority.generation.certificate, *authority.generation.key);
  if (!der) {
    log::error("PKI_CRL_FAILED", "the CRL could not be signed; the old one stays", {{"error", der.error().message}});
    return;
  }
  static metrics::Gauge listed("cahn_crl_entries", "Certificates on the current CRL");
  listed.set(static_cast<double>(spec.entries.size()));
  authority.crl_version = version;
  authority.crl_at = now;
  authority.crl = *std::move(der);
}

Bytes StoredDomainCa::crl_by(Authority& authority) const {
  const Time now = clock_.now();
  const std::lock_guard lock(authority.mutex);
  if (crl_is_due(authority, now)) publish_crl(authority, now);
  return authority.crl;
}

std::optional<Bytes> StoredDomainCa::crl_of(std::string_view key_identifier_hex) const {
  const std::string id = lower(key_identifier_hex);
  for (const auto& authority : all()) {
    if (authority->id == id) return crl_by(*authority);
  }
  return std::nullopt;
}

boost::asio::awaitable<Result<void>> StoredDomainCa::roll_over(std::string key_uri) {
  const auto present = all();
  CAHN_CO_TRY(CaGeneration next, next_generation(present.back()->generation, options_, key_uri, clock_.now()));
  for (const auto& each : present) {
    if (each->generation.certificate.public_key() == next.certificate.public_key()) {
      co_return fail(PkiError::bad_request, "that key was the CA's before");
    }
  }
  store::Batch batch = record_of(next, present.size(), key_uri);
  const auto committed = co_await store::commit(store_, std::move(batch));
  if (!committed) co_return fail(PkiError::unavailable, "the CA's store: " + committed.error().message);
  log::info(
      "PKI_CA_ROLLED_OVER", "the domain CA has a new key",
      {{"subject", next.certificate.subject_text()}, {"key", hex(next.certificate.public_key().key_identifier())}});
  const std::lock_guard lock(authorities_mutex_);
  authorities_.push_back(std::make_shared<Authority>(std::move(next)));
  co_return Result<void>();
}

// The key that the request is about. One response is signed by one; RFC 5019 2.1.1 has one certificate in a request.
AuthorityPtr StoredDomainCa::asked_of(const crypto::OcspRequest& request) const {
  for (const auto& authority : all()) {
    for (const auto& id : request.certificates()) {
      if (id.is_issued_by(authority->generation.certificate)) return authority;
    }
  }
  return nullptr;
}

crypto::OcspAnswer StoredDomainCa::status_of(const crypto::OcspCertId& id, const Authority& authority) const {
  using Status = crypto::OcspAnswer::Status;
  const crypto::Certificate& ca = authority.generation.certificate;
  if (!id.is_issued_by(ca)) return {};
  const auto certificate = find(id.serial_hex);
  // RFC 6960 2.2: what this key did not issue is unknown to it.
  if (!certificate || !*certificate) return {};
  if ((*certificate)->authority_key_identifier() != ca.subject_key_identifier()) return {};
  const auto revocation = revocations_->find(lower(id.serial_hex));
  if (!revocation) return {.status = Status::good};
  return {.status = Status::revoked, .revoked_at = revocation->at, .reason = revocation->reason};
}

// The delegate of one key; a new one when half of its time is over.
boost::asio::awaitable<Result<crypto::TlsIdentity>> StoredDomainCa::ocsp_signer(AuthorityPtr authority) {
  const CaGeneration& generation = authority->generation;
  if (!options_.delegate_ocsp) {
    crypto::TlsIdentity itself{{generation.certificate}, generation.key};
    co_return itself;
  }
  const Time now = clock_.now();
  {
    const std::lock_guard lock(authority->mutex);
    const auto& signer = authority->ocsp_signer;
    if (signer && signer->chain.front().valid_at(now) &&
        now < signer->chain.front().not_before() + options_.ocsp_signer_lifetime / 2) {
      co_return *signer;
    }
  }
  CAHN_CO_TRY(auto key, crypto::generate_key(crypto::KeyType::p256));
  crypto::CsrSpec asked;
  asked.subject = {{"CN", "OCSP " + authority->id.substr(0, 16)}};
  CAHN_CO_TRY(const Bytes csr_der, crypto::make_csr(asked, *key));
  CAHN_CO_TRY(auto csr, crypto::Csr::from_der(csr_der));
  IssueRequest request{std::move(csr), Profile::ocsp_signer, asked.subject, {}, {}, {}};
  auto issuing = issue_by(authority, std::move(request));
  CAHN_CO_TRY(auto issued, co_await std::move(issuing));
  crypto::TlsIdentity signer{{std::move(issued.certificate)}, std::move(key)};
  const std::lock_guard lock(authority->mutex);
  authority->ocsp_signer = signer;
  co_return signer;
}

boost::asio::awaitable<Bytes> StoredDomainCa::answer_ocsp(Bytes der) {
  using crypto::OcspFailure;
  const auto request = crypto::OcspRequest::from_der(der);
  if (!request) co_return crypto::make_ocsp_failure(OcspFailure::malformed_request);
  auto authority = asked_of(*request);
  // RFC 5019 2.2.3: not a certificate of ours at all.
  if (!authority) co_return crypto::make_ocsp_failure(OcspFailure::unauthorized);
  auto preparing = ocsp_signer(authority);
  const auto signer = co_await std::move(preparing);
  if (!signer) {
    log::error("PKI_OCSP_FAILED", "no OCSP answer could be signed", {{"error", signer.error().message}});
    co_return crypto::make_ocsp_failure(OcspFailure::try_later);
  }
  crypto::OcspResponseSpec spec;
  spec.this_update = whole_second(clock_.now());
  spec.next_update = spec.this_update + options_.ocsp_lifetime;
  for (const auto& id : request->certificates()) spec.answers.push_back(status_of(id, *authority));
  auto response = crypto::make_ocsp_response(*request, spec, signer->chain.front(), *signer->key);
  if (!response) {
    log::error("PKI_OCSP_FAILED", "no OCSP answer could be signed", {{"error", response.error().message}});
    co_return crypto::make_ocsp_failure(OcspFailure::internal_error);
  }
  co_return *std::move(response);
}

}  // namespace

Result<std::unique_ptr<DomainCa>> DomainCa::open(store::Store& store, const Clock& clock, DomainCaOptions options) {
  CAHN_TRY(auto generations, open_generations(store, options, clock.now()));
  CAHN_TRY(auto revocations, Revocations::load(store));
  CAHN_TRY(const auto epoch, next_crl_epoch(store));
  return std::make_unique<StoredDomainCa>(store, clock, std::move(options), std::move(generations),
                                          std::move(revocations), epoch);
}

}  // namespace cahn::pki
