// The makers a registrar is told of, one file each, and how the registrar's settings become its options.
//
// A maker's file is either PEM, the CA of its IDevIDs and nothing more, or (ending in .toml) its settings, with paths
// relative to it:
//
//   name = "Acme"                      masa = "masa.acme.example"         ignore-lifetime = true
//   anchors = ["acme-ca.pem"]          masa-fallback = "…"                serial-from = "common-name"
//   intermediates = ["issuing.pem"]    masa-anchors = ["acme-web.pem"]    operator-approves = true
//   credentials = "acme.credentials"   client-certificate = "none"        offline-first = true
//   authentication = "digest"          client-key = "file:…"              compat = "field"

#pragma once

#include <string>
#include <vector>

#include "apps/cahn/registrar_settings.h"
#include "brski/registrar.h"

namespace cahn::apps {

// Errors name file and key; an unknown key is one. Credentials must be readable by their owner only.
Result<std::vector<brski::Manufacturer>> read_manufacturers(const std::vector<std::string>& files);

// Pin, audit policy and formats as the settings have them. Errors: bad_value.
Result<void> read_policies(const RegistrarSettings& settings, brski::RegistrarOptions& options);

}  // namespace cahn::apps
