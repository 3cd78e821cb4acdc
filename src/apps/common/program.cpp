#include "apps/common/program.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "apps/common/serving.h"

namespace cahn::apps {

int run_program(CLI::App& program, int argc, char** argv, const int& exit_code) {
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? exit_done : exit_usage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program.get_name().c_str(), error.what());
    return exit_failed;
  }
  return exit_code;
}

}  // namespace cahn::apps
