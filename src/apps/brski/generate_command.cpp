// `generate`: everything for an onboarding on one machine, made by the rooms that make the real thing.
//
//   DIR/maker/            a manufacturer, as `cahn factory init` makes it; maker/masa/ is its MASA's
//   DIR/device/           a device with its IDevID, as `cahn factory birth` makes it
//   DIR/domain/           domain-ca.key domain-ca.pem registrar-tls.key registrar-tls.pem
//   DIR/test-config.ini   written last

#include <cstdio>

#include "apps/brski/commands.h"
#include "apps/common/certificate_files.h"
#include "base/file.h"
#include "factory/factory.h"
#include "pki/profile.h"

namespace cahn::apps::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::days ca_lifetime{3650}, registrar_lifetime{730};

bool is_address(const std::string& host) {
  return host.find(':') != host.npos || host.find_first_not_of("0123456789.") == host.npos;
}

// Names under which the test's servers are reached: where they listen, and this machine's own.
struct ServerNames {
  explicit ServerNames(const std::string& host) {
    if (is_address(host) && host != "127.0.0.1" && host != "::1") addresses.push_back(host);
    if (!is_address(host) && host != "localhost") names.push_back(host);
  }
  std::vector<std::string> names{"localhost"}, addresses{"127.0.0.1", "::1"};
};

Result<void> make_maker(const fs::path& folder, const Generation& asked) {
  const ServerNames names(asked.host);
  factory::ManufacturerOptions options;
  options.name = "Test Manufacturer";
  options.masa_url = net::Endpoint{asked.host, asked.masa_port}.authority();
  options.masa_dns_names = names.names;
  options.masa_ip_addresses = names.addresses;
  CAHN_TRY(auto maker, factory::Manufacturer::create(folder / "maker", options));
  CAHN_CHECK(factory::give_birth(*maker, folder / "device", asked.serial_number, "Test Device"));
  return {};
}

crypto::CertificateSpec specification(const std::string& name, std::chrono::days lifetime) {
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", name}};
  spec.not_before = std::chrono::floor<std::chrono::seconds>(system_clock().now());
  spec.not_after = spec.not_before + lifetime;
  return spec;
}

Result<void> make_domain(const fs::path& folder, const Generation& asked) {
  CAHN_TRY(const auto ca_key, crypto::create_key_file(crypto::KeyType::p256, folder / "domain-ca.key"));
  auto ca_spec = specification("Test Domain CA", ca_lifetime);
  ca_spec.ca = true;
  ca_spec.path_length = 0;
  ca_spec.key_usage = crypto::KeyUsage::cert_sign | crypto::KeyUsage::crl_sign;
  ca_spec.key = ca_key->public_key();
  CAHN_TRY(const auto ca, crypto::issue_certificate(ca_spec, *ca_key));

  const ServerNames names(asked.host);
  CAHN_TRY(const auto key, crypto::create_key_file(crypto::KeyType::p256, folder / "registrar-tls.key"));
  auto spec = specification("Test Registrar", registrar_lifetime);
  spec.key_usage = crypto::KeyUsage::digital_signature;
  spec.extended_key_usage = pki::extended_key_usages(pki::Profile::registrar);
  spec.dns_names = names.names;
  spec.ip_addresses = names.addresses;
  spec.key = key->public_key();
  CAHN_TRY(const auto registrar, crypto::issue_certificate(spec, *ca_key, &ca));
  CAHN_CHECK(write_certificates(folder / "registrar-tls.pem", {registrar}));
  return write_certificates(folder / "domain-ca.pem", {ca});
}

Ini test_config(const fs::path& folder, const Generation& asked) {
  Ini ini;
  ini.file = folder / "test-config.ini";
  const Host host{asked.host};
  const fs::path maker = folder / "maker", device = folder / "device", domain = folder / "domain";
  ini.pledge.serial_number.value = asked.serial_number;
  ini.pledge.idevid_key.value = ini.pledge.cms.sign_key.value = device / "idevid.key";
  ini.pledge.idevid_certificate.value = ini.pledge.cms.sign_certificate.value = device / "idevid.pem";
  ini.pledge.idevid_ca.value = maker / "manufacturer-ca.pem";
  ini.pledge.cms.verify_store.value = device / "masa-anchor.pem";

  ini.registrar.bind_address.value = host;
  ini.registrar.port.value = asked.registrar_port;
  ini.registrar.tls_key.value = ini.registrar.cms.sign_key.value = domain / "registrar-tls.key";
  ini.registrar.tls_certificate.value = ini.registrar.cms.sign_certificate.value = domain / "registrar-tls.pem";
  ini.registrar.tls_ca.value = domain / "domain-ca.pem";

  ini.masa.bind_address.value = host;
  ini.masa.port.value = asked.masa_port;
  ini.masa.tls_key.value = maker / "masa" / "tls.key";
  ini.masa.tls_certificate.value = maker / "masa" / "tls.pem";
  ini.masa.tls_ca.value = maker / "web-anchor.pem";
  ini.masa.cms.sign_key.value = maker / "masa" / "signer.key";
  ini.masa.cms.sign_certificate.value = maker / "masa" / "signer.pem";
  return ini;
}

// The folder, made if it is not there; it must not hold a test of before.
Result<fs::path> prepare(const fs::path& named) {
  std::error_code error;
  const fs::path folder = fs::absolute(named, error).lexically_normal();
  if (!error) fs::create_directories(folder / "domain", error);
  if (error) return fail(FileError::not_writable, folder.string() + ": " + error.message());
  fs::permissions(folder, fs::perms::owner_all, error);
  fs::permissions(folder / "domain", fs::perms::owner_all, error);
  if (!fs::exists(folder / "test-config.ini", error)) return folder;
  return fail(FileError::exists, (folder / "test-config.ini").string() + " is there already; nothing was changed");
}

}  // namespace

Result<void> generate(const Generation& asked) {
  CAHN_TRY(const fs::path folder, prepare(asked.folder));
  const Ini ini = test_config(folder, asked);
  const std::string text = "; Made by `brski generate`: masa, registrar and preq on this machine.\n" + to_text(ini);
  if (auto readable = parse_ini(text, ini.file); !readable)
    return fail(readable.error(), "the ini that would be written cannot be read");
  CAHN_CHECK(make_maker(folder, asked));
  CAHN_CHECK(make_domain(folder / "domain", asked));
  CAHN_CHECK(create_file(ini.file, as_bytes(text)));
  std::printf("%s is ready. Try, each in a terminal of its own:\n", ini.file.c_str());
  for (const char* command : {"masa", "registrar", "preq"})
    std::printf("  brski -c %s %s\n", ini.file.c_str(), command);
  return {};
}

}  // namespace cahn::apps::tool
