// `registrar` and `masa`: the wiring of those rooms to the ini.

#include "admission/admission.h"
#include "apps/brski/commands.h"
#include "apps/brski/ini_admission.h"
#include "apps/brski/ini_files.h"
#include "apps/brski/records.h"
#include "apps/common/serving.h"
#include "base/log.h"
#include "brski/masa.h"
#include "brski/registrar.h"
#include "credential/did.h"
#include "pki/device_registry.h"

namespace cahn::apps::tool {
namespace {

template <typename T>
void report_unused(const Setting<T>& setting, std::string_view why) {
  if (!setting) return;
  log::warning("TOOL_VALUE_IGNORED", why,
               {{"section", std::string(setting.section)}, {"key", std::string(setting.key)}});
}

void report_unused_ldevid_ca(const Ini& ini) {
  report_unused(ini.masa.ldevid_ca_key, "it is not used: neither a MASA nor this registrar issues LDevIDs");
  report_unused(ini.masa.ldevid_ca, "it is not used: vouchers pin what the registrar brings (RFC 8995 5.5.2)");
}

std::string address_of(const Setting<Host>& setting) {
  if (setting) return setting->text;
  log::info("TOOL_DEFAULT", "bindAddress is not set: only this machine is served",
            {{"section", std::string(setting.section)}, {"bindAddress", "127.0.0.1"}});
  return "127.0.0.1";
}

std::optional<crypto::TrustStore> store_of(std::vector<crypto::Certificate> anchors) {
  if (anchors.empty()) return std::nullopt;
  return crypto::TrustStore(std::move(anchors));
}

// The key that shows itself to pledges signs the requests to the MASA: only then can the MASA see that both met
// (RFC 8995 5.5.5 looks for the key the pledge saw in the chain of the signer).
Result<void> check_one_key(const Ini& ini, const crypto::TlsIdentity& tls) {
  const CmsKeys& cms = ini.registrar.cms;
  if (!cms.sign_certificate && !cms.sign_key) return {};
  CAHN_TRY(const auto signer, needed_identity(ini, cms.sign_certificate, cms.sign_key,
                                              "set both cmsSignCertPath and cmsSignKeyPath, or neither"));
  if (signer.key->public_key() == tls.key->public_key()) return {};
  return wrong(ini, cms.sign_certificate,
               "this is of another key than [registrar] tlsCertPath; a MASA would not see that pledge and registrar "
               "have met (RFC 8995 5.5.5), so one key must do both");
}

Result<brski::Manufacturer> manufacturer_of(const Ini& ini) {
  brski::Manufacturer maker;
  const PathSetting& anchors =
      ini.pledge.idevid_ca || !ini.registrar.cms.verify_store ? ini.pledge.idevid_ca : ini.registrar.cms.verify_store;
  CAHN_TRY(auto known,
           needed_certificates(ini, anchors, "nor is [registrar] cmsVerifyStorePath: no device would be known"));
  maker.name = known.front().common_name().value_or("the manufacturer");
  maker.idevid_anchors = crypto::TrustStore(std::move(known));
  CAHN_TRY(maker.intermediates, certificates(ini, ini.registrar.cms.verify_certificates));
  if (ini.registrar.compat && *ini.registrar.compat == Dialect::field) maker.compat = brski::Compat::field;
  const Setting<Host>& masa = ini.masa.bind_address;
  if (masa && !masa->is_wildcard())
    maker.masa_override = net::Endpoint{masa->text, ini.masa.port.value.value_or(443)}.authority();
  return maker;
}

Result<crypto::TrustStore> masa_tls_anchors(const Ini& ini) {
  if (ini.masa.tls_ca || !ini.masa.tls_certificate) {
    CAHN_TRY(auto anchors,
             needed_certificates(ini, ini.masa.tls_ca, "nor is [masa] tlsCertPath: no MASA would be believed"));
    return crypto::TrustStore(std::move(anchors));
  }
  CAHN_TRY(const auto chain, certificates(ini, ini.masa.tls_certificate));
  return crypto::TrustStore({chain.front()});
}

Result<brski::RegistrarOptions> registrar_options(const Ini& ini, const crypto::TlsIdentity& tls) {
  brski::RegistrarOptions options;
  options.identity = tls;
  CAHN_TRY(const auto additional, certificates(ini, ini.registrar.cms.additional_certificates));
  append(options.identity.chain, additional);
  CAHN_TRY(options.domain_ca, needed_certificates(ini, ini.registrar.tls_ca, "it is what vouchers are to pin"));
  CAHN_TRY(auto maker, manufacturer_of(ini));
  options.manufacturers.push_back(std::move(maker));
  CAHN_TRY(options.masa_tls_anchors, masa_tls_anchors(ini));
  options.network = options.domain_ca.front().common_name().value_or("brski");
  options.name_of_key = [](const crypto::PublicKey& key) { return credential::did_key(key); };
  // This registrar gives vouchers and no LDevIDs, so that none can be revoked.
  options.revocation = [](std::string_view) { return std::optional<crypto::RevocationReason>(); };
  return options;
}

Result<std::unique_ptr<admission::Admission>> registrar_policy(const Ini& ini) {
  RequiredAnchors required;
  CAHN_TRY(auto devices, certificates(ini, ini.registrar.cms.verify_store));
  required.devices = store_of(std::move(devices));
  CAHN_TRY(required.intermediates, certificates(ini, ini.registrar.cms.verify_certificates));
  return permit_under(std::move(required));
}

Result<std::unique_ptr<admission::Admission>> masa_policy(const Ini& ini) {
  RequiredAnchors required;
  CAHN_TRY(auto domains, certificates(ini, ini.masa.cms.verify_store));
  required.domains = store_of(std::move(domains));
  CAHN_TRY(required.intermediates, certificates(ini, ini.masa.cms.verify_certificates));
  return permit_under(std::move(required));
}

Result<brski::MasaOptions> masa_options(const Ini& ini) {
  brski::MasaTenant maker;
  CAHN_TRY(auto signer, needed_identity(ini, ini.masa.cms.sign_certificate, ini.masa.cms.sign_key,
                                        "cmsSignCertPath and cmsSignKeyPath say who signs vouchers"));
  CAHN_TRY(const auto additional, certificates(ini, ini.masa.cms.additional_certificates));
  append(signer.chain, additional);
  maker.signer = std::move(signer.chain);
  maker.key = std::move(signer.key);
  CAHN_TRY(auto anchors, needed_certificates(ini, ini.pledge.idevid_ca, "it says whose devices the MASA answers for"));
  maker.idevid_anchors = crypto::TrustStore(std::move(anchors));
  brski::MasaOptions options;
  options.tenants.push_back(std::move(maker));
  return options;
}

using Recorded = Result<bool>;

net::awaitable<Recorded> record(brski::Masa* masa, brski::Birth birth) {
  co_return co_await masa->record_birth(std::move(birth));
}

// The document names one device in the MASA's ini; a file may hold more, and their CA's certificate.
Result<void> record_devices(net::Runtime& runtime, const Ini& ini, brski::Masa& masa) {
  const PathSetting& setting = ini.pledge.idevid_certificate;
  CAHN_TRY(const auto devices, needed_certificates(ini, setting, "it says which devices the MASA answers for"));
  bool any = false;
  for (const crypto::Certificate& device : devices) {
    if (device.is_ca()) continue;
    const auto serial = device.subject_serial_number();
    if (!serial) return wrong(ini, setting, "the subject of " + device.subject_text() + " has no serialNumber");
    brski::Birth birth{*serial, device, {}};
    brski::Masa* to = &masa;
    const auto recorded = net::run_blocking<Recorded>(runtime, [to, birth] { return record(to, birth); });
    if (!recorded) return wrong(ini, setting, recorded.error().message);
    any = true;
  }
  return any ? Result<void>{} : wrong(ini, setting, "there is no device in it, only CAs");
}

std::string ready(const char* who, const std::string& address, const Servers& servers) {
  return std::string(who) + " listens on " + net::Endpoint{address, servers.http.front()->port()}.authority();
}

}  // namespace

Result<void> run_registrar(const Ini& ini, const Invocation& invocation) {
  CAHN_TRY(auto tls, needed_identity(ini, ini.registrar.tls_certificate, ini.registrar.tls_key,
                                     "the registrar is a TLS server and needs its certificate and its private key"));
  CAHN_CHECK(check_one_key(ini, tls));
  CAHN_TRY(auto options, registrar_options(ini, tls));
  CAHN_TRY(const auto policy, registrar_policy(ini));
  report_unused_ldevid_ca(ini);
  CAHN_TRY(const auto context, open_to_all(tls));
  CAHN_TRY(auto records, Records::open(invocation.state, "registrar"));
  options.store = &records.store();
  CAHN_TRY(const auto registry, pki::DeviceRegistry::open(records.store()));
  net::Runtime runtime;
  CAHN_TRY(const auto registrar, brski::Registrar::create(runtime.executor(), std::move(options), *policy, *registry));
  net::Router router;
  registrar->add_routes(router);
  Servers servers;
  const std::string address = address_of(ini.registrar.bind_address);
  CAHN_CHECK(
      serve(runtime, servers, context, "registrar", address, ini.registrar.port.value.value_or(0), std::move(router)));
  run_role(runtime, servers, ready("the registrar", address, servers));
  return {};
}

Result<void> run_masa(const Ini& ini, const Invocation& invocation) {
  CAHN_TRY(const auto tls, needed_identity(ini, ini.masa.tls_certificate, ini.masa.tls_key,
                                           "the MASA is a TLS server and needs its certificate and its private key"));
  CAHN_TRY(auto options, masa_options(ini));
  CAHN_TRY(const auto policy, masa_policy(ini));
  report_unused(ini.masa.expires_on, "it is not used: a voucher that answers a nonce has no expires-on (RFC 8366 5.3)");
  report_unused_ldevid_ca(ini);
  CAHN_TRY(const auto context, open_to_all(tls));
  CAHN_TRY(auto records, Records::open(invocation.state, "masa"));
  CAHN_TRY(const auto masa, brski::Masa::create(std::move(options), *policy, records.store()));
  net::Runtime runtime;
  runtime.start();
  CAHN_CHECK(record_devices(runtime, ini, *masa));
  net::Router router;
  masa->add_routes(router);
  Servers servers;
  const std::string address = address_of(ini.masa.bind_address);
  CAHN_CHECK(serve(runtime, servers, context, "masa", address, ini.masa.port.value.value_or(0), std::move(router)));
  run_role(runtime, servers, ready("the MASA", address, servers));
  return {};
}

}  // namespace cahn::apps::tool
