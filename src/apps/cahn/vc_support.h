// What the subcommands of `cahn vc` share: input, output, and how they end.

#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace CLI {
class App;
}

namespace cahn::apps::vc {

// A file of at most 256 KiB, or with "-" standard input.
Result<std::string> read_input(const std::string& file);
// To `file`, or with "" or "-" to standard output, with a line feed at the end.
Result<void> write_output(const std::string& file, const std::string& text);

// Prints "cahn vc: <message>" and returns the exit code for what was refused or failed.
int failed(const Error&);
// The same for a command that was given wrongly.
int misused(const std::string& message);

void add_key_commands(CLI::App& vc, int& exit_code);  // key, did
void add_submit_command(CLI::App& vc, int& exit_code);

}  // namespace cahn::apps::vc
