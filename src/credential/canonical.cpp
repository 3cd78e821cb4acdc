#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "credential/json.h"

namespace cahn::credential {

namespace {

using nlohmann::json;

// RFC 8785 3.2.2.3: ECMAScript's Number::toString of a finite double. std::to_chars gives the same shortest digits.
void write_number(std::string& out, double value) {
  if (value == 0 || !std::isfinite(value)) {  // -0 is 0; no JSON text has NaN or an infinity, ECMAScript writes null
    out += value == 0 ? "0" : "null";
    return;
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(value), std::chars_format::scientific).ptr;
  // d[.ddd]e±xx
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  const auto e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  const char* exponent_start = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_start, end, exponent);

  // ECMA-262 6.1.6.1.20, with its names: k digits, value = 0.digits × 10^n.
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  if (value < 0) out += '-';
  if (k <= n && n <= 21) {
    out += digits + std::string(static_cast<std::size_t>(n - k), '0');
  } else if (0 < n && n <= 21) {
    out += digits.substr(0, static_cast<std::size_t>(n)) + "." + digits.substr(static_cast<std::size_t>(n));
  } else if (-6 < n && n <= 0) {
    out += "0." + std::string(static_cast<std::size_t>(-n), '0') + digits;
  } else {
    out += digits[0];
    if (k > 1) out += "." + digits.substr(1);
    out += n > 0 ? "e+" : "e-";
    out += std::to_string(std::abs(n - 1));
  }
}

// RFC 8785 3.2.2.2: only what must be escaped is, in the shortest way.
void write_string(std::string& out, std::string_view text) {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (const auto octet = static_cast<unsigned char>(c); octet < 0x20) {
          out += "\\u00";
          out += hex_digits[octet >> 4];
          out += hex_digits[octet & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// RFC 8785 3.2.3 sorts by UTF-16 code units. That is the order of UTF-8 octets but for one thing: characters beyond the
// BMP (lead octets F0 to F4) are surrogates D800 to DFFF there, before U+E000 to U+FFFF (lead octets EE and EF).
bool utf16_less(const std::string* a, const std::string* b) {
  const auto weight = [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 0xf0) return octet - 2;
    return octet >= 0xee ? octet + 0x10 : static_cast<int>(octet);
  };
  return std::lexicographical_compare(a->begin(), a->end(), b->begin(), b->end(),
                                      [&](char x, char y) { return weight(x) < weight(y); });
}

void write(std::string& out, const json& value);

void write_object(std::string& out, const json::object_t& object) {
  std::vector<const std::string*> names;
  names.reserve(object.size());
  for (const auto& [name, unused] : object) names.push_back(&name);
  std::ranges::sort(names, utf16_less);
  char separator = '{';
  for (const auto* name : names) {
    out += separator;
    separator = ',';
    write_string(out, *name);
    out += ':';
    write(out, object.find(*name)->second);
  }
  out += object.empty() ? "{}" : "}";
}

void write_array(std::string& out, const json::array_t& array) {
  char separator = '[';
  for (const auto& element : array) {
    out += separator;
    separator = ',';
    write(out, element);
  }
  out += array.empty() ? "[]" : "]";
}

void write(std::string& out, const json& value) {
  switch (value.type()) {
    case json::value_t::object:
      return write_object(out, value.get_ref<const json::object_t&>());
    case json::value_t::array:
      return write_array(out, value.get_ref<const json::array_t&>());
    case json::value_t::string:
      return write_string(out, value.get_ref<const std::string&>());
    case json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float:
      return write_number(out, value.get<double>());
    case json::value_t::null:
    case json::value_t::binary:
    case json::value_t::discarded:
      out += "null";
      return;
  }
}

}  // namespace

std::string canonical(const nlohmann::json& value) {
  std::string out;
  write(out, value);
  return out;
}

}  // namespace cahn::credential
