// CBOR (RFC 8949) as strangers send it: one data item, within bounds. libcbor's streaming decoder reads the heads; it
// allocates nothing, whatever sizes they declare, and what is kept here grows only with octets that really came.
//
// Any well-formed encoding is read: indefinite lengths and integers longer than they must be are other spellings of the
// same value (RFC 8949 5.2), and RFC 8990 does not ask senders to avoid them.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cahn::discovery {

struct CborItem {
  enum class Kind {
    unsigned_integer,
    negative_integer,
    bytes,
    text,
    array,
    map,
    tag,
    floating,
    boolean,
    null,
    undefined
  };

  Kind kind = Kind::null;
  std::uint64_t number = 0;          // the integer, the tag, 0 or 1 of a boolean; of a negative one -1 minus it
  std::string content;               // octets of bytes or text (not checked to be UTF-8)
  std::vector<CborItem> children{};  // of an array; of a map key, value, key, …; of a tag the one item it is about

  bool is(Kind what) const { return kind == what; }
};

struct CborLimits {
  std::size_t max_size = 2048;  // octets of the whole; GRASP_DEF_MAX_SIZE, RFC 8990 2.6
  std::size_t max_depth = 8;
  std::size_t max_items = 256;
};

// Exactly one item and nothing behind it. Errors: malformed.
Result<CborItem> read_cbor(ByteView, CborLimits limits = {});

// Writes items one after another, each in the shortest form.
class CborWriter {
 public:
  void number(std::uint64_t);
  void bytes(ByteView);
  void text(std::string_view);
  void begin_array(std::size_t count);
  void null();
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

}  // namespace cahn::discovery
