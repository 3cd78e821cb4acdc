// The subcommands of `cahn`. Each adds itself to the program and, when it was the one chosen, runs from its CLI11
// callback and leaves its exit code in `exit_code`.

#pragma once

namespace CLI {
class App;
}

namespace cahn::apps {

void add_ca_command(CLI::App& program, int& exit_code);
void add_factory_command(CLI::App& program, int& exit_code);
void add_masa_command(CLI::App& program, int& exit_code);
void add_proxy_command(CLI::App& program, int& exit_code);
void add_registrar_command(CLI::App& program, int& exit_code);
void add_router_command(CLI::App& program, int& exit_code);
void add_pledge_command(CLI::App& program, int& exit_code);
void add_node_command(CLI::App& program, int& exit_code);

}  // namespace cahn::apps
