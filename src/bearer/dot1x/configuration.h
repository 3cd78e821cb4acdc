// The texts that the neighbours are run with: hostapd, FreeRADIUS and nftables. Pure functions of the options and of
// this start's secrets.

#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "bearer/bearer.h"
#include "bearer/dot1x/options.h"

namespace cahn::bearer::dot1x {

// Made afresh at every start; they are in files of mode 0600 under the run directory and in this process, nowhere else.
struct Secrets {
  std::string radius;     // hostapd ↔ FreeRADIUS
  std::string das;        // us → hostapd, RFC 5176
  std::string authorise;  // path segment of our endpoint for FreeRADIUS
  static Secrets generate();
};

inline constexpr const char* gate_table = "cahn_dot1x";
// The set of the stations that pass port number `index`.
std::string set_name(std::size_t index);

// Checks what would otherwise be written into somebody's configuration language. Errors: bad_configuration.
Result<void> check(const Options&);

std::string hostapd_configuration(const Options&, std::size_t port_index, const Secrets&);
// File name to text, for `freeradius -d`.
std::map<std::string, std::string> radius_configuration(const Options&, std::uint16_t authorise_port, const Secrets&);
// Replaces the table in one transaction: a gate that was shut stays shut throughout.
std::string gate_ruleset(const Options&);

}  // namespace cahn::bearer::dot1x
