// The settings of one role: `--config role.toml`, every key of which is also a flag; a flag wins over the file, the
// file over the default. An unknown key in the file is an error that names the nearest known one.
//
// Threads: used by main() before there are others.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "apps/common/nearest_word.h"
#include "base/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cahn::apps {

enum class SettingsError { unreadable, bad_toml, unknown_key, bad_value, missing };
std::string_view error_name(SettingsError);

class RoleSettings {
 public:
  // Adds the options every role has: --config, --state, --check, --json (logs), --log-level.
  RoleSettings(CLI::App& command, std::string role, std::string default_state);
  // Adds none: for a file of its own that settings of a role name. `role` is what errors call it: "a tenant".
  RoleSettings(CLI::App& command, std::string role) : command_(command), role_(std::move(role)) {}

  // Adds `--name` and the file key `name`. The target holds the default and must live as long as this.
  void add(const std::string& name, std::string& target, const std::string& help);
  void add(const std::string& name, std::uint16_t& target, const std::string& help);
  void add(const std::string& name, std::uint32_t& target, const std::string& help);
  void add(const std::string& name, bool& target, const std::string& help);                      // flag
  void add(const std::string& name, std::vector<std::string>& target, const std::string& help);  // may be repeated

  // Call after the command line was parsed: reads the file, if one was named, and sets up logging.
  Result<void> load();
  // Reads the keys of a file, and nothing more. Errors name file and line.
  Result<void> read(const std::string& file);
  // Fails (missing) with a sentence that names flag and key unless `value` is non-empty.
  Result<void> require(const std::string& name, const std::string& value) const;
  Result<void> require(const std::string& name, const std::vector<std::string>& values) const;

  const std::filesystem::path& state() const { return state_; }
  bool check_only() const { return check_; }
  const std::string& role() const { return role_; }
  // "key = value" of every setting, defaults included: what the role chose.
  std::string describe() const;

 private:
  using Target = std::variant<std::string*, std::uint16_t*, std::uint32_t*, bool*, std::vector<std::string>*>;
  struct Entry {
    CLI::Option* option;
    Target target;
  };
  CLI::App& command_;
  std::string role_;
  std::string config_file_, state_text_, log_level_ = "info";
  std::filesystem::path state_;
  bool check_ = false, json_ = false;
  std::map<std::string, Entry> entries_;
};

}  // namespace cahn::apps
