// The keys as the document prints them (L1426-1473), and what this tool does with each.

#include <type_traits>

#include "apps/brski/ini.h"

namespace cahn::apps::tool {
namespace {

PathSetting path(std::string_view section, std::string_view key, std::string_view help) {
  return {section, key, help, {}, 0};
}

CmsKeys cms_keys(std::string_view section, std::string_view sign, std::string_view certificates,
                 std::string_view store) {
  return {.sign_key = path(section, "cmsSignKeyPath", "Private key of cmsSignCertPath"),
          .sign_certificate = path(section, "cmsSignCertPath", sign),
          .additional_certificates =
              path(section, "cmsAdditionalCertPath", "Certificates that go into the CMS besides the signer's"),
          .verify_certificates = path(section, "cmsVerifyCertPath", certificates),
          .verify_store = path(section, "cmsVerifyStorePath", store)};
}

PledgeKeys pledge_keys() {
  constexpr std::string_view section = "pledge";
  return {.created_on = {section, "createdOn", "created-on of the voucher-request; not set: now", {}, 0},
          .serial_number = {section, "serialNumber", "serial-number of the request; not set: the certificate's", {}, 0},
          .nonce = {section, "nonce", "nonce of the request, base64, as it stands; not set: a fresh one", {}, 0},
          .idevid_key = path(section, "idevidKeyPath", "Private key of the IDevID"),
          .idevid_certificate = path(section, "idevidCertPath",
                                     "IDevID: the TLS client certificate of `preq`; the devices `masa` answers for"),
          .idevid_ca = path(section, "idevidCACertPath", "CA of the IDevIDs: who may ask `registrar` and `masa`"),
          .cms = cms_keys(section, "Signs the voucher-request; not set: the IDevID does",
                          "Intermediate certificates between cmsVerifyStorePath and the voucher's signer",
                          "Anchors of vouchers: the MASA's certificate, or a CA that signs MASAs only")};
}

RegistrarKeys registrar_keys() {
  constexpr std::string_view section = "registrar";
  return {.bind_address = {section, "bindAddress", "Address `registrar` listens on and `preq` connects to", {}, 0},
          .port = {section, "port", "Its port; 0: any free one, which the log tells", {}, 0},
          .tls_key = path(section, "tlsKeyPath", "Private key of tlsCertPath; `registrar` needs it"),
          .tls_certificate = path(section, "tlsCertPath",
                                  "The registrar's TLS certificate, with cmcRA; the one `preq` and `epvr` expect"),
          .tls_ca = path(section, "tlsCACertPath", "Its CA: what vouchers pin; `preq` checks the registrar against it"),
          .cms = cms_keys(section, "Signs voucher-requests to the MASA; must be of the key of tlsCertPath",
                          "Intermediate certificates between an IDevID and its CA",
                          "Anchors that a pledge's request must also lead to"),
          .compat = {section,
                     "compat",
                     "`field`: its pledges and MASA speak as some do; not set or `strict`: as RFC 8995 has it",
                     {},
                     0}};
}

MasaKeys masa_keys() {
  constexpr std::string_view section = "masa";
  return {.bind_address = {section,
                           "bindAddress",
                           "Address `masa` listens on; for `registrar`, the MASA used instead of the IDevID's",
                           {},
                           0},
          .port = {section, "port", "Its port; 0: any free one, which the log tells", {}, 0},
          .expires_on = {section, "expiresOn", "Read and not used: a voucher with a nonce has no expires-on", {}, 0},
          .ldevid_ca_key = path(section, "ldevidCAKeyPath", "Read and not used: a MASA issues no LDevIDs"),
          .ldevid_ca = path(section, "ldevidCACertPath", "Read and not used: vouchers pin what the registrar brings"),
          .tls_key = path(section, "tlsKeyPath", "Private key of tlsCertPath; `masa` needs it"),
          .tls_certificate = path(section, "tlsCertPath", "The MASA's TLS certificate"),
          .tls_ca = path(section, "tlsCACertPath", "Its CA: whom `registrar` believes to be the MASA"),
          .cms = cms_keys(section, "Signs vouchers; anchor of `preq` where [pledge] cmsVerifyStorePath is not set",
                          "Intermediate certificates between cmsVerifyStorePath and a registrar's domain",
                          "Anchors of the domains that may have vouchers; not set: any")};
}

}  // namespace

Ini::Ini() : pledge(pledge_keys()), registrar(registrar_keys()), masa(masa_keys()) {}

namespace {

std::string literal(std::uint16_t port) { return std::to_string(port); }
std::string literal(const std::string& text) { return '"' + text + '"'; }
std::string literal(Dialect dialect) { return literal(std::string(dialect == Dialect::field ? "field" : "strict")); }
std::string literal(const Host& host) { return literal(host.text); }
std::string literal(const Time& time) { return literal(rfc3339(time)); }
std::string literal(const std::filesystem::path& path) { return literal(path.string()); }

// As the document has it.
template <typename T>
const std::string not_set = std::is_same_v<T, std::uint16_t> ? "0" : "\"\"";

}  // namespace

std::string to_text(const Ini& ini) {
  std::string text;
  std::string_view section;
  visit_settings(ini, [&]<typename T>(const Setting<T>& setting) {
    if (section != setting.section) {
      text += (section.empty() ? "[" : "\n[") + std::string(setting.section) + "]\n";
      section = setting.section;
    }
    text += std::string(setting.key) + " = " + (setting ? literal(*setting) : not_set<T>)+"\n";
  });
  return text;
}

}  // namespace cahn::apps::tool
