#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>

#include "base/ascii.h"
#include "base/time.h"
#include "base/utf8.h"

namespace cahn::log {
namespace {

struct State {
  Options options;
  std::shared_ptr<spdlog::logger> logger;
};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "error";
}

std::shared_ptr<const State> make_state(const Options& options) {
  auto state = std::make_shared<State>();
  state->options = options;
  // The line is made whole here; spdlog adds the lock, the level and the flush.
  state->logger = std::make_shared<spdlog::logger>("cahn", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  state->logger->set_pattern("%v");
  state->logger->set_level(to_spdlog(options.level));
  state->logger->flush_on(spdlog::level::debug);
  return state;
}

std::mutex& state_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::shared_ptr<const State>& state_slot() {
  static std::shared_ptr<const State> state = make_state({});
  return state;
}

std::shared_ptr<const State> current_state() {
  const std::scoped_lock lock(state_mutex());
  return state_slot();
}

// Characters that would end, hide or turn round a line in a terminal: C0 and DEL, C1 (U+0080 to U+009F), the line and
// paragraph separators and the directional marks (U+200E/F, U+2028 to U+202E, U+2066 to U+2069).
bool is_dangerous(std::string_view character) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return octet(0) < 0x20 || octet(0) == 0x7f;
  if (character.size() == 2) return octet(0) == 0xc2 && octet(1) < 0xa0;
  if (character.size() != 3 || octet(0) != 0xe2) return false;
  if (octet(1) == 0x80) return octet(2) == 0x8e || octet(2) == 0x8f || (octet(2) >= 0xa8 && octet(2) <= 0xae);
  return octet(1) == 0x81 && octet(2) >= 0xa6 && octet(2) <= 0xa9;
}

unsigned code_point(std::string_view character) {
  unsigned point = static_cast<unsigned char>(character[0]);
  if (character.size() > 1) point &= 0x7fU >> character.size();
  for (const char c : character.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  return point;
}

// The body of a JSON string. Also what text mode prints between its quotes. Octets that are not UTF-8 become U+FFFD.
std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    if (length == 0) {
      out += "\\ufffd";
    } else if (character == "\"" || character == "\\") {
      out += '\\';
      out += character;
    } else if (character == "\n") {
      out += "\\n";
    } else if (character == "\r") {
      out += "\\r";
    } else if (character == "\t") {
      out += "\\t";
    } else if (is_dangerous(character)) {
      out += fmt::format("\\u{:04x}", code_point(character));
    } else {
      out += character;
    }
    text.remove_prefix(character.size());
  }
  return out;
}

bool is_plain(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    const bool plain = ascii::is_alphanumeric(c) || std::string_view("-_.:/@+%,").find(c) != std::string_view::npos;
    if (!plain) return false;
  }
  return true;
}

std::string text_line(const Options& options, Level level, std::string_view id, std::string_view message,
                      std::initializer_list<Field> fields) {
  std::string line = fmt::format("{} {:<7} {}{}[{}] {}", rfc3339(system_clock().now(), true), level_name(level),
                                 escaped(options.role), options.role.empty() ? "" : " ", escaped(id), escaped(message));
  for (const Field& field : fields) {
    line += ' ';
    line += escaped(field.name);
    line += '=';
    line += is_plain(field.value) ? field.value : fmt::format("\"{}\"", escaped(field.value));
  }
  return line;
}

std::string json_line(const Options& options, Level level, std::string_view id, std::string_view message,
                      std::initializer_list<Field> fields) {
  std::string line = fmt::format(R"({{"ts":"{}","level":"{}","role":"{}","id":"{}","message":"{}","fields":{{)",
                                 rfc3339(system_clock().now(), true), level_name(level), escaped(options.role),
                                 escaped(id), escaped(message));
  bool first = true;
  for (const Field& field : fields) {
    line += fmt::format(R"({}"{}":"{}")", first ? "" : ",", escaped(field.name), escaped(field.value));
    first = false;
  }
  return line + "}}";
}

}  // namespace

void configure(const Options& options) {
  auto state = make_state(options);
  const std::scoped_lock lock(state_mutex());
  state_slot() = std::move(state);
}

bool enabled(Level level) { return level >= current_state()->options.level; }

void write(Level level, std::string_view id, std::string_view message, std::initializer_list<Field> fields) {
  const auto state = current_state();
  if (level < state->options.level) return;
  const Options& options = state->options;
  const std::string line =
      options.json ? json_line(options, level, id, message, fields) : text_line(options, level, id, message, fields);
  state->logger->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace cahn::log
