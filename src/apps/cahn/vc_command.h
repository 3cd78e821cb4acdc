// `cahn vc`: makes, signs, checks, reads and sends credentials from the command line.
//
//   new EXPRESSION   a credential from the notation, signed with --key
//   sign FILE        adds the proof
//   verify FILE      form, proof and validity: exit 0, or 1 and the reason
//   show FILE        what it says
//   submit FILE      to a claim node; with --wait, until it is accepted or refused
//   key FILE         makes an Ed25519 key file, prints its did:key
//   did FILE         the did:key of a key, certificate or request
//
// FILE may be '-', standard input. Exit 0 done, 1 refused or failed, 2 wrong usage. `--json` is for programs.

#pragma once

namespace CLI {
class App;
}

namespace cahn::apps {

void add_vc_command(CLI::App& program, int& exit_code);

}  // namespace cahn::apps
