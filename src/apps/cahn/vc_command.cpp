#include "apps/cahn/vc_command.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cahn/role_support.h"
#include "apps/cahn/vc_support.h"
#include "credential/credential.h"
#include "credential/notation.h"

namespace cahn::apps {

namespace {

using namespace vc;
using credential::Credential;
using nlohmann::json;

struct NewOptions {
  std::string expression, key, issuer, valid_from, valid_until, id, output;
};

struct FileOptions {
  std::string file, key, at, output;
  bool json = false;
};

std::optional<Time> time_or(const std::string& text, std::optional<Time> otherwise) {
  if (text.empty()) return otherwise;
  const auto time = parse_rfc3339(text);
  return time ? std::optional(*time) : std::nullopt;
}

// Who signs: the key's did:key, else --issuer, else the signer in the expression. All that are given must agree.
Result<std::string> issuer_of(const NewOptions& options, const crypto::PrivateKeyPtr& key,
                              const std::optional<std::string>& signer) {
  std::string issuer = key                       ? credential::did_key(key->public_key())
                       : !options.issuer.empty() ? options.issuer
                                                 : signer.value_or("");
  if (issuer.empty()) {
    return fail(credential::CredentialError::bad_notation, "nobody to state it: give --key, --issuer or a signer");
  }
  const bool agrees = (options.issuer.empty() || options.issuer == issuer) && (!signer || *signer == issuer);
  if (!agrees) return fail(credential::CredentialError::bad_did, "the key, --issuer and the signer are not the same");
  CAHN_CHECK(credential::key_of_did(issuer));
  return issuer;
}

int make(const NewOptions& options) {
  const auto expression = credential::parse_notation(options.expression);
  if (!expression) return misused(expression.error().message);
  const auto now = system_clock().now();
  const auto from = time_or(options.valid_from, std::chrono::floor<std::chrono::seconds>(now));
  const auto until = time_or(options.valid_until, std::nullopt);
  if (!from || (!options.valid_until.empty() && !until))
    return misused("a time is not RFC 3339 (2026-03-01T12:00:00Z)");
  if (until && *until < *from) return misused("--valid-until is before the start of validity");

  crypto::PrivateKeyPtr key;
  if (!options.key.empty()) {
    const auto opened = crypto::open_key(options.key);
    if (!opened) return failed(opened.error());
    key = *opened;
  }
  const auto issuer = issuer_of(options, key, expression->signer);
  if (!issuer) return misused(issuer.error().message);
  const auto document = credential::build({.statement = expression->statement,
                                           .valid_from = *from,
                                           .valid_until = until,
                                           .id = options.id,
                                           .more = nullptr},
                                          *issuer);
  if (!document) return misused(document.error().message);
  const auto text = key ? credential::sign(*document, *key, now) : Result<std::string>(document->dump(2));
  if (!text) return failed(text.error());
  // What `verify` would refuse for its form is not handed out.
  if (const auto checked = Credential::parse(*text); !checked) return misused(checked.error().message);
  const auto written = write_output(options.output, *text);
  return written ? exit_done : failed(written.error());
}

int sign(const FileOptions& options) {
  const auto key = crypto::open_key(options.key);
  if (!key) return failed(key.error());
  const auto text = read_input(options.file);
  if (!text) return failed(text.error());
  const auto checked = Credential::parse(*text);
  if (!checked) return failed(checked.error());
  const auto out = credential::sign(checked->document(), **key, system_clock().now());
  if (!out) return failed(out.error());
  const auto written = write_output(options.output, *out);
  return written ? exit_done : failed(written.error());
}

std::string notation_of(const Credential& credential) {
  return credential::to_notation({credential.statement(), credential.issuer()});
}

Result<Credential> verified(const std::string& text, Time at) {
  CAHN_TRY(auto credential, Credential::parse(text));
  CAHN_CHECK(credential::verify_proof(credential));
  CAHN_CHECK(credential::check_validity(credential, at));
  return credential;
}

int verify(const FileOptions& options) {
  const auto at = time_or(options.at, system_clock().now());
  if (!at) return misused("--at is not RFC 3339 (2026-03-01T12:00:00Z)");
  const auto text = read_input(options.file);
  if (!text) return failed(text.error());
  const auto credential = verified(*text, *at);
  if (options.json) {
    json out = {{"verified", credential.has_value()}};
    if (credential) {
      out["notation"] = notation_of(*credential);
      out["issuer"] = credential->issuer();
      out["claim_id"] = credential->content_hash();
    } else {
      out["error"] = credential.error().code.name();
      out["message"] = credential.error().message;
    }
    std::cout << out.dump() << std::endl;
    return credential ? exit_done : exit_failed;
  }
  if (!credential) {
    std::cout << "refused: " << credential.error().message << " (" << credential.error().code.name() << ")"
              << std::endl;
    return exit_failed;
  }
  std::cout << "verified: " << notation_of(*credential) << std::endl;
  return exit_done;
}

json described(const Credential& credential, const Result<void>& proof) {
  json out = {{"relation", credential.statement().relation},
              {"arguments", credential.statement().arguments},
              {"notation", notation_of(credential)},
              {"issuer", credential.issuer()},
              {"claim_id", credential.content_hash()},
              {"statement_id", credential.statement_hash()},
              {"proof", proof ? "good" : std::string(proof.error().code.name())}};
  if (!credential.id().empty()) out["id"] = credential.id();
  if (credential.valid_from()) out["valid_from"] = rfc3339(*credential.valid_from());
  if (credential.valid_until()) out["valid_until"] = rfc3339(*credential.valid_until());
  return out;
}

int show(const FileOptions& options) {
  const auto text = read_input(options.file);
  if (!text) return failed(text.error());
  const auto credential = Credential::parse(*text);
  if (!credential) return failed(credential.error());
  const auto proof = credential::verify_proof(*credential);
  if (options.json) {
    std::cout << described(*credential, proof).dump() << std::endl;
    return exit_done;
  }
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty()) std::cout << "  " << std::left << std::setw(13) << name << value << "\n";
  };
  std::cout << credential::to_notation({credential->statement(), std::nullopt}) << "\n";
  line("issuer", credential->issuer());
  line("id", credential->id());
  line("valid from", credential->valid_from() ? rfc3339(*credential->valid_from()) : "");
  line("valid until", credential->valid_until() ? rfc3339(*credential->valid_until()) : "");
  line("claim id", credential->content_hash());
  line("proof", proof ? "good" : proof.error().message);
  std::cout << std::flush;
  return exit_done;
}

void add_new(CLI::App& vc, int& exit_code) {
  auto* command = vc.add_subcommand("new", "Make a credential from the notation, signed with --key");
  const auto options = std::make_shared<NewOptions>();
  command->add_option("expression", options->expression, "e.g. 'Trust(mailto:ann@example.org, did:key:z6Mk...)'")
      ->required();
  command->add_option("--key", options->key, "the issuer's Ed25519 key: a file or a key URI");
  command->add_option("--issuer", options->issuer, "did:key of the issuer, when the key is elsewhere");
  command->add_option("--valid-from", options->valid_from, "RFC 3339; now if not given");
  command->add_option("--valid-until", options->valid_until, "RFC 3339; no end if not given");
  command->add_option("--id", options->id, "a URL; a fresh urn:uuid if not given");
  command->add_option("-o,--output", options->output, "file to write; standard output if not given");
  command->callback([options, &exit_code] { exit_code = make(*options); });
}

CLI::App* add_file_command(CLI::App& vc, int& exit_code, const char* name, const char* help,
                           const std::shared_ptr<FileOptions>& options, int (*run)(const FileOptions&)) {
  auto* command = vc.add_subcommand(name, help);
  command->add_option("file", options->file, "a credential, or - for standard input")->required();
  command->callback([options, run, &exit_code] { exit_code = run(*options); });
  return command;
}

}  // namespace

void add_vc_command(CLI::App& program, int& exit_code) {
  auto* vc = program.add_subcommand("vc", "Make, sign, check, read and send credentials");
  vc->require_subcommand(1);
  add_new(*vc, exit_code);

  const auto signing = std::make_shared<FileOptions>();
  auto* command = add_file_command(*vc, exit_code, "sign", "Add the issuer's proof", signing, &apps::sign);
  command->add_option("--key", signing->key, "the issuer's Ed25519 key: a file or a key URI")->required();
  command->add_option("-o,--output", signing->output, "file to write; standard output if not given");

  const auto verifying = std::make_shared<FileOptions>();
  command = add_file_command(*vc, exit_code, "verify", "Check form, proof and validity", verifying, &verify);
  command->add_option("--at", verifying->at, "valid at this time (RFC 3339); now if not given");
  command->add_flag("--json", verifying->json, "for programs");

  const auto showing = std::make_shared<FileOptions>();
  command = add_file_command(*vc, exit_code, "show", "Print what a credential says", showing, &show);
  command->add_flag("--json", showing->json, "for programs");

  add_submit_command(*vc, exit_code);
  add_key_commands(*vc, exit_code);
}

}  // namespace cahn::apps
