// `brski`: the tool of the BRSKI document (L1411-1640): a pledge, a registrar and a MASA from one ini file, and what
// one does with vouchers in files. Exit 0 done, 1 refused or failed, 2 wrong usage.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "apps/brski/artefact_commands.h"
#include "apps/brski/commands.h"
#include "apps/common/program.h"
#include "apps/common/serving.h"
#include "base/log.h"
#include "brski/wire.h"
#include "factory/error.h"

namespace cahn::apps::tool {
namespace {

struct CommandLine {
  std::string config, address;
  std::uint16_t port = 0;
  bool debug = false, json_log = false;
  Invocation invocation;
};

bool is_wrong_usage(const Error& error) {
  for (int code = 0; code <= static_cast<int>(IniError::missing); ++code) {
    if (error.code == static_cast<IniError>(code)) return true;
  }
  return error.code == brski::BrskiError::bad_option || error.code == factory::FactoryError::bad_option;
}

int finish(const Result<void>& result) {
  if (result) return exit_done;
  const Error& error = result.error();
  if (is_wrong_usage(error)) {
    std::fprintf(stderr, "brski: %s\n", error.message.c_str());
    return exit_usage;
  }
  std::fprintf(stderr, "brski: %s (%s)\n", error.message.c_str(), std::string(error.code.name()).c_str());
  return exit_failed;
}

void start_log(const CommandLine& line, const std::string& role, log::Level level) {
  log::configure({.level = line.debug ? log::Level::debug : level, .json = line.json_log, .role = role});
}

// -a and -p stand in for bindAddress and port of one section.
template <typename Keys>
Result<void> take_over(Keys& keys, const CommandLine& line) {
  if (!line.address.empty()) {
    auto host = parse_host(line.address);
    if (!host) return fail(host.error(), "-a");
    keys.bind_address.value = *host;
  }
  if (line.port != 0) keys.port.value = line.port;
  return {};
}

using Command = Result<void> (*)(const Ini&, const Invocation&);

Result<void> run_with_ini(const CommandLine& line, const std::string& name, Command command) {
  if (line.config.empty()) return fail(IniError::missing, name + " needs an ini file: brski -c config.ini " + name);
  CAHN_TRY(Ini ini, read_ini(line.config));
  CAHN_CHECK(name == "masa" ? take_over(ini.masa, line) : take_over(ini.registrar, line));
  return command(ini, line.invocation);
}

CLI::App* add_ini_command(CLI::App& program, CommandLine& line, int& exit_code, const std::string& name,
                          const std::string& help, Command command, log::Level level) {
  CLI::App* sub = program.add_subcommand(name, help);
  sub->callback([&line, &exit_code, name, command, level] {
    start_log(line, name, level);
    exit_code = finish(run_with_ini(line, name, command));
  });
  return sub;
}

void add_ini_commands(CLI::App& program, CommandLine& line, int& exit_code) {
  const auto add = [&](const char* name, const char* help, Command command, log::Level level) {
    return add_ini_command(program, line, exit_code, name, help, command, level);
  };
  add("epvr", "Write a pledge's voucher-request: CMS, DER", export_request, log::Level::warning);
  add("preq", "Send a voucher-request to the registrar and check the voucher (also: preg)", request_voucher,
      log::Level::warning)
      ->alias("preg")
      ->add_option("--wait", line.invocation.wait_seconds, "Seconds to go on asking a registrar that says: later")
      ->capture_default_str();
  for (CLI::App* server : {add("registrar", "Be a registrar, until SIGTERM or SIGINT", run_registrar, log::Level::info),
                           add("masa", "Be a MASA, until SIGTERM or SIGINT", run_masa, log::Level::info)})
    server->add_option("--state", line.invocation.state, "Folder for its records (default: a temporary one)")
        ->type_name("DIR");
}

void add_generate(CLI::App& program, CommandLine& line, Generation& asked, int& exit_code) {
  CLI::App* sub = program.add_subcommand("generate", "Make test certificates and a test-config.ini that uses them");
  sub->add_option("folder", asked.folder, "Folder to make")->capture_default_str();
  sub->add_option("--serial", asked.serial_number, "Serial number of the device")->capture_default_str();
  sub->add_option("--host", asked.host, "Where registrar and MASA listen")->capture_default_str();
  sub->add_option("--registrar-port", asked.registrar_port, "Port of the registrar")->capture_default_str();
  sub->add_option("--masa-port", asked.masa_port, "Port of the MASA")->capture_default_str();
  sub->callback([&] {
    start_log(line, "generate", log::Level::warning);
    exit_code = finish(generate(asked));
  });
}

void add_sign(CLI::App& program, CommandLine& line, Signing& asked, int& exit_code) {
  CLI::App* sub = program.add_subcommand("sign", "Sign the JSON of a voucher or voucher-request: CMS, DER");
  sub->add_option("file", asked.file, "JSON; - is standard input")->required();
  sub->add_option("--certificate", asked.certificate, "The signer's certificate, and what follows it")->required();
  sub->add_option("--key", asked.key, "Its private key")->required();
  sub->add_option("--include", asked.include, "Further certificates to carry; may be repeated")
      ->allow_extra_args(false);
  sub->add_flag("--id-data", asked.id_data, "Content type id-data instead of id-ct-animaJSONVoucher");
  sub->add_flag("--tolerant", asked.tolerant, "Take dates with fractions or offsets, and base64url");
  sub->callback([&] {
    start_log(line, "sign", log::Level::warning);
    asked.out = line.invocation.out;
    exit_code = finish(sign(asked));
  });
}

void add_show(CLI::App& program, CommandLine& line, Showing& asked, int& exit_code) {
  CLI::App* sub = program.add_subcommand("show", "Tell what a voucher or voucher-request says and who signed it");
  sub->add_option("file", asked.file, "DER, PEM or base64; - is standard input")->required();
  sub->add_flag("--json", asked.json, "One JSON object, for programs");
  sub->callback([&] {
    start_log(line, "show", log::Level::warning);
    exit_code = finish(show(asked));
  });
}

void add_verify(CLI::App& program, CommandLine& line, Verification& asked, int& exit_code) {
  CLI::App* sub = program.add_subcommand("verify", "Check a voucher or voucher-request against anchors");
  sub->add_option("file", asked.file, "DER, PEM or base64; - is standard input")->required();
  sub->add_option("--anchor", asked.anchors, "Certificates to which its signers must lead; may be repeated")
      ->required()
      ->allow_extra_args(false);
  sub->add_option("--intermediate", asked.intermediates, "Certificates between; may be repeated")
      ->allow_extra_args(false);
  sub->add_option("--idevid", asked.idevid, "The pledge: a voucher must pass every check it would make");
  sub->add_option("--registrar", asked.registrar, "The registrar's chain: what is pinned, or was seen");
  sub->add_option("--serial", asked.serial, "serial-number that must be in it");
  sub->add_option("--nonce", asked.nonce, "nonce that must be in it");
  auto* at = sub->add_option("--at", asked.at, "The time to check for, RFC 3339 (default: now)");
  sub->add_flag("--no-clock", asked.no_clock, "Ignore times, as a pledge without a clock does")->excludes(at);
  sub->add_flag("--tolerant", asked.tolerant, "Take what strict readers refuse");
  sub->callback([&] {
    start_log(line, "verify", log::Level::warning);
    exit_code = finish(verify(asked));
  });
}

void add_common(CLI::App& program, CommandLine& line) {
  program.add_option("-c,--config", line.config, "The ini file")->type_name("FILE");
  program.add_option("-o,--out", line.invocation.out, "Where to write; - is standard output")->type_name("FILE");
  program.add_option("-a,--address", line.address, "In place of bindAddress of [registrar], for masa of [masa]");
  program.add_option("-p,--port", line.port, "In place of its port");
  program.add_flag("-d,--debug", line.debug, "Log every step");
  program.add_flag("--log-json", line.json_log, "Log one JSON object a line");
  program.set_version_flag("-v,--version", "brski 0.1.0");
  program.require_subcommand(1);
  program.fallthrough();
}

}  // namespace
}  // namespace cahn::apps::tool

int main(int argc, char** argv) {
  using namespace cahn::apps::tool;
  CLI::App program("Try out BRSKI (RFC 8995): be a pledge, a registrar or a MASA, and look into vouchers.", "brski");
  int exit_code = 0;
  CommandLine line;
  Generation generation;
  Signing signing;
  Showing showing;
  Verification verification;
  add_common(program, line);
  add_ini_commands(program, line, exit_code);
  add_generate(program, line, generation, exit_code);
  add_sign(program, line, signing, exit_code);
  add_show(program, line, showing, exit_code);
  add_verify(program, line, verification, exit_code);
  for (CLI::App* sub : program.get_subcommands({})) sub->fallthrough();
  return cahn::apps::run_program(program, argc, argv, exit_code);
}
