// A device's folder as its birth leaves it: all of the factory that a device has to know.
//
// (0700)
//
//   idevid.key        P-256, 0600; or, of a device whose key is in a TPM or another token,
//   idevid.key-uri    the key's URI (crypto/key.h), one line
//   device.json       {"serialNumber", "model", "manufacturer", "masaUrl"}
//   masa-anchor.pem   whose vouchers it may believe (decision 7)
//   idevid.pem        IDevID and its chain; written last: where it is, the device is born
//
// Threads: pure functions of the files.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cahn::factory {

inline constexpr std::string_view device_key_file = "idevid.key", device_key_uri_file = "idevid.key-uri",
                                  device_certificate_file = "idevid.pem", device_anchor_file = "masa-anchor.pem",
                                  device_description_file = "device.json";

// By what crypto::open_key finds the device's key: a URI, or the path of its file. Errors: those of read_file.
Result<std::string> device_key(const std::filesystem::path& folder);

}  // namespace cahn::factory
