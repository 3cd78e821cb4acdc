// `cahn-pledge`: what a device carries: `cahn pledge` with the pledge's libraries and nothing else. Its commands and
// settings are those of `cahn pledge`.

#include <CLI/CLI.hpp>

#include "apps/cahn/commands.h"
#include "apps/common/program.h"

int main(int argc, char** argv) {
  CLI::App program("The device's half of CAHN: finds a network, onboards, joins, stays.", "cahn-pledge");
  program.require_subcommand(1);
  program.set_version_flag("--version", "cahn-pledge 0.1.0");
  int exit_code = 0;
  cahn::apps::add_pledge_command(program, exit_code);
  return cahn::apps::run_program(program, argc, argv, exit_code);
}
