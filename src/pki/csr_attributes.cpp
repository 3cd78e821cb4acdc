#include "pki/csr_attributes.h"

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

namespace cahn::pki {
namespace {

constexpr std::uint8_t tag_oid = 0x06, tag_sequence = 0x30, tag_set = 0x31;
constexpr std::size_t max_oid_arcs = 32;
constexpr std::string_view oid_extension_request = "1.2.840.113549.1.9.14";

// One DER element with a one-octet tag and a length of at most four octets.
struct Element {
  std::uint8_t tag;
  ByteView value;
};

// Takes one element from the front of `rest`. X.690 10.1: definite, shortest form of length only.
std::optional<Element> take_element(ByteView& rest) {
  if (rest.size() < 2) return std::nullopt;
  const std::uint8_t tag = rest[0];
  std::size_t length = rest[1], header = 2;
  if (length & 0x80) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 4 || rest.size() < 2 + octets || rest[2] == 0) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) length = length << 8 | rest[2 + i];
    if (length < 0x80) return std::nullopt;
    header += octets;
  }
  if (rest.size() - header < length) return std::nullopt;
  const Element element{tag, rest.subspan(header, length)};
  rest = rest.subspan(header + length);
  return element;
}

// X.690 8.19: base 128, no leading 0x80, arcs below 2^64.
std::optional<std::string> dotted(ByteView value) {
  if (value.empty() || value.back() & 0x80) return std::nullopt;
  std::string text;
  std::uint64_t arc = 0;
  std::size_t arcs = 1;  // the first two share one number
  bool arc_starts = true;
  for (const std::uint8_t octet : value) {
    if ((arc_starts && octet == 0x80) || arc > std::numeric_limits<std::uint64_t>::max() >> 7) return std::nullopt;
    arc = arc << 7 | (octet & 0x7f);
    arc_starts = !(octet & 0x80);
    if (!arc_starts) continue;
    if (++arcs > max_oid_arcs) return std::nullopt;
    if (text.empty()) {
      const std::uint64_t first = arc < 40 ? 0 : arc < 80 ? 1 : 2;
      text = std::to_string(first) + "." + std::to_string(arc - 40 * first);
    } else {
      text += "." + std::to_string(arc);
    }
    arc = 0;
  }
  return text;
}

std::optional<std::vector<std::uint64_t>> arcs_of(std::string_view text) {
  std::vector<std::uint64_t> arcs;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;; ++at) {
    std::uint64_t arc = 0;
    const auto [next, error] = std::from_chars(at, end, arc);
    if (error != std::errc() || arcs.size() == max_oid_arcs) return std::nullopt;
    arcs.push_back(arc);
    at = next;
    if (at == end) break;
    if (*at != '.') return std::nullopt;
  }
  // X.660: the first arc is 0, 1 or 2, and under 0 and 1 the second is below 40.
  if (arcs.size() < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39)) return std::nullopt;
  if (arcs[1] > std::numeric_limits<std::uint64_t>::max() - 80) return std::nullopt;
  return arcs;
}

void append_arc(Bytes& out, std::uint64_t arc) {
  Bytes reversed{static_cast<std::uint8_t>(arc & 0x7f)};
  while (arc >>= 7) reversed.push_back(static_cast<std::uint8_t>(0x80 | (arc & 0x7f)));
  out.insert(out.end(), reversed.rbegin(), reversed.rend());
}

void append_element(Bytes& out, std::uint8_t tag, const Bytes& value) {
  out.push_back(tag);
  if (value.size() < 0x80) {
    out.push_back(static_cast<std::uint8_t>(value.size()));
  } else {
    int octets = 1;
    while (value.size() >> (8 * octets) != 0) ++octets;
    out.push_back(static_cast<std::uint8_t>(0x80 | octets));
    while (octets-- > 0) out.push_back(static_cast<std::uint8_t>(value.size() >> (8 * octets)));
  }
  out.insert(out.end(), value.begin(), value.end());
}

Result<void> append_oid(Bytes& out, const std::string& oid) {
  const auto arcs = arcs_of(oid);
  if (!arcs) return fail(PkiError::bad_request, "'" + oid + "' is no dotted object identifier");
  Bytes value;
  append_arc(value, (*arcs)[0] * 40 + (*arcs)[1]);
  for (std::size_t i = 2; i < arcs->size(); ++i) append_arc(value, (*arcs)[i]);
  append_element(out, tag_oid, value);
  return {};
}

struct Wish {
  std::string type;
  std::vector<std::string> values;
};

Wish parse_wish(const std::string& text) {
  const auto equals = text.find('=');
  Wish wish{text.substr(0, equals), {}};
  if (equals == std::string::npos) return wish;
  for (std::size_t at = equals + 1;;) {
    const auto comma = text.find(',', at);
    wish.values.push_back(text.substr(at, comma - at));
    if (comma == std::string::npos) return wish;
    at = comma + 1;
  }
}

std::optional<std::string> type_of(const Element& element) {
  if (element.tag == tag_oid) return dotted(element.value);
  if (element.tag != tag_sequence) return std::nullopt;
  ByteView inside = element.value;
  const auto type = take_element(inside);
  const auto values = take_element(inside);
  if (!type || type->tag != tag_oid || !values || values->tag != tag_set || !inside.empty()) return std::nullopt;
  return dotted(type->value);
}

}  // namespace

Result<Bytes> encode_csr_attributes(const std::vector<std::string>& wishes) {
  if (wishes.size() > max_csr_attributes) return fail(PkiError::bad_request, "too many CSR attributes");
  Bytes elements;
  for (const auto& text : wishes) {
    const Wish wish = parse_wish(text);
    if (wish.values.size() > max_csr_attributes)
      return fail(PkiError::bad_request, "too many values of a CSR attribute");
    Bytes type;
    CAHN_CHECK(append_oid(type, wish.type));
    if (wish.values.empty()) {
      elements.insert(elements.end(), type.begin(), type.end());
      continue;
    }
    Bytes values;
    for (const auto& value : wish.values) CAHN_CHECK(append_oid(values, value));
    append_element(type, tag_set, values);
    append_element(elements, tag_sequence, type);
  }
  Bytes out;
  append_element(out, tag_sequence, elements);
  return out;
}

Result<void> check_csr_attributes(const crypto::Csr& csr, const std::vector<std::string>& wishes) {
  for (const auto& text : wishes) {
    Wish wish = parse_wish(text);
    // extensionRequest is the way to say it, not a thing of its own: what matters are the extensions.
    if (wish.values.empty() || wish.type != oid_extension_request) wish.values.insert(wish.values.begin(), wish.type);
    for (const auto& oid : wish.values) {
      if (!csr.mentions(oid))
        return fail(PkiError::bad_request, "the request lacks " + oid + ", which csrattrs asks for");
    }
  }
  return {};
}

Result<std::vector<std::string>> decode_csr_attributes(ByteView der) {
  const auto refuse = [](const char* what) {
    return fail(PkiError::bad_answer, std::string("the CSR attributes are malformed: ") + what);
  };
  const auto outer = take_element(der);
  if (!outer || outer->tag != tag_sequence || !der.empty()) return refuse("not one DER SEQUENCE");
  std::vector<std::string> oids;
  for (ByteView rest = outer->value; !rest.empty();) {
    const auto element = take_element(rest);
    auto type = element ? type_of(*element) : std::nullopt;
    if (!type) return refuse("an element is neither an OID nor an Attribute");
    if (oids.size() == max_csr_attributes) return refuse("too many elements");
    oids.push_back(*std::move(type));
  }
  return oids;
}

}  // namespace cahn::pki
