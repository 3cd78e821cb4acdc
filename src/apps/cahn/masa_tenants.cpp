#include "apps/cahn/masa_tenants.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "apps/cahn/role_support.h"
#include "base/file.h"

namespace cahn::apps {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> below(const fs::path& folder, std::vector<std::string> files) {
  for (std::string& file : files) file = (folder / file).string();
  return files;
}

// A path is below the folder; any other URI is as it is.
std::string key_below(const fs::path& folder, const std::string& uri) {
  return uri.find(':') == std::string::npos ? (folder / uri).string() : uri;
}

Result<brski::PinPolicy> pin_from(const std::string& word) {
  if (word == "farthest") return brski::PinPolicy::farthest;
  if (word == "end-entity") return brski::PinPolicy::end_entity;
  return fail(SettingsError::bad_value, "`pin` must be farthest or end-entity, not `" + word + "`");
}

Result<std::vector<voucher::Format>> formats_from(const std::vector<std::string>& words, const std::string& compat) {
  if (compat != "strict" && compat != "field") {
    return fail(SettingsError::bad_value, "`compat` must be strict or field, not `" + compat + "`");
  }
  std::vector<voucher::Format> formats;
  for (const std::string& word : words) {
    if (word != "cms" && word != "jws") {
      return fail(SettingsError::bad_value, "`voucher-format` must be cms or jws, not `" + word + "`");
    }
    // Decision 1: what is in the field writes id-data.
    const auto cms = compat == "field" ? voucher::Format::cms_id_data : voucher::Format::cms;
    formats.push_back(word == "cms" ? cms : voucher::Format::jws);
  }
  return formats;
}

}  // namespace

void TenantSettings::add_to(RoleSettings& role) {
  role.add("signer", signer, "PEM file: certificate that signs vouchers, and its chain");
  role.add("signer-key", signer_key, "Key of --signer (file: URI or path)");
  role.add("idevid-anchor", idevid_anchors, "PEM file: CA that issues this maker's IDevIDs; may be repeated");
  role.add("factory-anchor", factory_anchors, "PEM file: who may report births, by TLS client certificate");
  role.add("sales-anchor", sales_anchors, "PEM file: who may tell sales, by TLS client certificate");
  role.add("registrar-anchor", registrar_anchors,
           "PEM file: CA of customers' registrars that are taken as authenticated");
  role.add("pin", pin, "What vouchers pin: `farthest` (usually the domain's CA) or `end-entity`");
  role.add(
      "ownership", ownership,
      "Who gets a voucher: `logged-only` (whoever met the device), `first-come` (the first domain) or `sales` (who a "
      "sale names)");
  role.add("prior-request", prior_request, "Demand the pledge's own request with every nonced one");
  role.add("nonceless", nonceless, "Issue nonceless vouchers to authenticated owners that a sale names");
  role.add("nonceless-minutes", nonceless_minutes, "How long a nonceless voucher is valid");
  role.add("revocation-checks", revocation_checks, "Vouchers ask the pledge to check the domain for revocation");
  role.add("voucher-format", formats, "What the devices read: cms, jws; may be repeated, the first is the default");
  role.add("compat", compat, "`field`: CMS vouchers with id-data, for devices that read nothing else; or `strict`");
  role.add("audit-entries", audit_entries, "How many entries the audit log of one device may have");
}

Result<brski::MasaTenant> TenantSettings::read(const RoleSettings& role, const fs::path& folder) const {
  CAHN_CHECK(role.require("signer", signer));
  CAHN_CHECK(role.require("signer-key", signer_key));
  CAHN_CHECK(role.require("idevid-anchor", idevid_anchors));
  brski::MasaTenant tenant;
  tenant.name = name;
  CAHN_TRY(tenant.pin, pin_from(pin));
  const auto policy = brski::ownership_policy_from(ownership);
  if (!policy) {
    return fail(SettingsError::bad_value,
                "`ownership` must be logged-only, first-come or sales, not `" + ownership + "`");
  }
  tenant.ownership = *policy;
  CAHN_TRY(tenant.formats, formats_from(formats, compat));
  CAHN_TRY(auto identity, read_identity(folder / signer, key_below(folder, signer_key)));
  tenant.signer = std::move(identity.chain);
  tenant.key = std::move(identity.key);
  CAHN_TRY(tenant.idevid_anchors, read_anchors(below(folder, idevid_anchors)));
  CAHN_TRY(tenant.factory_anchors, read_anchors(below(folder, factory_anchors)));
  CAHN_TRY(tenant.sales_anchors, read_anchors(below(folder, sales_anchors)));
  CAHN_TRY(tenant.registrar_anchors, read_anchors(below(folder, registrar_anchors)));
  tenant.prior_request_required = prior_request;
  tenant.nonceless = nonceless;
  tenant.nonceless_lifetime = std::chrono::minutes(nonceless_minutes);
  tenant.domain_cert_revocation_checks = revocation_checks;
  tenant.max_audit_entries = audit_entries;
  return tenant;
}

Result<brski::MasaTenant> read_tenant(const std::string& file) {
  CLI::App no_command_line;
  RoleSettings keys(no_command_line, "a tenant (" + file + ")");
  TenantSettings settings;
  settings.name.clear();
  keys.add("name", settings.name, "What the tenant is called in paths and tables");
  settings.add_to(keys);
  CAHN_CHECK(keys.read(file));
  CAHN_CHECK(keys.require("name", settings.name));
  return settings.read(keys, fs::path(file).parent_path());
}

Result<std::vector<crypto::Crl>> read_revocation_lists(const std::vector<std::string>& files) {
  std::vector<crypto::Crl> lists;
  for (const std::string& file : files) {
    CAHN_TRY(const Bytes octets, read_file(file));
    auto in_file = crypto::Crl::all_from(octets);
    if (!in_file) return fail(in_file.error(), file);
    std::ranges::move(*in_file, std::back_inserter(lists));
  }
  return lists;
}

}  // namespace cahn::apps
