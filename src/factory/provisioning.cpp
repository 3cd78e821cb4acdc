#include "factory/provisioning.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/file.h"
#include "factory/impl.h"

namespace cahn::factory {
namespace {

constexpr std::size_t max_attribute = 64;  // ub-serial-number, ub-organizational-unit-name (RFC 5280 A.1)
constexpr std::chrono::days signer_lifetime{10 * 365}, tls_lifetime{2 * 365};

// X.520 serialNumber is a PrintableString; RFC 8995 2.3.1 sends the same text in vouchers.
bool is_printable_string(std::string_view text) {
  constexpr std::string_view also = " '()+,-./:=?";
  return std::ranges::all_of(text, [&](char c) { return ascii::is_alphanumeric(c) || also.contains(c); });
}

Result<void> check_text(std::string_view what, std::string_view text, bool may_be_empty = false) {
  if (text.empty() && may_be_empty) return {};
  if (text.empty() || text.size() > max_attribute || text.front() == ' ' || text.back() == ' ' ||
      std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return fail(FactoryError::bad_option, "the " + std::string(what) +
                                              " must have 1 to 64 octets, no control characters "
                                              "and no blank at its ends");
  }
  return {};
}

bool is_address(const std::string& host) {
  return host.contains(':') || std::ranges::all_of(host, [](char c) { return ascii::is_digit(c) || c == '.'; });
}

Time whole_second(Time time) { return std::chrono::floor<std::chrono::seconds>(time); }

Result<void> write_pem(const std::filesystem::path& path, const std::vector<crypto::Certificate>& certificates) {
  std::string pem;
  for (const auto& certificate : certificates) pem += certificate.pem();
  if (auto written = write_file(path, as_bytes(pem)); !written) return not_writable(written.error());
  return {};
}

crypto::CertificateSpec ca_spec(crypto::Name subject, Time now) {
  crypto::CertificateSpec spec;
  spec.subject = std::move(subject);
  spec.not_before = whole_second(now);
  // IDevIDs never expire (RFC 8995 2.3), so neither does what they hang on.
  spec.not_after = crypto::no_expiration();
  spec.ca = true;
  spec.path_length = 0;
  spec.key_usage = crypto::KeyUsage::cert_sign | crypto::KeyUsage::crl_sign;
  return spec;
}

// The authority whose key and certificate are in these files; made if there are none.
Result<Authority> open_authority(const std::filesystem::path& key_file, const std::filesystem::path& certificate_file,
                                 crypto::CertificateSpec spec, bool only_open) {
  CAHN_TRY(auto key, only_open ? crypto::open_key(key_file.string())
                               : crypto::open_or_create_key_file(crypto::KeyType::p256, key_file));
  if (const auto pem = read_file(certificate_file)) {
    CAHN_TRY(auto certificate, crypto::Certificate::from_pem(as_text(*pem)));
    if (!(certificate.public_key() == key->public_key())) {
      return fail(FactoryError::no_factory, certificate_file.string() + " is not for the key in " + key_file.string());
    }
    return Authority{std::move(certificate), std::move(key)};
  }
  if (only_open) return fail(FactoryError::no_factory, certificate_file.string() + " cannot be read");
  spec.key = key->public_key();
  auto certificate = crypto::issue_certificate(spec, *key);
  if (!certificate) return fail(FactoryError::bad_option, certificate.error().message);
  CAHN_CHECK(write_pem(certificate_file, {*certificate}));
  return Authority{*std::move(certificate), std::move(key)};
}

crypto::Name manufacturer_name(const ManufacturerOptions& options, std::string_view what) {
  crypto::Name name;
  if (!options.website.empty()) name.emplace_back("OU", options.website);
  name.emplace_back("CN", options.name + std::string(what));
  return name;
}

// A key that stays in masa/, and a certificate for it.
Result<void> issue_for_masa(const std::filesystem::path& stem, crypto::CertificateSpec spec, const Authority& authority,
                            Time now) {
  auto key_file = stem, certificate_file = stem;
  const auto key = crypto::open_or_create_key_file(crypto::KeyType::p256, key_file.replace_extension(".key"));
  if (!key) return not_writable(key.error());
  spec.key = (*key)->public_key();
  spec.not_before = whole_second(now);
  spec.key_usage = crypto::KeyUsage::digital_signature;
  const auto certificate = crypto::issue_certificate(spec, *authority.key, &authority.certificate);
  if (!certificate) return fail(FactoryError::bad_option, certificate.error().message);
  return write_pem(certificate_file.replace_extension(".pem"), {*certificate, authority.certificate});
}

}  // namespace

Result<ManufacturerOptions> checked(ManufacturerOptions options) {
  CAHN_CHECK(check_text("manufacturer's name", options.name));
  if (options.name.size() > 50)
    return fail(FactoryError::bad_option, "the manufacturer's name is longer than 50 octets");
  CAHN_CHECK(check_text("manufacturer's website", options.website, true));
  std::string_view url = options.masa_url;
  if (url.starts_with("https://")) url.remove_prefix(8);
  if (url.ends_with('/')) url.remove_suffix(1);
  const auto endpoint = net::parse_endpoint(url, 443);
  if (!endpoint || url.find_first_of("/?#@ ") != url.npos) {
    return fail(FactoryError::bad_option, "the MASA URL '" + options.masa_url + "' is no host[:port]");
  }
  options.masa_url = std::string(url);
  if (options.masa_dns_names.empty() && options.masa_ip_addresses.empty()) {
    (is_address(endpoint->host) ? options.masa_ip_addresses : options.masa_dns_names).push_back(endpoint->host);
  }
  return options;
}

Result<Provisioning> open_provisioning(const std::filesystem::path& folder, const ManufacturerOptions& options,
                                       Time now, bool only_open) {
  CAHN_TRY(auto manufacturer, open_authority(folder / "manufacturer-ca.key", folder / "manufacturer-ca.pem",
                                             ca_spec(manufacturer_name(options, ""), now), only_open));
  CAHN_TRY(auto masa, open_authority(folder / "masa-ca.key", folder / "masa-anchor.pem",
                                     ca_spec(manufacturer_name(options, " MASA CA"), now), only_open));
  CAHN_TRY(auto web, open_authority(folder / "web-ca.key", folder / "web-anchor.pem",
                                    ca_spec(manufacturer_name(options, " Web CA"), now), only_open));
  crypto::CertificateSpec client;
  client.subject = manufacturer_name(options, " Factory");
  client.not_before = whole_second(now);
  client.not_after = crypto::no_expiration();  // the MASA trusts this very certificate, and stops by dropping it
  client.key_usage = crypto::KeyUsage::digital_signature;
  client.extended_key_usage = {"clientAuth"};
  CAHN_TRY(auto self, open_authority(folder / "factory.key", folder / "factory.pem", std::move(client), only_open));
  return Provisioning{std::move(manufacturer), std::move(masa), std::move(web), std::move(self)};
}

Result<void> write_masa_folder(const std::filesystem::path& folder, const ManufacturerOptions& options,
                               const Provisioning& provisioning, Time now) {
  const auto masa = folder / "masa";
  std::error_code error;
  std::filesystem::create_directory(masa, error);
  if (!error) std::filesystem::permissions(masa, std::filesystem::perms::owner_all, error);
  if (error) return fail(FactoryError::not_writable, masa.string() + ": " + error.message());

  crypto::CertificateSpec signer;
  signer.subject = manufacturer_name(options, " MASA");
  signer.not_after = whole_second(now) + signer_lifetime;
  CAHN_CHECK(issue_for_masa(masa / "signer", std::move(signer), provisioning.masa, now));

  crypto::CertificateSpec tls;
  const auto& names = options.masa_dns_names;
  const auto& addresses = options.masa_ip_addresses;
  tls.subject = {{"CN", names.empty() ? addresses.front() : names.front()}};
  tls.not_after = whole_second(now) + tls_lifetime;
  tls.extended_key_usage = {"serverAuth"};
  tls.dns_names = names;
  tls.ip_addresses = addresses;
  CAHN_CHECK(issue_for_masa(masa / "tls", std::move(tls), provisioning.web, now));
  CAHN_CHECK(write_pem(masa / "idevid-anchor.pem", {provisioning.manufacturer.certificate}));
  return write_pem(masa / "factory-anchor.pem", {provisioning.client.certificate});
}

Result<crypto::Csr> checked_request(ByteView csr_der, std::string_view serial) {
  if (serial.empty() || serial.size() > max_attribute || !is_printable_string(serial)) {
    return fail(FactoryError::bad_option, "a serial number has 1 to 64 characters of PrintableString");
  }
  auto csr = crypto::Csr::from_der(csr_der);
  if (!csr) return fail(FactoryError::bad_request, "the device's request is refused: " + csr.error().message);
  if (csr->requests_ca() || csr->requests_certificate_signing()) {
    return fail(FactoryError::bad_request, "the device's request asks for a CA certificate");
  }
  if (!csr->extended_key_usage().empty() || !csr->dns_names().empty() || !csr->uris().empty()) {
    return fail(FactoryError::bad_request, "the device's request asks for usages or names that no IDevID has");
  }
  const bool is_itself = std::ranges::all_of(csr->subject(), [&](const auto& attribute) {
    return (attribute.first != "serialNumber" && attribute.first != "CN") || attribute.second == serial;
  });
  if (!is_itself) return fail(FactoryError::bad_request, "the device's request is for another serial number");
  return csr;
}

Result<crypto::Certificate> sign_idevid(const Provisioning& provisioning, const ManufacturerOptions& options,
                                        const crypto::Csr& csr, std::string_view serial, std::string_view model,
                                        Time now) {
  CAHN_CHECK(check_text("model", model));
  crypto::CertificateSpec spec;  // L899-905 and RFC 8995 2.3
  spec.subject = {{"OU", std::string(model)}, {"serialNumber", std::string(serial)}, {"CN", std::string(serial)}};
  spec.key = csr.public_key();
  spec.not_before = whole_second(now);
  spec.not_after = crypto::no_expiration();
  spec.masa_url = options.masa_url;
  auto idevid = crypto::issue_certificate(spec, *provisioning.manufacturer.key, &provisioning.manufacturer.certificate);
  if (!idevid) return fail(FactoryError::bad_option, "no IDevID can be made: " + idevid.error().message);
  return idevid;
}

}  // namespace cahn::factory
