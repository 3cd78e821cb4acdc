#include "pki/ca_generations.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "pki/profile.h"

namespace cahn::pki {
namespace {

constexpr std::string_view certificate_table = "ca_state", generation_table = "ca_generations";
constexpr std::size_t max_generations = 1000;

Result<crypto::Certificate> self_signed(const DomainCaOptions& options, const crypto::Name& subject,
                                        const crypto::PrivateKey& key, Time now) {
  crypto::CertificateSpec spec = domain_ca_spec(options.owner_name, key.public_key());
  spec.subject = subject;
  spec.not_before = whole_second(now) - backdated;
  spec.not_after = whole_second(now) + options.ca_lifetime;
  return crypto::issue_certificate(spec, key);
}

bool names_a_file(std::string_view uri) { return uri.starts_with("file:") || uri.starts_with('/'); }

Result<crypto::PrivateKeyPtr> new_key(const std::string& uri) {
  if (!names_a_file(uri)) return crypto::open_key(uri);
  return crypto::open_or_create_key_file(crypto::KeyType::p256, uri.starts_with("file:") ? uri.substr(5) : uri);
}

Result<crypto::PrivateKeyPtr> key_of(const crypto::Certificate& certificate, const std::string& uri) {
  CAHN_TRY(auto key, crypto::open_key(uri));
  if (!(key->public_key() == certificate.public_key())) {
    return fail(crypto::CryptoError::wrong_key, "the CA's key file does not belong to the CA's certificate");
  }
  return key;
}

Result<CaGeneration> first_generation(store::Store& store, const DomainCaOptions& options, Time now) {
  if (options.owner_name.empty()) return fail(PkiError::bad_request, "a domain CA needs its owner's name");
  CAHN_TRY(auto key, new_key(options.key_uri));
  CAHN_TRY(auto certificate, self_signed(options, {{"CN", options.owner_name}}, *key, now));
  store::Batch batch;
  batch.events.push_back({"ca_created", certificate.der()});
  batch.puts.push_back({std::string(certificate_table), "certificate", certificate.der()});
  batch.absent.emplace_back(certificate_table, "certificate");
  CAHN_CHECK(store.commit_and_wait(std::move(batch)));
  log::info("PKI_CA_CREATED", "a domain CA was created", {{"subject", certificate.subject_text()}});
  return CaGeneration{std::move(certificate), std::move(key), {}, {}};
}

std::string number_text(std::size_t number) {
  std::string text = std::to_string(number);
  return std::string(4 - std::min<std::size_t>(4, text.size()), '0') + text;
}

Result<std::string> member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) {
    return fail(store::StoreError::corrupt, "a record of the CA's keys cannot be read");
  }
  return found->get<std::string>();
}

Result<crypto::Certificate> kept_certificate(const nlohmann::json& object, const char* name) {
  CAHN_TRY(const auto text, member(object, name));
  CAHN_TRY(const auto der, base64_decode(text));
  return crypto::Certificate::from_der(der);
}

Result<CaGeneration> generation_from_json(ByteView value) {
  const auto object = nlohmann::json::parse(value.begin(), value.end(), nullptr, false);
  if (!object.is_object()) return fail(store::StoreError::corrupt, "a record of the CA's keys cannot be read");
  CAHN_TRY(auto certificate, kept_certificate(object, "certificate"));
  CAHN_TRY(auto new_with_old, kept_certificate(object, "newWithOld"));
  CAHN_TRY(auto old_with_new, kept_certificate(object, "oldWithNew"));
  CAHN_TRY(const auto uri, member(object, "keyUri"));
  CAHN_TRY(auto key, key_of(certificate, uri));
  return CaGeneration{std::move(certificate), std::move(key), std::move(new_with_old), std::move(old_with_new)};
}

// The certificate of one key under the other, as long as both are valid.
Result<crypto::Certificate> cross_certificate(const DomainCaOptions& options, const CaGeneration& issuer,
                                              const crypto::Certificate& subject) {
  crypto::CertificateSpec spec = domain_ca_spec(options.owner_name, subject.public_key());
  spec.subject = subject.subject();
  spec.not_before = std::min(issuer.certificate.not_before(), subject.not_before());
  spec.not_after = std::min(issuer.certificate.not_after(), subject.not_after());
  return crypto::issue_certificate(spec, *issuer.key, &issuer.certificate);
}

}  // namespace

Time whole_second(Time time) { return std::chrono::floor<std::chrono::seconds>(time); }

Result<std::vector<CaGeneration>> open_generations(store::Store& store, const DomainCaOptions& options, Time now) {
  std::vector<CaGeneration> all;
  CAHN_TRY(const auto kept, store.get(certificate_table, "certificate"));
  if (!kept) {
    CAHN_TRY(auto first, first_generation(store, options, now));
    all.push_back(std::move(first));
    return all;
  }
  CAHN_TRY(auto certificate, crypto::Certificate::from_der(*kept));
  CAHN_TRY(auto key, key_of(certificate, options.key_uri));
  if (certificate.common_name() != options.owner_name) {
    log::warning("PKI_OWNER_UNCHANGED", "the domain CA keeps the owner's name it was made with",
                 {{"kept", certificate.common_name().value_or("")}, {"configured", options.owner_name}});
  }
  all.push_back({std::move(certificate), std::move(key), {}, {}});
  CAHN_TRY(const auto rows, store.scan(generation_table, "", max_generations, ""));
  for (const auto& [number, value] : rows) {
    CAHN_TRY(auto generation, generation_from_json(value));
    all.push_back(std::move(generation));
  }
  return all;
}

Result<CaGeneration> next_generation(const CaGeneration& last, const DomainCaOptions& options,
                                     const std::string& key_uri, Time now) {
  CAHN_TRY(auto key, new_key(key_uri));
  if (key->public_key() == last.certificate.public_key()) {
    return fail(PkiError::bad_request, "the CA's new key must be another than the present one");
  }
  CAHN_TRY(auto certificate, self_signed(options, last.certificate.subject(), *key, now));
  CaGeneration next{std::move(certificate), std::move(key), {}, {}};
  CAHN_TRY(next.new_with_old, cross_certificate(options, last, next.certificate));
  CAHN_TRY(next.old_with_new, cross_certificate(options, next, last.certificate));
  return next;
}

store::Batch record_of(const CaGeneration& generation, std::size_t number, const std::string& key_uri) {
  const nlohmann::json record = {{"certificate", base64(generation.certificate.der())},
                                 {"newWithOld", base64(generation.new_with_old->der())},
                                 {"oldWithNew", base64(generation.old_with_new->der())},
                                 {"keyUri", key_uri}};
  store::Batch batch;
  batch.events.push_back({"ca_rolled_over", generation.certificate.der()});
  batch.puts.push_back({std::string(generation_table), number_text(number), to_bytes(record.dump())});
  batch.absent.emplace_back(generation_table, number_text(number));
  return batch;
}

}  // namespace cahn::pki
