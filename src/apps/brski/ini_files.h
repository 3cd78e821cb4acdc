// What the keys of the ini name: files, read, with errors that say which key named them. What is missing or unusable is
// IniError::missing or bad_value: wrong usage.

#pragma once

#include <string_view>
#include <vector>

#include "apps/brski/ini.h"
#include "crypto/chain.h"
#include "crypto/tls.h"

namespace cahn::apps::tool {

// "config.ini: [registrar] tlsKeyPath is not set; <why>"
template <typename T>
std::unexpected<Error> not_set(const Ini& ini, const Setting<T>& setting, std::string_view why) {
  return fail(IniError::missing, place_of(ini, setting) + " is not set; " + std::string(why));
}

// Something is wrong with what a key says or names.
template <typename T>
std::unexpected<Error> wrong(const Ini& ini, const Setting<T>& setting, std::string_view why) {
  return fail(IniError::bad_value, place_of(ini, setting) + ": " + std::string(why));
}

// The certificates in the file (PEM or DER); none where the key is not set.
Result<std::vector<crypto::Certificate>> certificates(const Ini&, const PathSetting&);
// The same, of a key without which `why` holds.
Result<std::vector<crypto::Certificate>> needed_certificates(const Ini&, const PathSetting&, std::string_view why);
// A certificate, what follows it in its file, and its key. Both keys must be set.
Result<crypto::TlsIdentity> needed_identity(const Ini&, const PathSetting& certificate, const PathSetting& key,
                                            std::string_view why);

// Appends what is not there yet.
void append(std::vector<crypto::Certificate>& chain, const std::vector<crypto::Certificate>& more);

}  // namespace cahn::apps::tool
