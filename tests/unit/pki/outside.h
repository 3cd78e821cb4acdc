// A folder that goes with the test, and programs such as `openssl` as judges from outside.

#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/result.h"

namespace cahn::test {

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "cahn-pki-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  operator const std::filesystem::path&() const { return path_; }  // NOLINT(google-explicit-constructor)
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Runs a command line in `folder`; its status, and what it wrote to stdout and stderr.
inline std::pair<int, std::string> run(const std::filesystem::path& folder, const std::string& command) {
  FILE* pipe = popen(("cd '" + folder.string() + "' && { " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

inline void write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

template <typename T>
T value_of(Result<T> result, const char* what = "") {
  if (!result) {
    ADD_FAILURE() << what << " " << result.error().code.name() << ": " << result.error().message;
    throw std::runtime_error(result.error().message);
  }
  return *std::move(result);
}

}  // namespace cahn::test
