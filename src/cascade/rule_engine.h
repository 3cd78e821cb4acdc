// The rules of one node, running: facts go in, answers about makers and devices come out, and after each change of a
// fact the engine knows which answers were reached through it. SWI-Prolog's incremental tables keep that graph
// (decision 37).
//
// Threads: belongs to the thread that opened it (tables are private to a thread), and must be destroyed there.

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cascade/claim_node.h"

namespace cahn::cascade {

// What the rules may rest on, as rules/facts.pl lists it: a name and atoms. What the fact is about is the first of
// them.
struct Fact {
  std::string name;
  std::vector<std::string> arguments;
  friend bool operator==(const Fact&, const Fact&) = default;
};

struct FactChange {
  Fact fact;
  bool present = true;
};

// Whose answers a change of a fact touched; sorted, without doubles.
struct Touched {
  std::vector<std::string> makers;
  std::vector<std::string> devices;
};

struct RuleLimits {
  std::size_t stack = std::size_t{64} << 20;
  std::uint64_t inferences = 2'000'000;  // for one answer
};

class RuleEngine {
 public:
  // Loads every *.pl of the directory, in the order of their names. Errors: bad_rules (with Prolog's own complaints, or
  // what the rules lack), unavailable.
  static Result<std::unique_ptr<RuleEngine>> open(const std::filesystem::path& rules_directory, RuleLimits = {});
  virtual ~RuleEngine() = default;

  // Asserts or retracts. Answers that were never asked for are not among those touched.
  virtual Result<Touched> apply(const FactChange&) = 0;
  // Errors: bad_rules when the rules raise, run over a limit, or give no answer. To be read as a deny.
  virtual Result<Verdict> maker(const std::string& did) = 0;
  virtual Result<Verdict> device(const std::string& did) = 0;
};

}  // namespace cahn::cascade
