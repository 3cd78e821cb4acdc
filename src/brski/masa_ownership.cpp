#include "brski/masa_ownership.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/chain.h"
#include "crypto/digest.h"

namespace cahn::brski {
namespace {

using nlohmann::json;

constexpr std::string_view certificate_prefix = "certificate:", spki_prefix = "spki-sha256:",
                           domain_id_prefix = "domain-id:";
constexpr std::size_t max_domain_id = 64;
constexpr std::size_t max_owner_certificate = std::size_t{8} << 10;

Bytes spki_hash(const crypto::Certificate& certificate) {
  const auto hash = crypto::sha256(certificate.public_key().spki());
  return {hash.begin(), hash.end()};
}

Result<Bytes> hash_of(std::string_view text, std::string_view what) {
  auto octets = hex_decode(text);
  if (!octets) octets = base64_decode(text);
  if (octets && !octets->empty()) return octets;
  return fail(BrskiError::bad_report, "the " + std::string(what) + " is neither hex nor base64");
}

Result<Domain> domain_of_certificate(Result<crypto::Certificate> certificate) {
  if (!certificate) {
    return fail(BrskiError::bad_report, "the owner's certificate cannot be read: " + certificate.error().message);
  }
  if (certificate->der().size() > max_owner_certificate) {
    return fail(BrskiError::bad_report, "the owner's certificate has more than 8 KiB");
  }
  return Domain::of(*std::move(certificate));
}

}  // namespace

Domain Domain::of(crypto::Certificate certificate) {
  Domain domain;
  domain.certificate = std::move(certificate);
  return domain;
}

std::string Domain::text() const {
  if (certificate) return std::string(certificate_prefix) + base64(certificate->der());
  if (spki_sha256) return std::string(spki_prefix) + hex(*spki_sha256);
  return std::string(domain_id_prefix) + base64(domain_id.value_or(Bytes{}));
}

Result<Domain> parse_domain(std::string_view text) {
  if (text.starts_with("-----BEGIN CERTIFICATE-----")) {
    return domain_of_certificate(crypto::Certificate::from_pem(text));
  }
  if (text.starts_with(certificate_prefix)) {
    auto der = base64_decode(text.substr(certificate_prefix.size()));
    if (!der) return fail(BrskiError::bad_report, "the owner's certificate is not base64");
    return domain_of_certificate(crypto::Certificate::from_der(*der));
  }
  Domain domain;
  if (text.starts_with(spki_prefix)) {
    CAHN_TRY(domain.spki_sha256, hash_of(text.substr(spki_prefix.size()), "owner's spki-sha256"));
    if (domain.spki_sha256->size() == 32) return domain;
    return fail(BrskiError::bad_report, "the owner's spki-sha256 has " + std::to_string(domain.spki_sha256->size()) +
                                            " octets instead of 32");
  }
  if (text.starts_with(domain_id_prefix)) {
    CAHN_TRY(domain.domain_id, hash_of(text.substr(domain_id_prefix.size()), "owner's domain-id"));
    if (domain.domain_id->size() >= 20 && domain.domain_id->size() <= max_domain_id) return domain;
    return fail(BrskiError::bad_report, "the owner's domain-id has " + std::to_string(domain.domain_id->size()) +
                                            " octets instead of 20 to 64");
  }
  return fail(BrskiError::bad_report,
              "the owner must be certificate:…, spki-sha256:… or domain-id:…, or a certificate in PEM form");
}

bool is_of(const Domain& domain, const crypto::Certificate& certificate) {
  // The same key in a renewed certificate is the same domain.
  if (domain.certificate) return domain.certificate->public_key() == certificate.public_key();
  if (domain.spki_sha256) return *domain.spki_sha256 == spki_hash(certificate);
  if (!domain.domain_id || *domain.domain_id != certificate.domain_id()) return false;
  return *domain.domain_id == certificate.public_key().key_identifier() || *domain.domain_id == spki_hash(certificate);
}

std::optional<std::vector<crypto::Certificate>> path_within(const Domain& domain,
                                                            const std::vector<crypto::Certificate>& path,
                                                            const std::vector<crypto::Certificate>& carried, Time now) {
  const auto own = std::ranges::find_if(path, [&](const crypto::Certificate& c) { return is_of(domain, c); });
  if (own != path.end()) return std::vector(path.begin(), own + 1);
  if (!domain.certificate || path.empty()) return std::nullopt;
  // RFC 8995 5.5: a registrar may send less than its whole chain; then what it sent must lead to the certificate that
  // is on record, and only what it sent can be pinned.
  auto known = crypto::verify_chain(path.front(), carried, crypto::TrustStore({*domain.certificate}), now);
  if (!known) return std::nullopt;
  known->pop_back();
  return *std::move(known);
}

std::string_view to_text(OwnershipPolicy policy) {
  switch (policy) {
    case OwnershipPolicy::logged_only:
      return "logged-only";
    case OwnershipPolicy::first_come:
      return "first-come";
    case OwnershipPolicy::sales:
      return "sales";
  }
  return "unknown";
}

std::optional<OwnershipPolicy> ownership_policy_from(std::string_view text) {
  for (const auto policy : {OwnershipPolicy::logged_only, OwnershipPolicy::first_come, OwnershipPolicy::sales}) {
    if (text == to_text(policy)) return policy;
  }
  return std::nullopt;
}

bool OwnershipRecord::same_sale(const OwnershipRecord& other) const {
  return source == other.source && owner == other.owner && issuer == other.issuer && model == other.model &&
         since_given == other.since_given && (!since_given || since == other.since) && until == other.until;
}

Result<bool> add_record(OwnershipBook& book, OwnershipRecord record) {
  const auto same = [&](const OwnershipRecord& known) { return known.same_sale(record); };
  // Who came first once may come first again, after a release; a sale told again is the same sale.
  if (record.source == OwnershipRecord::Source::sale && std::ranges::any_of(book.records, same)) return false;
  if (book.records.size() >= max_ownership_records) {
    const auto came_first = std::ranges::find(book.records, OwnershipRecord::Source::first_come, &OwnershipRecord::source);
    if (came_first == book.records.end()) {
      return fail(BrskiError::forbidden, "a device cannot be sold more than " +
                                             std::to_string(max_ownership_records) + " times");
    }
    book.records.erase(came_first);
  }
  book.records.push_back(std::move(record));
  return true;
}

namespace {

bool is_about(const OwnershipRecord& record, const DeviceIdentity& device) {
  const bool other_model = !record.model.empty() && !device.model.empty() && record.model != device.model;
  if (other_model) return false;
  if (!record.issuer.empty()) return record.issuer == device.issuer;
  // RFC 8366 5.3, idevid-issuer: one serial number of two issuers is two devices, and a record must say which it means.
  return device.serial_is_unique || (!record.model.empty() && record.model == device.model);
}

std::optional<Time> end_of(const OwnershipRecord& record) {
  if (record.until && record.released) return std::min(*record.until, *record.released);
  return record.until ? record.until : record.released;
}

// The last one that has begun, of one source; of two that began together the one recorded later.
std::optional<std::size_t> last_begun(const OwnershipBook& book, const DeviceIdentity& device, Time now,
                                      OwnershipRecord::Source source) {
  std::optional<std::size_t> last;
  for (std::size_t i = 0; i < book.records.size(); ++i) {
    const OwnershipRecord& record = book.records[i];
    if (record.source != source || record.since > now || !is_about(record, device)) continue;
    if (!last || record.since >= book.records[*last].since) last = i;
  }
  return last;
}

}  // namespace

std::optional<std::size_t> current_record(const OwnershipBook& book, const DeviceIdentity& device, Time now) {
  const auto holds = [&](std::size_t i) {
    const auto end = end_of(book.records[i]);
    return !end || *end > now;
  };
  const auto sale = last_begun(book, device, now, OwnershipRecord::Source::sale);
  if (sale && holds(*sale)) return sale;
  const auto first = last_begun(book, device, now, OwnershipRecord::Source::first_come);
  if (!first || !holds(*first)) return std::nullopt;
  // Whoever came while a sale was in force did not become an owner by it.
  if (sale && book.records[*first].since < *end_of(book.records[*sale])) return std::nullopt;
  return first;
}

bool is_or_was_owner(const OwnershipRecord& record, const DeviceIdentity& device, Time now) {
  return record.since <= now && is_about(record, device);
}

namespace {

json record_json(const OwnershipRecord& record) {
  json document = {{"owner", record.owner.text()},
                   {"since", rfc3339(record.since, true)},
                   {"sinceGiven", record.since_given},
                   {"source", record.source == OwnershipRecord::Source::sale ? "sale" : "first-come"}};
  if (!record.issuer.empty()) document["issuer"] = record.issuer;
  if (!record.model.empty()) document["model"] = record.model;
  if (!record.customer.empty()) document["customer"] = record.customer;
  if (record.until) document["until"] = rfc3339(*record.until, true);
  if (record.released) document["released"] = rfc3339(*record.released, true);
  return document;
}

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<std::optional<Time>> time_in(const json& object, const char* name) {
  const std::string text = text_in(object, name);
  if (text.empty()) return std::optional<Time>();
  CAHN_TRY(const Time time, parse_rfc3339(text));
  return std::optional(time);
}

Result<OwnershipRecord> record_from(const json& object) {
  if (!object.is_object()) return fail(BrskiError::bad_report, "a record of ownership is no object");
  OwnershipRecord record;
  CAHN_TRY(record.owner, parse_domain(text_in(object, "owner")));
  CAHN_TRY(const auto since, time_in(object, "since"));
  if (!since) return fail(BrskiError::bad_report, "a record of ownership has no beginning");
  record.since = *since;
  CAHN_TRY(record.until, time_in(object, "until"));
  CAHN_TRY(record.released, time_in(object, "released"));
  record.issuer = text_in(object, "issuer");
  record.model = text_in(object, "model");
  record.customer = text_in(object, "customer");
  const auto given = object.find("sinceGiven");
  record.since_given = given != object.end() && given->is_boolean() && given->get<bool>();
  record.source = text_in(object, "source") == "first-come" ? OwnershipRecord::Source::first_come
                                                            : OwnershipRecord::Source::sale;
  return record;
}

}  // namespace

std::string to_json(const OwnershipBook& book) {
  json records = json::array();
  for (const OwnershipRecord& record : book.records) records.push_back(record_json(record));
  json document = {{"records", std::move(records)}};
  if (book.policy) document["policy"] = to_text(*book.policy);
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<OwnershipBook> ownership_book_from_json(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("records") || !document["records"].is_array()) {
    return fail(BrskiError::bad_report, "the record of a device's owners is damaged");
  }
  OwnershipBook book;
  for (const json& one : document["records"]) {
    CAHN_TRY(OwnershipRecord record, record_from(one));
    book.records.push_back(std::move(record));
  }
  if (const std::string policy = text_in(document, "policy"); !policy.empty()) {
    book.policy = ownership_policy_from(policy);
    if (!book.policy) return fail(BrskiError::bad_report, "the record of a device's owners names an unknown policy");
  }
  return book;
}

}  // namespace cahn::brski
