// The embedded SWI-Prolog: an engine for one thread, terms in and out. Knows nothing of what is asked of it.
//
// The process's Prolog is initialised once, on a parked thread of its own, and lives as long as the process. Terms are
// built and read through the foreign interface alone: no text from outside is ever parsed as Prolog.
//
// Threads: an Engine belongs to the thread that attached it, and must be destroyed there.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cahn::cascade::prolog {

enum class PrologError {
  unavailable,  // Prolog could not be started, or gave this thread no engine
  exception,    // the goal raised one; the message holds it
};
std::string_view error_name(PrologError);

// A ground term: an atom, a compound, or a proper list. Numbers and strings that come back read as atoms.
struct Term {
  enum class Kind { atom, compound, list };

  Kind kind = Kind::atom;
  std::string name;             // the atom's text (UTF-8, any length), or the compound's name
  std::vector<Term> arguments;  // the compound's arguments, or the list's elements

  static Term atom(std::string_view text) { return {Kind::atom, std::string(text), {}}; }
  static Term compound(std::string_view name, std::vector<Term> arguments) {
    return {Kind::compound, std::string(name), std::move(arguments)};
  }
  static Term list(std::vector<Term> elements) { return {Kind::list, {}, std::move(elements)}; }
};

class Engine {
 public:
  // `stack_limit` in octets bounds what one goal may use; past it the goal ends with a resource error.
  static Result<std::unique_ptr<Engine>> attach(std::size_t stack_limit);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // Calls module:predicate(inputs…, -Answer) once. Nothing when the goal fails.
  Result<std::optional<Term>> ask(std::string_view module, std::string_view predicate, const std::vector<Term>& inputs);
  // Loads `text` as the source file `id` into `module`. `id` must be new to the process. Warnings and errors are
  // printed by Prolog and do not fail the call: use it for text of our own only.
  Result<void> load(std::string_view module, std::string_view id, std::string_view text);

 private:
  Engine() = default;
};

}  // namespace cahn::cascade::prolog
