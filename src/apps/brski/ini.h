// The ini file of the `brski` tool (L1418-1640), read once into values that can only be right.
//
//   ; a comment, also with #
//   [pledge]                        [registrar] and [masa] are the others
//   createdOn = "1973-11-29T21:33:09Z"
//   port = 12345                    quotes may be left out; "" and, for a port, 0 mean: not set
//
// It is UTF-8 of at most 64 KiB and 4096 octets a line, with or without a byte order mark, lines ending in LF or CRLF.
// A value in quotes has no escapes and no quote in it. A section or a key stands once. Relative paths start from the
// folder of the file.
//
// Threads: values and pure functions.

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace cahn::apps::tool {

// Each is wrong usage (exit code 2); the message names file, line and key.
enum class IniError {
  unreadable,  // the file cannot be read
  too_large,
  bad_text,  // not UTF-8, or control characters
  bad_line,  // neither section, key = value, comment nor blank
  unknown_section,
  unknown_key,
  duplicate,
  bad_value,
  missing  // a key that this command needs is not set, or what it names cannot be used
};
std::string_view error_name(IniError);

// A host to bind or to connect to: name or address, without scheme, port and brackets.
struct Host {
  std::string text;
  bool is_wildcard() const { return text == "0.0.0.0" || text == "::"; }
};

// How peers speak: as RFC 8995 has it, or as some in the field do (brski/registrar_options.h).
enum class Dialect { strict, field };

// One key of the file.
template <typename T>
struct Setting {
  std::string_view section, key;
  std::string_view help;   // as the manual has it
  std::optional<T> value;  // nullopt: not set
  unsigned line = 0;       // where it stands, also when it says ""; 0: nowhere

  explicit operator bool() const { return value.has_value(); }
  const T& operator*() const { return *value; }
  const T* operator->() const { return &*value; }
};
using PathSetting = Setting<std::filesystem::path>;

// The keys that every section has for CMS.
struct CmsKeys {
  PathSetting sign_key, sign_certificate, additional_certificates, verify_certificates, verify_store;
};

struct PledgeKeys {
  Setting<Time> created_on;
  Setting<std::string> serial_number, nonce;
  PathSetting idevid_key, idevid_certificate, idevid_ca;
  CmsKeys cms;
};

struct RegistrarKeys {
  Setting<Host> bind_address;
  Setting<std::uint16_t> port;
  PathSetting tls_key, tls_certificate, tls_ca;
  CmsKeys cms;
  Setting<Dialect> compat;  // the only key that the document does not have
};

struct MasaKeys {
  Setting<Host> bind_address;
  Setting<std::uint16_t> port;
  Setting<Time> expires_on;
  PathSetting ldevid_ca_key, ldevid_ca;
  PathSetting tls_key, tls_certificate, tls_ca;
  CmsKeys cms;
};

struct Ini {
  Ini();  // nothing is set
  std::filesystem::path file;
  PledgeKeys pledge;
  RegistrarKeys registrar;
  MasaKeys masa;
};

// Calls `visit` with every setting, in the order of the document.
template <typename Keys, typename Visit>
void visit_settings(Keys& ini, Visit&& visit) {
  const auto cms = [&](auto& keys) {
    visit(keys.sign_key), visit(keys.sign_certificate), visit(keys.additional_certificates);
    visit(keys.verify_certificates), visit(keys.verify_store);
  };
  auto& pledge = ini.pledge;
  visit(pledge.created_on), visit(pledge.serial_number), visit(pledge.nonce);
  visit(pledge.idevid_key), visit(pledge.idevid_certificate), visit(pledge.idevid_ca);
  cms(pledge.cms);
  auto& registrar = ini.registrar;
  visit(registrar.bind_address), visit(registrar.port);
  visit(registrar.tls_key), visit(registrar.tls_certificate), visit(registrar.tls_ca);
  cms(registrar.cms);
  visit(registrar.compat);
  auto& masa = ini.masa;
  visit(masa.bind_address), visit(masa.port), visit(masa.expires_on);
  visit(masa.ldevid_ca_key), visit(masa.ldevid_ca);
  visit(masa.tls_key), visit(masa.tls_certificate), visit(masa.tls_ca);
  cms(masa.cms);
}

// `file` is for messages and relative paths; it is not opened.
Result<Ini> parse_ini(std::string_view text, const std::filesystem::path& file);
Result<Ini> read_ini(const std::filesystem::path& file);

// The text of a file that says what `ini` says, every key in it.
std::string to_text(const Ini&);

// "host", "https://host", "[v6]": what bindAddress and the command line take. Errors: bad_value.
Result<Host> parse_host(std::string_view);

// "config.ini:5: [pledge] createdOn"; without the line where the key is not in the file.
template <typename T>
std::string place_of(const Ini& ini, const Setting<T>& setting) {
  return ini.file.string() + (setting.line > 0 ? ":" + std::to_string(setting.line) : "") + ": [" +
         std::string(setting.section) + "] " + std::string(setting.key);
}

}  // namespace cahn::apps::tool
