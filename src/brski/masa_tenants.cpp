// Makers, and what belongs to each.

#include <algorithm>

#include "base/ascii.h"
#include "brski/masa_impl.h"

namespace cahn::brski {
namespace {

bool is_name(std::string_view name) {
  const auto plain = [](char c) { return ascii::is_lower(c) || ascii::is_digit(c) || c == '-'; };
  return !name.empty() && name.size() <= 32 && std::ranges::all_of(name, plain);
}

Result<void> check_tenant(const MasaTenant& tenant) {
  const auto wrong = [&](const std::string& what) {
    return fail(BrskiError::bad_option, "the MASA's tenant '" + printable(tenant.name, 40) + "': " + what);
  };
  if (!is_name(tenant.name)) return wrong("a name is 1 to 32 of a-z, 0-9 and '-'");
  if (tenant.signer.empty() || !tenant.key) return wrong("there is no signing certificate or key");
  if (!(tenant.signer.front().public_key() == tenant.key->public_key())) {
    return wrong("the signing certificate is not its key's");
  }
  if (tenant.idevid_anchors.empty()) return wrong("there is no CA of devices to answer for");
  if (tenant.nonceless_lifetime < std::chrono::seconds(60)) return wrong("a nonceless voucher must last a minute");
  if (tenant.max_audit_entries == 0) return wrong("the audit log of a device must have room for an entry");
  return {};
}

bool share_an_anchor(const MasaTenant& a, const MasaTenant& b) {
  for (const crypto::Certificate& one : a.idevid_anchors.anchors()) {
    for (const crypto::Certificate& other : b.idevid_anchors.anchors()) {
      if (one.public_key() == other.public_key()) return true;
    }
  }
  return false;
}

}  // namespace

std::string Tenant::turn(std::string_view serial_number) const {
  return options.name + "/" + hex(as_bytes(serial_number));
}

Result<std::vector<Tenant>> make_tenants(std::vector<MasaTenant> makers) {
  if (makers.empty()) return fail(BrskiError::bad_option, "the MASA has no maker to answer for");
  std::vector<Tenant> tenants;
  for (MasaTenant& maker : makers) {
    CAHN_CHECK(check_tenant(maker));
    for (const Tenant& other : tenants) {
      if (other.options.name == maker.name) {
        return fail(BrskiError::bad_option, "two tenants of the MASA are called '" + maker.name + "'");
      }
      if (share_an_anchor(other.options, maker)) {
        return fail(BrskiError::bad_option, "the MASA's tenants '" + other.options.name + "' and '" + maker.name +
                                                "' have a CA of devices in common");
      }
    }
    const std::string suffix = maker.name == default_tenant ? "" : "." + maker.name;
    tenants.push_back({.options = std::move(maker),
                       .births = "births" + suffix,
                       .serials = "serials" + suffix,
                       .owners = "owners" + suffix,
                       .answers = "answers" + suffix,
                       .audit = {.entries = "audit" + suffix, .cut = "audit_cut" + suffix}});
  }
  return tenants;
}

const Tenant* Masa::Impl::tenant_named(std::string_view name) const {
  const auto found = std::ranges::find_if(tenants, [&](const Tenant& t) { return t.options.name == name; });
  return found == tenants.end() ? nullptr : &*found;
}

namespace {

bool names_an_anchor_of(const crypto::Certificate& idevid, const Tenant& tenant) {
  const auto issuer = idevid.authority_key_identifier();
  const auto is_issuer = [&](const crypto::Certificate& c) { return issuer && c.subject_key_identifier() == issuer; };
  return std::ranges::any_of(tenant.options.idevid_anchors.anchors(), is_issuer);
}

}  // namespace

// Only a guess, which whoever asks then checks; but no other tenant's check would do better.
const Tenant* Masa::Impl::tenant_of(const crypto::Certificate& idevid,
                                    const std::vector<crypto::Certificate>& carried) const {
  if (tenants.size() == 1) return &tenants.front();
  for (const Tenant& tenant : tenants) {
    if (names_an_anchor_of(idevid, tenant)) return &tenant;
  }
  for (const Tenant& tenant : tenants) {  // an IDevID that is several steps below its anchor, or names no key
    if (crypto::verify_chain(idevid, carried, tenant.options.idevid_anchors, std::nullopt)) return &tenant;
  }
  return nullptr;
}

}  // namespace cahn::brski
