#include "credential/relations.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/utf8.h"

namespace cahn::credential {

namespace {

using enum ArgumentKind;

constexpr std::size_t max_uri = 512;
constexpr std::size_t max_device_type = 256;

constexpr ArgumentSpec trust[] = {{"id", entity_uri}, {"trusts", entity_key}};
constexpr ArgumentSpec distrust[] = {{"id", entity_uri}, {"distrusts", entity_key}};
constexpr ArgumentSpec purchase[] = {{"id", entity_key}, {"person", entity_uri}, {"deviceType", device_type, true}};
constexpr ArgumentSpec owner_declaration[] = {{"id", entity_key}, {"deviceType", device_type}};
constexpr ArgumentSpec manufacturer_key[] = {{"id", entity_key}, {"key", entity_key}, {"role", role}};
constexpr ArgumentSpec key_binding[] = {{"id", entity_uri}, {"key", entity_key}};
constexpr ArgumentSpec user_right[] = {{"id", entity_uri}, {"right", right}};
constexpr ArgumentSpec retraction[] = {{"claim", claim_id}};
constexpr ArgumentSpec device_command[] = {{"id", entity_key}, {"registrar", entity_key}};

constexpr RelationSpec table[] = {
    {"Trust", trust},                              // L535-568: a person trusts a maker, a device, a registrar, a router
    {"Distrust", distrust},                        //
    {"Purchase", purchase},                        // L571-600
    {"OwnerDeclaration", owner_declaration},       // L602: the owner is who signs
    {"ManufacturerKey", manufacturer_key},         // decision 33
    {"KeyBinding", key_binding},                   // decision 33
    {"UserRight", user_right},                     // decision 21
    {"Retraction", retraction},                    // decision 43
    {"DeviceTrustCommand", device_command, true},  // L533-537, decision 35
    {"DeviceRevokeCommand", device_command, true},  //
};

constexpr std::string_view right_names[] = {"trust-manufacturers", "connect-devices", "grant-rights"};
constexpr std::string_view role_names[] = {"purchase", "sbom", "voucher", "mud"};

// RFC 3986 2.2 and 2.3, and the '%' of 2.1.
bool is_uri_character(char c) {
  return ascii::is_alphanumeric(c) || std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

// One address as RFC 6068 2 and RFC 5321 4.1.2 (Dot-string @ Domain) have it, in ASCII: no list, no header fields.
bool is_mail_address(std::string_view address) {
  const auto at = address.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == address.size() || address.size() > 254) return false;
  const auto is_atom = [](char c) {
    return ascii::is_alphanumeric(c) || std::string_view("-._~!$'*+%&=/").find(c) != std::string_view::npos;
  };
  const auto is_name = [](char c) { return ascii::is_alphanumeric(c) || c == '-' || c == '.'; };
  const auto local = address.substr(0, at), domain = address.substr(at + 1);
  const auto dots_are_inside = [](std::string_view s) {
    return s.front() != '.' && s.back() != '.' && s.find("..") == std::string_view::npos;
  };
  return std::ranges::all_of(local, is_atom) && std::ranges::all_of(domain, is_name) && dots_are_inside(local) &&
         dots_are_inside(domain);
}

bool is_entity_uri(std::string_view uri) {
  if (uri.size() > max_uri || !std::ranges::all_of(uri, is_uri_character)) return false;
  const auto colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == uri.size() || !ascii::is_letter(uri[0]))
    return false;
  const auto scheme = uri.substr(0, colon);
  const bool scheme_is_lower_case = std::ranges::all_of(
      scheme, [](char c) { return ascii::is_lower(c) || ascii::is_digit(c) || c == '+' || c == '-' || c == '.'; });
  // A key in the place of a person would be another way to say who it is; an upper-case scheme, another spelling.
  if (!scheme_is_lower_case || scheme == "did") return false;
  return scheme != "mailto" || is_mail_address(uri.substr(colon + 1));
}

// The UTF-8 character that starts at `i`, which it moves past; `text` is known to be UTF-8.
std::uint32_t code_point(std::string_view text, std::size_t& i) {
  const auto lead = static_cast<unsigned char>(text[i++]);
  if (lead < 0x80) return lead;
  std::uint32_t value = lead >= 0xf0 ? lead & 7U : lead >= 0xe0 ? lead & 15U : lead & 31U;
  for (; i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80; ++i) {
    value = value << 6 | (static_cast<unsigned char>(text[i]) & 63U);
  }
  return value;
}

// What shows as something else than it is: controls, and the marks that turn the direction of writing.
bool deceives_the_eye(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

bool is_device_type(std::string_view text) {
  if (text.empty() || text.size() > max_device_type || text.front() == ' ' || text.back() == ' ') return false;
  if (!is_utf8(text)) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (deceives_the_eye(code_point(text, i))) return false;
  }
  return true;
}

bool is_claim_id(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return ascii::is_digit(c) || (c >= 'a' && c <= 'f'); });
}

Result<void> check_argument(ArgumentKind kind, std::string_view value) {
  const auto require = [](bool fits, std::string_view what) -> Result<void> {
    if (fits) return {};
    return fail(CredentialError::bad_relation, "is not " + std::string(what));
  };
  switch (kind) {
    case entity_key:
      if (const auto key = key_of_did(value); !key) {
        return fail(CredentialError::bad_relation, "is not a key: " + key.error().message);
      }
      return {};
    case entity_uri:
      return require(is_entity_uri(value), "a mailto: of one address, nor another absolute URI");
    case device_type:
      return require(is_device_type(value), "a device type");
    case right:
      return require(std::ranges::find(right_names, value) != std::end(right_names), "a known right");
    case role:
      return require(std::ranges::find(role_names, value) != std::end(role_names), "a manufacturer's role");
    case claim_id:
      return require(is_claim_id(value), "the id of a claim (64 lower-case hex digits)");
  }
  return require(false, "known");
}

}  // namespace

std::span<const RelationSpec> relations() { return table; }

const RelationSpec* find_relation(std::string_view type) {
  const auto* found = std::ranges::find(table, type, &RelationSpec::type);
  return found == std::end(table) ? nullptr : found;
}

std::span<const std::string_view> rights() { return right_names; }
std::span<const std::string_view> manufacturer_roles() { return role_names; }

Result<void> check_statement(const Statement& statement) {
  const auto* relation = find_relation(statement.relation);
  if (relation == nullptr) return fail(CredentialError::bad_relation, "there is no such relation");
  const auto given = statement.arguments.size();
  const auto most = relation->arguments.size();
  const auto least = most - (relation->arguments.back().optional ? 1 : 0);
  const std::string name(relation->type);
  if (given < least || given > most) {
    return fail(CredentialError::bad_relation,
                name + " has " + std::to_string(most) + " arguments, not " + std::to_string(given));
  }
  for (std::size_t i = 0; i < given; ++i) {
    const auto checked = check_argument(relation->arguments[i].kind, statement.arguments[i]);
    if (!checked) return fail(checked.error(), "argument " + std::to_string(i + 1) + " of " + name);
  }
  return {};
}

}  // namespace cahn::credential
