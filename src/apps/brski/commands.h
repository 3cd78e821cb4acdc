// The commands of the `brski` tool. Each returns when it is done, a server after SIGTERM or SIGINT.
//
// An error with an IniError or bad_option as its code is wrong usage, every other a refusal or failure.

#pragma once

#include <filesystem>
#include <string>

#include "apps/brski/ini.h"

namespace cahn::apps::tool {

// What the command line may say beside the ini.
struct Invocation {
  std::string out;             // file to write to; "" or "-": standard output
  std::string state;           // folder in which a server keeps its records; empty: a temporary one
  unsigned wait_seconds = 60;  // how long to go on asking a registrar that has not decided
};

// `epvr`: writes a pledge's voucher-request, DER.
Result<void> export_request(const Ini&, const Invocation&);
// `preq`: sends one, checks the voucher that comes back, writes it where `out` says and prints what it is.
Result<void> request_voucher(const Ini&, const Invocation&);
Result<void> run_registrar(const Ini&, const Invocation&);
Result<void> run_masa(const Ini&, const Invocation&);

struct Generation {
  std::filesystem::path folder = "brski-test";
  std::string serial_number = "idev-serial12345";
  std::string host = "127.0.0.1";
  std::uint16_t registrar_port = 12345, masa_port = 12346;
};
// `generate`: a manufacturer, a device, a MASA and a domain for tests, and test-config.ini for all four (L1411-1415).
Result<void> generate(const Generation&);

}  // namespace cahn::apps::tool
