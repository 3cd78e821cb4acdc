#include "brski/registrar_credentials.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/ascii.h"
#include "crypto/digest.h"

namespace cahn::brski {
namespace {

constexpr std::size_t max_challenge = 4096;

std::string hashed(const std::string& text) { return hex(crypto::sha256(as_bytes(text))); }

void skip_blanks(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t' || rest.front() == ',')) rest.remove_prefix(1);
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; }

// A token, or a quoted string with its backslashes taken out.
std::optional<std::string> take_value(std::string_view& rest) {
  std::string value;
  if (!rest.starts_with('"')) {
    while (!rest.empty() && rest.front() > ' ' && rest.front() != ',' && rest.front() != '"') {
      value += rest.front();
      rest.remove_prefix(1);
    }
    return value;
  }
  for (rest.remove_prefix(1); !rest.empty(); rest.remove_prefix(1)) {
    if (rest.front() == '"') {
      rest.remove_prefix(1);
      return value;
    }
    if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
    value += rest.front();
  }
  return std::nullopt;
}

// The parameters of the challenge (RFC 7616 3.3) up to where another scheme begins.
Result<std::map<std::string, std::string>> parameters_of(std::string_view challenge) {
  const auto refuse = [](const char* why) {
    return fail(BrskiError::masa_failed, "the MASA's challenge for HTTP authentication " + std::string(why));
  };
  if (challenge.size() > max_challenge) return refuse("is too long");
  const bool printable_only = std::ranges::all_of(challenge, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable_only) return refuse("holds control characters");
  if (ascii::lowered(challenge.substr(0, 7)) != "digest ") return refuse("is not Digest");
  std::string_view rest = challenge.substr(7);
  std::map<std::string, std::string> parameters;
  for (skip_blanks(rest); !rest.empty(); skip_blanks(rest)) {
    const auto end = static_cast<std::size_t>(std::ranges::find_if_not(rest, is_name) - rest.begin());
    const std::string name = ascii::lowered(rest.substr(0, end));
    rest.remove_prefix(end);
    if (name.empty() || !rest.starts_with('=')) break;
    rest.remove_prefix(1);
    auto value = take_value(rest);
    if (!value) return refuse("has a string without end");
    if (!parameters.emplace(name, *std::move(value)).second) return refuse("names a parameter twice");
  }
  return parameters;
}

bool offers_auth(std::string_view qop) {
  while (!qop.empty()) {
    const auto comma = qop.find(',');
    std::string_view one = qop.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one == "auth") return true;
    if (comma == std::string_view::npos) return false;
    qop.remove_prefix(comma + 1);
  }
  return false;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string basic_authorization(const MasaCredentials& credentials) {
  return "Basic " + base64(as_bytes(credentials.user + ":" + credentials.password));
}

Result<std::string> digest_authorization(const MasaCredentials& credentials, std::string_view challenge,
                                         std::string_view method, std::string_view uri, std::string_view client_nonce) {
  CAHN_TRY(auto parameters, parameters_of(challenge));
  if (parameters["nonce"].empty() || !parameters.contains("realm") || !offers_auth(parameters["qop"])) {
    return fail(BrskiError::masa_failed, "the MASA's Digest challenge lacks realm, nonce or qop=auth");
  }
  if (ascii::lowered(parameters["algorithm"]) != "sha-256") {
    return fail(BrskiError::masa_failed, "the MASA's Digest challenge is not for SHA-256");
  }
  const std::string &realm = parameters["realm"], &nonce = parameters["nonce"];
  constexpr std::string_view count = "00000001";
  const std::string a1 = hashed(credentials.user + ":" + realm + ":" + credentials.password);
  const std::string a2 = hashed(std::string(method) + ":" + std::string(uri));
  const std::string response =
      hashed(a1 + ":" + nonce + ":" + std::string(count) + ":" + std::string(client_nonce) + ":auth:" + a2);
  std::string header = "Digest username=" + in_quotes(credentials.user) + ", realm=" + in_quotes(realm) +
                       ", nonce=" + in_quotes(nonce) + ", uri=" + in_quotes(uri) +
                       ", algorithm=SHA-256, qop=auth, nc=" + std::string(count) +
                       ", cnonce=" + in_quotes(client_nonce) + ", response=\"" + response + "\"";
  if (parameters.contains("opaque")) header += ", opaque=" + in_quotes(parameters["opaque"]);
  return header;
}

Result<MasaCredentials> parse_credentials(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  const auto colon = text.find(':');
  const bool one_line = std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || !one_line) {
    return fail(BrskiError::bad_option, "credentials are one line, user:password");
  }
  return MasaCredentials{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1)), {}};
}

}  // namespace cahn::brski
