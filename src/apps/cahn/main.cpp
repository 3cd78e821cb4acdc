#include <CLI/CLI.hpp>

#include "apps/cahn/commands.h"
#include "apps/cahn/vc_command.h"
#include "apps/common/program.h"

int main(int argc, char** argv) {
  CLI::App program(
      "CAHN lets a device it has never seen join a network with no human touch, and keeps it there only while the "
      "evidence about it is good.",
      "cahn");
  program.require_subcommand(1);
  program.set_version_flag("--version", "cahn 0.1.0");
  int exit_code = 0;
  cahn::apps::add_ca_command(program, exit_code);
  cahn::apps::add_factory_command(program, exit_code);
  cahn::apps::add_masa_command(program, exit_code);
  cahn::apps::add_proxy_command(program, exit_code);
  cahn::apps::add_registrar_command(program, exit_code);
  cahn::apps::add_router_command(program, exit_code);
  cahn::apps::add_pledge_command(program, exit_code);
  cahn::apps::add_node_command(program, exit_code);
  cahn::apps::add_vc_command(program, exit_code);
  return cahn::apps::run_program(program, argc, argv, exit_code);
}
