// The certificates of a manufacturer: what each looks like, and which files hold them. Used by factory.cpp alone.
//
// Threads: functions of their arguments.

#pragma once

#include <filesystem>

#include "crypto/certificate.h"
#include "crypto/csr.h"
#include "crypto/tls.h"
#include "factory/factory.h"

namespace cahn::factory {

struct Authority {
  crypto::Certificate certificate;
  crypto::PrivateKeyPtr key;
};

// The three CAs and the client identity, each with a key of its own.
struct Provisioning {
  Authority manufacturer, masa, web, client;
};

// Checks the options and brings masa_url into its form. Errors: bad_option.
Result<ManufacturerOptions> checked(ManufacturerOptions);

// Makes what is missing of keys and certificates in `folder`; with `only_open`, nothing may be missing.
Result<Provisioning> open_provisioning(const std::filesystem::path& folder, const ManufacturerOptions&, Time now,
                                       bool only_open);

// Writes masa/ as factory.h shows it.
Result<void> write_masa_folder(const std::filesystem::path& folder, const ManufacturerOptions&, const Provisioning&,
                               Time now);

// Checks a device's request and signs its IDevID. Errors: bad_request, bad_option.
Result<crypto::Csr> checked_request(ByteView csr_der, std::string_view serial);
Result<crypto::Certificate> sign_idevid(const Provisioning&, const ManufacturerOptions&, const crypto::Csr&,
                                        std::string_view serial, std::string_view model, Time now);

}  // namespace cahn::factory
