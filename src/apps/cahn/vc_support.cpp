#include "apps/cahn/vc_support.h"

#include <cstdio>
#include <iostream>

#include "apps/cahn/role_support.h"
#include "base/file.h"
#include "credential/json.h"

namespace cahn::apps::vc {

Result<std::string> read_input(const std::string& file) {
  constexpr std::size_t max_size = credential::JsonLimits{}.max_size;
  if (file != "-") {
    const auto bytes = read_file(file, max_size);
    return bytes ? Result<std::string>(to_string(*bytes)) : std::unexpected(bytes.error());
  }
  std::string text(max_size + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::cin.gcount()));
  if (text.size() > max_size) return fail(FileError::too_large, "standard input is too large");
  return text;
}

Result<void> write_output(const std::string& file, const std::string& text) {
  if (!file.empty() && file != "-") return write_file(file, as_bytes(text + "\n"));
  std::cout << text << std::endl;
  if (!std::cout) return fail(FileError::not_writable, "cannot write to standard output");
  return {};
}

int failed(const Error& error) {
  std::fprintf(stderr, "cahn vc: %s\n", error.message.c_str());
  return exit_failed;
}

int misused(const std::string& message) {
  std::fprintf(stderr, "cahn vc: %s\n", message.c_str());
  return exit_usage;
}

}  // namespace cahn::apps::vc
