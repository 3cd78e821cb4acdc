// Structured logs for operators. Every message has an id that docs/messages.md explains, one sentence, and named
// fields. Values are escaped, so that hostile text cannot forge a line; secrets never go in. Lines go to stderr, as
// text for people or, with `json`, as one JSON object a line.
//
// Threads: safe from any thread.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace cahn::log {

enum class Level { debug, info, warning, error };

struct Field {
  std::string_view name;
  std::string value;
};

struct Options {
  Level level = Level::info;
  bool json = false;
  std::string role;  // "registrar", "masa", …: printed with each line
};

// Call once at start; without it, text at level info.
void configure(const Options&);
bool enabled(Level);
void write(Level, std::string_view id, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view id, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::debug, id, message, fields);
}
inline void info(std::string_view id, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::info, id, message, fields);
}
inline void warning(std::string_view id, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::warning, id, message, fields);
}
inline void error(std::string_view id, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::error, id, message, fields);
}

}  // namespace cahn::log
