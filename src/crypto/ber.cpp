#include "crypto/ber.h"

#include <algorithm>
#include <optional>

#include "crypto/asn1.h"

namespace cahn::crypto {
namespace {

constexpr std::size_t max_input = 1 << 20;
constexpr std::size_t max_ber_elements = 16384;
constexpr int max_levels = 32;

constexpr std::uint8_t constructed = 0x20;
constexpr std::uint8_t constructed_octets = tag::octet_string | constructed;

// X.690 8.1.2, 8.1.3.
struct BerHeader {
  std::uint8_t tag;
  std::optional<std::size_t> length;  // none: up to the end-of-contents octets
  bool minimal;                       // as DER writes it
};

// One element of the input, in the order in which the elements begin.
struct Element {
  std::uint8_t tag;      // as it will be written
  bool rewritten;        // its own form, not that of what it holds
  ByteView content;      // of a primitive one
  std::size_t size = 0;  // of the content as it will be written
  std::size_t end = 0;   // the index behind the last element inside
};

std::size_t octets_of_length(std::size_t length) {
  std::size_t octets = 1;
  if (length >= 0x80)
    for (; length > 0; length >>= 8) ++octets;
  return octets;
}

std::size_t written_size(const Element& element) { return 1 + octets_of_length(element.size) + element.size; }

class Parser {
 public:
  explicit Parser(ByteView input) : input_(input), rest_(input) {}

  Result<std::vector<Element>> parse() {
    if (input_.size() > max_input) return fail(CryptoError::malformed, "a message of more than 1 MiB");
    if (element(max_levels) && !rest_.empty()) refuse("something behind the end");
    if (!failure_.empty()) return fail(CryptoError::malformed, failure_);
    return std::move(elements_);
  }

 private:
  bool refuse(std::string_view why) {
    if (failure_.empty()) failure_ = "octet " + std::to_string(rest_.data() - input_.data()) + ": " + std::string(why);
    return false;
  }

  std::optional<BerHeader> header() {
    const auto bad = [&](std::string_view why) {
      refuse(why);
      return std::nullopt;
    };
    if (rest_.size() < 2) return bad("the message is cut off");
    const std::uint8_t tag = rest_[0];
    if (tag == 0 || (tag & 0x1f) == 0x1f) return bad("a tag that has no place here");
    std::size_t length = rest_[1];
    std::size_t size = 2;
    bool minimal = true;
    if (length == 0x80) {
      if ((tag & constructed) == 0) return bad("an indefinite length of a primitive element");
      rest_ = rest_.subspan(2);
      return BerHeader{tag, std::nullopt, false};
    }
    if (length > 0x80) {
      const std::size_t octets = length & 0x7f;
      if (octets > 8 || rest_.size() < 2 + octets) return bad("a length that is cut off or too long");
      length = 0;
      for (std::size_t i = 0; i < octets; ++i) length = length << 8 | rest_[2 + i];
      size += octets;
      minimal = 1 + octets == octets_of_length(length);
    }
    if (length > rest_.size() - size) return bad("a length beyond the end");
    rest_ = rest_.subspan(size);
    return BerHeader{tag, length, minimal};
  }

  // The next element of rest_, with all that is in it.
  bool element(int levels_left) {
    if (elements_.size() == max_ber_elements) return refuse("more than 16384 elements");
    const auto head = header();
    if (!head) return false;
    const std::size_t index = elements_.size();
    elements_.push_back({head->tag, !head->minimal, {}});
    if ((head->tag & constructed) == 0) {
      elements_[index].content = rest_.first(*head->length);
      elements_[index].size = *head->length;
      rest_ = rest_.subspan(*head->length);
    } else {
      if (levels_left == 0) return refuse("more than 32 levels");
      if (!constructed_element(*head, index, levels_left)) return false;
    }
    elements_[index].end = elements_.size();
    return true;
  }

  bool constructed_element(const BerHeader& head, std::size_t index, int levels_left) {
    const bool string = head.tag == constructed_octets;
    // X.690 10.2: of the universal types DER has only SEQUENCE and SET constructed.
    const bool universal = (head.tag & 0xc0) == 0;
    if (universal && !string && head.tag != tag::sequence && head.tag != tag::set) {
      return refuse("a string in pieces that is no OCTET STRING");
    }
    const ByteView behind = head.length ? rest_.subspan(*head.length) : ByteView();
    if (head.length) rest_ = rest_.first(*head.length);
    while (!at_end(head)) {
      const std::size_t child = elements_.size();
      if (!failure_.empty() || !element(levels_left - 1)) return false;
      const Element& made = elements_[child];
      if (string && made.tag != tag::octet_string) return refuse("a piece of an OCTET STRING that is none");
      elements_[index].size += string ? made.size : written_size(made);
    }
    if (!failure_.empty()) return false;
    if (head.length) rest_ = behind;
    if (string) {
      elements_[index].tag = tag::octet_string;
      elements_[index].rewritten = true;
    }
    return true;
  }

  // Whether the content of this element is over; passes its end-of-contents octets over.
  bool at_end(const BerHeader& head) {
    if (head.length) return rest_.empty();
    if (rest_.empty()) return !refuse("an indefinite length without its end");
    if (rest_.size() < 2 || rest_[0] != 0) return false;
    if (rest_[1] != 0) return !refuse("end-of-contents octets with a length");
    rest_ = rest_.subspan(2);
    return true;
  }

  ByteView input_, rest_;
  std::vector<Element> elements_;
  std::string failure_;
};

void write_header(Bytes& out, const Element& element) {
  out.push_back(element.tag);
  const std::size_t octets = octets_of_length(element.size);
  if (octets > 1) out.push_back(static_cast<std::uint8_t>(0x80 | (octets - 1)));
  for (std::size_t i = octets > 1 ? octets - 1 : 1; i-- > 0;) {
    out.push_back(static_cast<std::uint8_t>(element.size >> (8 * i)));
  }
}

bool is_primitive(const Element& element) { return (element.tag & constructed) == 0; }

}  // namespace

Result<Normalised> Normalised::from_ber(ByteView ber) {
  Normalised out;
  if (ber.size() <= max_input && is_der(ber)) {
    out.der_ = to_bytes(ber);
    return out;
  }
  CAHN_TRY(const std::vector<Element> elements, Parser(ber).parse());
  out.der_.reserve(written_size(elements.front()));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const Element& element = elements[i];
    if (element.rewritten) out.rewritten_.push_back(out.der_.size());
    write_header(out.der_, element);
    if (!is_primitive(element)) continue;
    // Of a string in pieces only the innermost pieces have content.
    for (std::size_t piece = i; piece < element.end; ++piece) {
      const ByteView content = elements[piece].content;
      out.der_.insert(out.der_.end(), content.begin(), content.end());
    }
    i = element.end - 1;
  }
  return out;
}

bool Normalised::is_verbatim(ByteView part) const {
  const auto begin = static_cast<std::size_t>(part.data() - der_.data());
  const auto first = std::lower_bound(rewritten_.begin(), rewritten_.end(), begin);
  return first == rewritten_.end() || *first >= begin + part.size();
}

}  // namespace cahn::crypto
