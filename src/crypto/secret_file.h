// Files of keys and PINs. Internal to this room.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cahn::crypto {

inline constexpr std::size_t max_secret_file = 64 << 10;

// Text that is wiped when it goes.
struct SecretText {
  std::string text;
  explicit SecretText(std::string t) : text(std::move(t)) {}
  SecretText(SecretText&&) = default;
  SecretText& operator=(SecretText&&) = delete;
  ~SecretText();
};

// A file that only its owner can read; else key_unavailable.
Result<SecretText> read_secret_file(const std::filesystem::path&);

// The path a `file:` URI (RFC 8089) or a bare path names.
Result<std::filesystem::path> path_of_file_uri(std::string_view uri);

// RFC 3986 2.1; none for a bad escape.
std::optional<std::string> percent_decode(std::string_view);

}  // namespace cahn::crypto
