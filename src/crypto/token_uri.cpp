#include <algorithm>
#include <array>

#include "crypto/token.h"

namespace cahn::crypto {
namespace {

constexpr std::size_t max_uri = 4096;
constexpr std::size_t max_pin = 256;

std::unexpected<Error> refuse(std::string why) { return fail(CryptoError::key_unavailable, std::move(why)); }

struct Names {
  std::string_view scheme;
  std::vector<std::string_view> path, query;
};
const std::array<Names, 2>& known_names() {
  static const std::array<Names, 2> names{
      Names{"pkcs11:",
            {"token", "manufacturer", "serial", "model", "slot-id", "object", "id", "type"},
            {"pin-source", "module-path"}},
      Names{"tpm2:", {"handle"}, {"pin-source"}}};
  return names;
}

// name=value, divided by `divider`.
Result<void> read_attributes(std::string_view text, char divider, const std::vector<std::string_view>& known,
                             std::map<std::string, std::string, std::less<>>& into) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(divider));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    const std::string name(one.substr(0, equals));
    if (name == "pin-value") return refuse("a PIN has no place in a URI; use pin-source=file:/…");
    if (equals == one.npos || std::find(known.begin(), known.end(), name) == known.end()) {
      return refuse("a key URI has no attribute \"" + name + "\"");
    }
    auto value = percent_decode(one.substr(equals + 1));
    if (!value) return refuse("a key URI with a bad % escape in " + name);
    if (!into.emplace(name, *std::move(value)).second) return refuse("a key URI with " + name + " twice");
  }
  return {};
}

}  // namespace

Result<TokenUri> TokenUri::parse(std::string_view uri) {
  if (uri.size() > max_uri) return refuse("a key URI of more than 4096 octets");
  for (const Names& names : known_names()) {
    if (!uri.starts_with(names.scheme)) continue;
    TokenUri out;
    const std::string_view rest = uri.substr(names.scheme.size());
    const std::size_t question = rest.find('?');
    CAHN_CHECK(read_attributes(rest.substr(0, question), ';', names.path, out.path));
    if (question != rest.npos) CAHN_CHECK(read_attributes(rest.substr(question + 1), '&', names.query, out.query));
    out.text = std::string(uri);
    return out;
  }
  return refuse("a key URI that is neither pkcs11: nor tpm2:");
}

std::optional<std::string> TokenUri::find(std::string_view name) const {
  for (const auto* attributes : {&path, &query}) {
    if (const auto found = attributes->find(name); found != attributes->end()) return found->second;
  }
  return std::nullopt;
}

Result<std::optional<SecretText>> TokenUri::read_pin() const {
  const auto source = find("pin-source");
  if (!source) return std::optional<SecretText>();
  if (!source->starts_with("file:") && !source->starts_with('/')) return refuse("pin-source takes a file: URI only");
  CAHN_TRY(const std::filesystem::path file, path_of_file_uri(*source));
  CAHN_TRY(SecretText pin, read_secret_file(file));
  while (pin.text.ends_with('\n') || pin.text.ends_with('\r')) pin.text.pop_back();
  if (pin.text.empty() || pin.text.size() > max_pin) return refuse(file.string() + ": not one line with a PIN");
  return std::optional<SecretText>(std::move(pin));
}

}  // namespace cahn::crypto
