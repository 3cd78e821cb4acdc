// What every program of ours does with its command line.

#pragma once

namespace CLI {
class App;
}

namespace cahn::apps {

// Parses the command line, which runs the command it names, and returns the program's exit code: the command's, or
// exit_done after --help and --version, exit_usage for a line that cannot be read, exit_failed for an exception, with
// its text on stderr after the program's name. Files the process writes are for its own user from here on, and a peer
// that hangs up is an error code, not SIGPIPE.
int run_program(CLI::App& program, int argc, char** argv, const int& exit_code);

}  // namespace cahn::apps
