#include "discovery/cbor.h"

#include <cbor.h>

#include <array>

#include "discovery/dns_sd.h"

namespace cahn::discovery {
namespace {

using Kind = CborItem::Kind;

// What libcbor's callbacks found: one head, with its octets if it is a string.
struct Head {
  Kind kind = Kind::null;
  std::uint64_t number = 0;
  ByteView content;
  bool indefinite = false;
  bool is_break = false;
};

void set(void* head, Kind kind, std::uint64_t number) {
  *static_cast<Head*>(head) = {.kind = kind, .number = number, .content = {}};
}

void set_string(void* head, Kind kind, cbor_data data, std::size_t size) {
  *static_cast<Head*>(head) = {.kind = kind, .number = 0, .content = ByteView(data, size)};
}

void set_indefinite(void* head, Kind kind) {
  *static_cast<Head*>(head) = {.kind = kind, .number = 0, .content = {}, .indefinite = true};
}

template <Kind kind, typename Number>
void on_number(void* head, Number number) {
  set(head, kind, number);
}
template <Kind kind>
void on_size(void* head, std::size_t size) {
  set(head, kind, size);
}
template <Kind kind>
void on_string(void* head, cbor_data data, std::size_t size) {
  set_string(head, kind, data, size);
}
template <Kind kind>
void on_indefinite(void* head) {
  set_indefinite(head, kind);
}
template <Kind kind>
void on_simple(void* head) {
  set(head, kind, 0);
}

cbor_callbacks make_callbacks() {
  cbor_callbacks calls = cbor_empty_callbacks;
  calls.uint8 = on_number<Kind::unsigned_integer, std::uint8_t>;
  calls.uint16 = on_number<Kind::unsigned_integer, std::uint16_t>;
  calls.uint32 = on_number<Kind::unsigned_integer, std::uint32_t>;
  calls.uint64 = on_number<Kind::unsigned_integer, std::uint64_t>;
  calls.negint8 = on_number<Kind::negative_integer, std::uint8_t>;
  calls.negint16 = on_number<Kind::negative_integer, std::uint16_t>;
  calls.negint32 = on_number<Kind::negative_integer, std::uint32_t>;
  calls.negint64 = on_number<Kind::negative_integer, std::uint64_t>;
  calls.byte_string = on_string<Kind::bytes>;
  calls.byte_string_start = on_indefinite<Kind::bytes>;
  calls.string = on_string<Kind::text>;
  calls.string_start = on_indefinite<Kind::text>;
  calls.array_start = on_size<Kind::array>;
  calls.indef_array_start = on_indefinite<Kind::array>;
  calls.map_start = on_size<Kind::map>;
  calls.indef_map_start = on_indefinite<Kind::map>;
  calls.tag = on_number<Kind::tag, std::uint64_t>;
  calls.float2 = [](void* head, float) { set(head, Kind::floating, 0); };
  calls.float4 = [](void* head, float) { set(head, Kind::floating, 0); };
  calls.float8 = [](void* head, double) { set(head, Kind::floating, 0); };
  calls.boolean = [](void* head, bool value) { set(head, Kind::boolean, value ? 1 : 0); };
  calls.null = on_simple<Kind::null>;
  calls.undefined = on_simple<Kind::undefined>;
  calls.indef_break = [](void* head) { static_cast<Head*>(head)->is_break = true; };
  return calls;
}

class Reader {
 public:
  Reader(ByteView data, const CborLimits& limits) : rest_(data), size_(data.size()), limits_(limits) {}

  Result<CborItem> whole() {
    CAHN_TRY(const Head head, next());
    CAHN_TRY(CborItem item, item_of(head, 1));
    if (!rest_.empty()) return bad("something follows the item");
    return item;
  }

 private:
  std::unexpected<Error> bad(std::string_view why) const {
    return fail(DiscoveryError::malformed,
                "CBOR at octet " + std::to_string(size_ - rest_.size()) + ": " + std::string(why));
  }

  Result<Head> next() {
    static const cbor_callbacks callbacks = make_callbacks();
    Head head;
    const auto read = cbor_stream_decode(rest_.data(), rest_.size(), &callbacks, &head);
    if (read.status == CBOR_DECODER_NEDATA) return bad("it ends too soon");
    if (read.status != CBOR_DECODER_FINISHED) return bad("not the head of an item");
    rest_ = rest_.subspan(read.read);
    return head;
  }

  Result<CborItem> item_of(const Head& head, std::size_t depth) {
    if (head.is_break) return bad("a break where an item should be");
    if (depth > limits_.max_depth) return bad("nested too deeply");
    if (++items_ > limits_.max_items) return bad("too many items");
    CborItem item{.kind = head.kind, .number = head.number, .content = to_string(head.content)};
    switch (head.kind) {
      case Kind::bytes:
      case Kind::text:
        if (head.indefinite) CAHN_CHECK(read_chunks(item));
        return item;
      case Kind::array:
      case Kind::map:
        CAHN_CHECK(read_children(item, head.indefinite, depth));
        return item;
      case Kind::tag:
        CAHN_CHECK(read_child(item, depth));
        return item;
      default:
        return item;
    }
  }

  // RFC 8949 3.2.3: chunks of the same kind and of definite length.
  Result<void> read_chunks(CborItem& item) {
    for (;;) {
      CAHN_TRY(const Head chunk, next());
      if (chunk.is_break) return {};
      if (chunk.kind != item.kind || chunk.indefinite) return bad("a chunk of another kind");
      if (++items_ > limits_.max_items) return bad("too many items");
      item.content += as_text(chunk.content);
    }
  }

  Result<void> read_children(CborItem& item, bool indefinite, std::size_t depth) {
    // Whatever is declared: each item takes an octet at least, and there are no more than so many.
    if (item.number > limits_.max_items) return bad("too many items");
    const std::uint64_t count = item.kind == Kind::map ? 2 * item.number : item.number;
    item.number = 0;
    while (indefinite || item.children.size() < count) {
      CAHN_TRY(const Head head, next());
      if (indefinite && head.is_break) {
        if (item.kind == Kind::map && item.children.size() % 2 != 0) return bad("a key without a value");
        return {};
      }
      CAHN_TRY(CborItem child, item_of(head, depth + 1));
      item.children.push_back(std::move(child));
    }
    return {};
  }

  Result<void> read_child(CborItem& item, std::size_t depth) {
    CAHN_TRY(const Head head, next());
    CAHN_TRY(CborItem child, item_of(head, depth + 1));
    item.children.push_back(std::move(child));
    return {};
  }

  ByteView rest_;
  const std::size_t size_;
  const CborLimits& limits_;
  std::size_t items_ = 0;
};

// A head is at most nine octets (RFC 8949 3).
using HeadBuffer = std::array<std::uint8_t, 9>;

void append(Bytes& out, const HeadBuffer& head, std::size_t size) {
  out.insert(out.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace

Result<CborItem> read_cbor(ByteView data, CborLimits limits) {
  if (data.size() > limits.max_size)
    return fail(DiscoveryError::malformed, "CBOR of " + std::to_string(data.size()) + " octets is too long");
  return Reader(data, limits).whole();
}

void CborWriter::number(std::uint64_t value) {
  HeadBuffer head{};
  const std::size_t size = cbor_encode_uint(value, head.data(), head.size());
  append(out_, head, size);
}

void CborWriter::bytes(ByteView content) {
  HeadBuffer head{};
  const std::size_t size = cbor_encode_bytestring_start(content.size(), head.data(), head.size());
  append(out_, head, size);
  out_.insert(out_.end(), content.begin(), content.end());
}

void CborWriter::text(std::string_view content) {
  HeadBuffer head{};
  const std::size_t size = cbor_encode_string_start(content.size(), head.data(), head.size());
  append(out_, head, size);
  out_.insert(out_.end(), content.begin(), content.end());
}

void CborWriter::begin_array(std::size_t count) {
  HeadBuffer head{};
  const std::size_t size = cbor_encode_array_start(count, head.data(), head.size());
  append(out_, head, size);
}

void CborWriter::null() {
  HeadBuffer head{};
  const std::size_t size = cbor_encode_null(head.data(), head.size());
  append(out_, head, size);
}

}  // namespace cahn::discovery
