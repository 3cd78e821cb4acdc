// Certificates and keys as users keep them: PEM or DER, told apart by what is in the file.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/chain.h"
#include "crypto/tls.h"

namespace cahn::apps {

// Any number of certificates in PEM, or one in DER. Errors: FileError, or malformed with the file's name.
Result<std::vector<crypto::Certificate>> read_certificates(const std::filesystem::path&);
Result<std::vector<crypto::Certificate>> read_certificates(const std::vector<std::string>& files);
Result<crypto::TrustStore> read_anchors(const std::vector<std::string>& files);
// As crypto::open_key, and DER (PKCS#8, SEC 1, PKCS#1) too. Others must not be able to read the file.
Result<crypto::PrivateKeyPtr> read_key(const std::string& uri);
// A chain, leaf first, and the key (file: URI or path) that must be the leaf's.
Result<crypto::TlsIdentity> read_identity(const std::filesystem::path& chain, const std::string& key_uri);

Result<void> write_certificates(const std::filesystem::path&, const std::vector<crypto::Certificate>&);

}  // namespace cahn::apps
