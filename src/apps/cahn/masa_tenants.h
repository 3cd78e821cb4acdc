// The settings of one maker that a MASA answers for: keys of the role itself for its own maker, or of a file of their own
// for each further one (`--tenant FILE.toml`), with paths relative to it.
//
// Threads: used by main() before there are others.

#pragma once

#include <string>
#include <vector>

#include "apps/cahn/role_settings.h"
#include "brski/masa.h"

namespace cahn::apps {

struct TenantSettings {
  void add_to(RoleSettings&);
  // Opens keys and reads certificates; relative paths are below `folder`. Errors: those of the settings, of files and of
  // keys.
  Result<brski::MasaTenant> read(const RoleSettings&, const std::filesystem::path& folder) const;

  std::string name = std::string(brski::default_tenant), signer, signer_key, pin = "farthest", ownership = "logged-only",
              compat = "strict";
  std::vector<std::string> idevid_anchors, factory_anchors, sales_anchors, registrar_anchors;
  std::vector<std::string> formats = {"cms"};
  bool prior_request = true, nonceless = true, revocation_checks = false;
  std::uint32_t nonceless_minutes = 20, audit_entries = 1000;
};

// Reads a tenant's file.
Result<brski::MasaTenant> read_tenant(const std::string& file);

// Certificate revocation lists in PEM or DER, any number in each file.
Result<std::vector<crypto::Crl>> read_revocation_lists(const std::vector<std::string>& files);

}  // namespace cahn::apps
