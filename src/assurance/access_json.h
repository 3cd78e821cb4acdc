// How an Access stands in JSON: the same in a command's credential, in a batch, in a state and on a router's disk.

#pragma once

#include <nlohmann/json_fwd.hpp>

#include "assurance/access.h"
#include "base/result.h"

namespace cahn::assurance {

inline constexpr std::size_t max_device = 2'048;  // octets; a did:key of RSA with 8192 bits has about 1500
inline constexpr std::size_t max_serial_number = 256;
inline constexpr std::size_t max_serial_hex = 64;
inline constexpr std::size_t max_issuer = 1'024;
inline constexpr std::size_t max_segment = 64;
inline constexpr std::size_t max_reason = 512;
inline constexpr std::size_t max_epoch = 64;

// The credential type that says it: "DeviceTrustCommand" or "DeviceRevokeCommand".
std::string_view command_relation(Answer);

// All but device and answer, which a credential says by its statement.
nlohmann::json to_json_details(const Access&);
nlohmann::json to_json(const Access&);
// Errors: malformed.
Result<Access> details_from_json(const nlohmann::json&);
Result<Access> access_from_json(const nlohmann::json&);

// Text of others made fit for a member: well-formed UTF-8 of at most `max` octets.
std::string fit_text(std::string_view text, std::size_t max);

}  // namespace cahn::assurance
