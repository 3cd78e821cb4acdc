// `cahn-pledge`: what a device carries: `cahn pledge` with the pledge's libraries and nothing else. Its commands and
// settings are those of `cahn pledge`.

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "apps/cahn/commands.h"

int main(int argc, char** argv) {
  // Keys are for their own user; a peer that hangs up is an error code, not a signal.
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);

  CLI::App program("The device's half of CAHN: finds a network, onboards, joins, stays.", "cahn-pledge");
  program.require_subcommand(1);
  program.set_version_flag("--version", "cahn-pledge 0.1.0");
  int exit_code = 0;
  cahn::apps::add_pledge_command(program, exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cahn-pledge: %s\n", error.what());
    return 1;
  }
  return exit_code;
}
