#include "apps/brski/ini.h"

#include <algorithm>
#include <functional>
#include <map>

#include "apps/common/nearest_word.h"
#include "base/ascii.h"
#include "base/file.h"
#include "base/utf8.h"

namespace cahn::apps::tool {
namespace {

constexpr std::size_t max_file = std::size_t{64} << 10;
constexpr std::size_t max_line = 4096;
constexpr std::size_t max_name = 256;  // serial numbers and nonces, as the voucher room reads them

// A key of the file, as the reader of lines knows it.
using Assign = std::function<Result<void>(std::string_view value, unsigned line)>;

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Nothing that could hide in an editor or forge a line of a message.
const char* fault_of(std::string_view line) {
  while (!line.empty()) {
    const std::size_t length = utf8_length(line);
    if (length == 0) return "it is not UTF-8";
    const unsigned char first = static_cast<unsigned char>(line[0]);
    const bool c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(line[1]) < 0xa0;
    if ((first < 0x20 && first != '\t') || first == 0x7f || c1) return "it has a control character";
    line.remove_prefix(length);
  }
  return nullptr;
}

// What stands behind the `=`: in quotes, or bare up to a comment.
Result<std::string_view> value_in(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with('"')) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if ((text[i] == ';' || text[i] == '#') && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t'))
        text = text.substr(0, i);
    }
    if (text.find_first_of("\"'") != text.npos)
      return fail(IniError::bad_value, "a quote inside a value without quotes");
    return trimmed(text);
  }
  const auto end = text.find('"', 1);
  if (end == text.npos) return fail(IniError::bad_value, "the quote is not closed");
  const auto rest = trimmed(text.substr(end + 1));
  if (!rest.empty() && rest[0] != ';' && rest[0] != '#')
    return fail(IniError::bad_value, "something stands behind the closing quote: " + quoted(rest));
  return text.substr(1, end - 1);
}

Result<void> read_value(std::string_view text, std::optional<std::string>& value, const Ini&) {
  if (text.size() > max_name) return fail(IniError::bad_value, "longer than 256 octets");
  value = std::string(text);
  return {};
}

Result<void> read_value(std::string_view text, std::optional<Time>& value, const Ini&) {
  const auto time = parse_rfc3339(text);
  // An offset may lead out of the years that a voucher can write.
  if (!time || !parse_rfc3339(rfc3339(*time))) {
    return fail(IniError::bad_value, quoted(text) + " is no date; write one as \"1973-11-29T21:33:09Z\"");
  }
  // Vouchers carry whole seconds.
  value = std::chrono::floor<std::chrono::seconds>(*time);
  return {};
}

Result<void> read_value(std::string_view text, std::optional<std::uint16_t>& value, const Ini&) {
  unsigned number = 0;
  const bool digits = text.size() <= 5 && std::ranges::all_of(text, [](char c) { return ascii::is_digit(c); });
  if (digits) {
    for (const char c : text) number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (!digits || number > 65535) return fail(IniError::bad_value, quoted(text) + " is no port from 0 to 65535");
  if (number > 0) value = static_cast<std::uint16_t>(number);  // the document's "port = 0" is a port not set
  return {};
}

Result<void> read_value(std::string_view text, std::optional<Dialect>& value, const Ini&) {
  if (text != "strict" && text != "field")
    return fail(IniError::bad_value, quoted(text) + " is neither strict nor field");
  value = text == "field" ? Dialect::field : Dialect::strict;
  return {};
}

Result<void> read_value(std::string_view text, std::optional<Host>& value, const Ini&) {
  CAHN_TRY(value, parse_host(text));
  return {};
}

Result<void> read_value(std::string_view text, std::optional<std::filesystem::path>& value, const Ini& ini) {
  const std::filesystem::path named(text);
  // A key may live elsewhere than in a file (crypto/key.h); its URI is no path.
  const bool is_uri = text.starts_with("file:") || text.starts_with("pkcs11:") || text.starts_with("tpm2:");
  value = named.is_absolute() || is_uri ? named : ini.file.parent_path() / named;
  return {};
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) {
    ini_.file = file;
    visit_settings(ini_, [this](auto& setting) {
      keys_[std::string(setting.section)][std::string(setting.key)] = [this, &setting](std::string_view text,
                                                                                       unsigned line) -> Result<void> {
        if (setting.line > 0)
          return fail(IniError::duplicate, "it stands in line " + std::to_string(setting.line) + " already");
        setting.line = line;
        return text.empty() ? Result<void>{} : read_value(text, setting.value, ini_);
      };
    });
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<Ini> read(std::string_view text) {
    if (text.size() > max_file) return refuse(IniError::too_large, "more than 64 KiB");
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
      ++line_;
      const auto end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      CAHN_CHECK(read_line(line));
    }
    return ini_;
  }

 private:
  Result<void> read_line(std::string_view line) {
    if (line.size() > max_line) return refuse(IniError::too_large, "a line of more than 4096 octets");
    if (const char* fault = fault_of(line)) return refuse(IniError::bad_text, fault);
    line = trimmed(line);
    if (line.empty() || line[0] == ';' || line[0] == '#') return {};
    if (line[0] == '[') return open_section(line);
    const auto equals = line.find('=');
    if (equals == line.npos) {
      return refuse(IniError::bad_line, quoted(line) + " is neither a [section], nor key = value, nor a ; comment");
    }
    return read_key(trimmed(line.substr(0, equals)), line.substr(equals + 1));
  }

  Result<void> open_section(std::string_view line) {
    const auto end = line.find(']');
    const auto rest = end == line.npos ? std::string_view() : trimmed(line.substr(end + 1));
    if (end == line.npos || (!rest.empty() && rest[0] != ';' && rest[0] != '#'))
      return refuse(IniError::bad_line, quoted(line) + " is no [section]");
    const std::string name(trimmed(line.substr(1, end - 1)));
    if (!keys_.contains(name))
      return refuse(IniError::unknown_section, "[" + name.substr(0, 80) + "] is not a section" + hint(name, keys_));
    const auto [known, is_new] = sections_.emplace(name, line_);
    if (!is_new)
      return refuse(IniError::duplicate, "[" + name + "] stands in line " + std::to_string(known->second) + " already");
    section_ = name;
    return {};
  }

  Result<void> read_key(std::string_view key, std::string_view behind) {
    if (section_.empty()) return refuse(IniError::bad_line, quoted(key) + " stands before the first [section]");
    const auto& known = keys_.at(section_);
    const auto found = known.find(std::string(key));
    if (found == known.end()) {
      std::string where;
      for (const auto& [other, its_keys] : keys_) {
        if (where.empty() && its_keys.contains(std::string(key))) where = "; it is one of [" + other + "]";
      }
      if (where.empty()) where = hint(std::string(key), known);
      return refuse(IniError::unknown_key, "[" + section_ + "] " + quoted(key) + " is not a key" + where);
    }
    const auto value = value_in(behind);
    const auto assigned = value ? found->second(*value, line_) : Result<void>(std::unexpected(value.error()));
    if (assigned) return {};
    return fail(assigned.error(), place() + "[" + section_ + "] " + std::string(key));
  }

  template <typename Map>
  static std::string hint(const std::string& word, const Map& known) {
    std::vector<std::string> words;
    for (const auto& [name, unused] : known) words.push_back(name);
    const std::string near = word.size() > 80 ? std::string() : nearest_word(word, words);
    return near.empty() ? "" : "; did you mean '" + near + "'?";
  }

  std::string place() const { return ini_.file.string() + (line_ > 0 ? ":" + std::to_string(line_) : "") + ": "; }
  std::unexpected<Error> refuse(IniError code, const std::string& why) const { return fail(code, place() + why); }

  Ini ini_;
  std::map<std::string, std::map<std::string, Assign>> keys_;
  std::map<std::string, unsigned> sections_;  // where each begins
  std::string section_;
  unsigned line_ = 0;
};

}  // namespace

std::string_view error_name(IniError error) {
  switch (error) {
    case IniError::unreadable:
      return "unreadable";
    case IniError::too_large:
      return "too_large";
    case IniError::bad_text:
      return "bad_text";
    case IniError::bad_line:
      return "bad_line";
    case IniError::unknown_section:
      return "unknown_section";
    case IniError::unknown_key:
      return "unknown_key";
    case IniError::duplicate:
      return "duplicate";
    case IniError::bad_value:
      return "bad_value";
    case IniError::missing:
      return "missing";
  }
  return "unknown";
}

Result<Host> parse_host(std::string_view text) {
  const std::string_view all = text;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
    if (text.ends_with('/')) text.remove_suffix(1);
  }
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  if (bracketed) text = text.substr(1, text.size() - 2);
  const auto colons = std::ranges::count(text, ':');
  const bool well_formed =
      !text.empty() && text.size() <= 253 && (!bracketed || colons > 0) && std::ranges::all_of(text, [](char c) {
        return ascii::is_alphanumeric(c) || std::string_view("-._:%").find(c) != std::string_view::npos;
      });
  if (!well_formed)
    return fail(IniError::bad_value, quoted(all) + " is no host; write a name, an address or https://host");
  if (colons == 1) {
    return fail(IniError::bad_value, quoted(all) + " has a port in it; the port is a key of its own");
  }
  return Host{std::string(text)};
}

Result<Ini> parse_ini(std::string_view text, const std::filesystem::path& file) { return Reader(file).read(text); }

Result<Ini> read_ini(const std::filesystem::path& file) {
  const auto content = read_file(file, max_file);
  if (!content) {
    const bool large = content.error().code == FileError::too_large;
    return fail(large ? IniError::too_large : IniError::unreadable, content.error().message);
  }
  return parse_ini(as_text(*content), file);
}

}  // namespace cahn::apps::tool
