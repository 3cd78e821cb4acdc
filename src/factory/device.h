// The device's side of its birth (L889-896): it makes its key, asks, and installs what it is given. The key never
// leaves it.
//
// Its folder (0700):
//
//   idevid.key        P-256, 0600
//   device.json       {"serialNumber", "model", "manufacturer", "masaUrl"}
//   masa-anchor.pem   whose vouchers it may believe (decision 7)
//   idevid.pem        IDevID and its chain; written last: where it is, the device is born
//
// Threads: functions of their arguments; one process at a time per folder.

#pragma once

#include <filesystem>
#include <string_view>

#include "base/bytes.h"
#include "factory/factory.h"

namespace cahn::factory {

inline constexpr std::string_view device_key_file = "idevid.key", device_certificate_file = "idevid.pem",
                                  device_anchor_file = "masa-anchor.pem", device_description_file = "device.json";

// Makes the device's key, or takes the one a broken-off birth left, and the CSR for its IDevID (DER).
// Errors: already_born, not_writable.
Result<Bytes> prepare_device(const std::filesystem::path& folder, std::string_view serial);

// Installs the IDevID. Errors: already_born, wrong_key, not_writable.
Result<void> install_idevid(const std::filesystem::path& folder, const BirthCertificate&);

}  // namespace cahn::factory
