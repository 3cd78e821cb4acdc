// What the files of this adapter's neighbours may be named: the names end up in their configuration languages.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace cahn::bearer::dot1x {

// sun_path is 108 octets, and names of control sockets come behind the directory.
inline constexpr std::size_t max_run_directory = 80;

bool is_interface_name(const std::string&);
// Absolute; no quotes, no blanks, no `$` that FreeRADIUS would expand, no line breaks.
bool is_plain_path(const std::filesystem::path&);
// Makes it 0700, or checks that it is ours alone. Errors: unavailable, bad_configuration.
Result<void> make_private_directory(const std::filesystem::path&);

}  // namespace cahn::bearer::dot1x
