// The device's side of its birth (L889-896): it makes its key, asks, and installs what it is given. The key never
// leaves it.
//
// Its folder: device_folder.h.
//
// Threads: functions of their arguments; one process at a time per folder.

#pragma once

#include <filesystem>
#include <string_view>

#include "base/bytes.h"
#include "factory/device_folder.h"
#include "factory/factory.h"

namespace cahn::factory {

// Makes the device's key, or takes the one a broken-off birth left, and the CSR for its IDevID (DER). With `key_uri`
// the key is that one, made before by whoever made the token. Errors: already_born, wrong_key (the URI's cannot be
// used), not_writable.
Result<Bytes> prepare_device(const std::filesystem::path& folder, std::string_view serial,
                             const std::string& key_uri = {});

// Installs the IDevID. Errors: already_born, wrong_key, not_writable.
Result<void> install_idevid(const std::filesystem::path& folder, const BirthCertificate&);

}  // namespace cahn::factory
