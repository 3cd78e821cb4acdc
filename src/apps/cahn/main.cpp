#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "apps/cahn/commands.h"
#include "apps/cahn/vc_command.h"

int main(int argc, char** argv) {
  // What a role writes is for its own user unless it says otherwise; a peer that hangs up is an error code, not a
  // signal.
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);

  CLI::App program(
      "CAHN lets a device it has never seen join a network with no human touch, and keeps it there only while the "
      "evidence about it is good.",
      "cahn");
  program.require_subcommand(1);
  program.set_version_flag("--version", "cahn 0.1.0");
  int exit_code = 0;
  cahn::apps::add_factory_command(program, exit_code);
  cahn::apps::add_masa_command(program, exit_code);
  cahn::apps::add_proxy_command(program, exit_code);
  cahn::apps::add_registrar_command(program, exit_code);
  cahn::apps::add_router_command(program, exit_code);
  cahn::apps::add_pledge_command(program, exit_code);
  cahn::apps::add_node_command(program, exit_code);
  cahn::apps::add_vc_command(program, exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cahn: %s\n", error.what());
    return 1;
  }
  return exit_code;
}
