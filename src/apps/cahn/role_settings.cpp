#include "apps/cahn/role_settings.h"

#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <limits>

#include "base/file.h"
#include "base/log.h"

namespace cahn::apps {

std::string_view error_name(SettingsError error) {
  switch (error) {
    case SettingsError::unreadable:
      return "unreadable";
    case SettingsError::bad_toml:
      return "bad_toml";
    case SettingsError::unknown_key:
      return "unknown_key";
    case SettingsError::bad_value:
      return "bad_value";
    case SettingsError::missing:
      return "missing";
  }
  return "unknown";
}

RoleSettings::RoleSettings(CLI::App& command, std::string role, std::string default_state)
    : command_(command), role_(std::move(role)), state_text_(std::move(default_state)) {
  command_.add_option("--config", config_file_, "TOML file; every key in it is also a flag here")->type_name("FILE");
  command_.add_option("--state", state_text_, "Folder for this role's keys and records (made 0700)")
      ->capture_default_str()
      ->type_name("DIR");
  command_.add_flag("--check", check_, "Validate the settings and exit");
  add("json", json_, "Write logs as one JSON object a line");
  add("log-level", log_level_, "debug, info, warning or error");
}

void RoleSettings::add(const std::string& name, std::string& target, const std::string& help) {
  entries_[name] = {command_.add_option("--" + name, target, help)->capture_default_str(), &target};
}
void RoleSettings::add(const std::string& name, std::uint16_t& target, const std::string& help) {
  entries_[name] = {command_.add_option("--" + name, target, help)->capture_default_str(), &target};
}
void RoleSettings::add(const std::string& name, std::uint32_t& target, const std::string& help) {
  entries_[name] = {command_.add_option("--" + name, target, help)->capture_default_str(), &target};
}
void RoleSettings::add(const std::string& name, bool& target, const std::string& help) {
  entries_[name] = {command_.add_flag("--" + name + ",!--no-" + name, target, help), &target};
}
void RoleSettings::add(const std::string& name, std::vector<std::string>& target, const std::string& help) {
  entries_[name] = {
      command_.add_option("--" + name, target, help)->type_size(1)->expected(1, 1000)->allow_extra_args(false),
      &target};
}

namespace {

// One TOML value into one setting; false when the type does not fit.
struct Assign {
  const toml::node& node;
  bool operator()(std::string* target) const {
    const auto value = node.value_exact<std::string>();
    if (value) *target = *value;
    return value.has_value();
  }
  template <typename Integer>
  bool integer(Integer* target) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > std::int64_t{std::numeric_limits<Integer>::max()}) return false;
    *target = static_cast<Integer>(*value);
    return true;
  }
  bool operator()(std::uint16_t* target) const { return integer(target); }
  bool operator()(std::uint32_t* target) const { return integer(target); }
  bool operator()(bool* target) const {
    const auto value = node.value_exact<bool>();
    if (value) *target = *value;
    return value.has_value();
  }
  bool operator()(std::vector<std::string>* target) const {
    const toml::array* array = node.as_array();
    if (!array) return false;
    std::vector<std::string> values;
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<std::string>();
      if (!value) return false;
      values.push_back(*value);
    }
    *target = std::move(values);
    return true;
  }
};

struct Describe {
  std::string operator()(const std::string* value) const { return '"' + *value + '"'; }
  std::string operator()(const std::uint16_t* value) const { return std::to_string(*value); }
  std::string operator()(const std::uint32_t* value) const { return std::to_string(*value); }
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::vector<std::string>* values) const {
    std::string text = "[";
    for (const std::string& value : *values) text += (text.size() > 1 ? ", \"" : "\"") + value + '"';
    return text + "]";
  }
};

constexpr std::string_view type_word(std::size_t variant_index) {
  constexpr std::string_view words[] = {"a string", "a number from 0 to 65535", "a number from 0 to 4294967295",
                                        "true or false", "a list of strings"};
  return words[variant_index];
}

}  // namespace

Result<void> RoleSettings::read(const std::string& file) {
  CAHN_TRY(const Bytes text, read_file(file, std::size_t{1} << 20));
  toml::table table;
  try {
    table = toml::parse(as_text(text), file);
  } catch (const toml::parse_error& error) {
    return fail(SettingsError::bad_toml, file + ":" + std::to_string(error.source().begin.line) + ": " +
                                             std::string(error.description()));
  }
  std::vector<std::string> known;
  for (const auto& [name, entry] : entries_) known.push_back(name);
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const std::string where = file + ":" + std::to_string(key.source().begin.line) + ": ";
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      const std::string near = nearest_word(name, known);
      return fail(SettingsError::unknown_key, where + "`" + name + "` is not a setting of " + role_ +
                                                  (near.empty() ? "" : "; did you mean `" + near + "`?"));
    }
    if (found->second.option->count() > 0) continue;  // the command line wins
    if (!std::visit(Assign{node}, found->second.target))
      return fail(SettingsError::bad_value,
                  where + "`" + name + "` must be " + std::string(type_word(found->second.target.index())));
  }
  return {};
}

Result<void> RoleSettings::load() {
  if (!config_file_.empty()) CAHN_CHECK(read(config_file_));
  state_ = state_text_;
  const std::map<std::string, log::Level> levels = {{"debug", log::Level::debug},
                                                    {"info", log::Level::info},
                                                    {"warning", log::Level::warning},
                                                    {"error", log::Level::error}};
  const auto level = levels.find(log_level_);
  if (level == levels.end())
    return fail(SettingsError::bad_value,
                "`log-level` must be debug, info, warning or error, not `" + log_level_ + "`");
  log::configure({.level = level->second, .json = json_, .role = role_});
  return {};
}

Result<void> RoleSettings::require(const std::string& name, const std::string& value) const {
  if (!value.empty()) return {};
  return fail(SettingsError::missing,
              role_ + " needs `" + name + "`: give --" + name + " or set it in the --config file");
}
Result<void> RoleSettings::require(const std::string& name, const std::vector<std::string>& values) const {
  return require(name, values.empty() ? std::string() : std::string("given"));
}

std::string RoleSettings::describe() const {
  std::string text;
  for (const auto& [name, entry] : entries_) text += name + " = " + std::visit(Describe{}, entry.target) + "\n";
  return text;
}

}  // namespace cahn::apps
