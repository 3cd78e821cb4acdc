// Octets that came and are not yet understood. Inside `net` only.

#pragma once

#include <cstring>
#include <span>

#include "base/bytes.h"

namespace cahn::net {

class Inbox {
 public:
  ByteView view() const { return ByteView(buffer_).subspan(begin_, end_ - begin_); }
  bool empty() const { return begin_ == end_; }
  void consume(std::size_t count) {
    begin_ += count;
    if (empty()) begin_ = end_ = 0;
  }
  // Empty lines before a request line (RFC 9112 2.2).
  void skip_blank_lines() {
    while (end_ - begin_ >= 2 && buffer_[begin_] == '\r' && buffer_[begin_ + 1] == '\n') consume(2);
  }
  // Where the next octets go: at least a TLS record's worth. Tell add() how many came.
  std::span<std::uint8_t> room() {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < piece) buffer_.resize(end_ + piece);
    return std::span(buffer_).subspan(end_);
  }
  void add(std::size_t count) { end_ += count; }
  // Gives the memory back; REQUIRES: empty().
  void release() { Bytes().swap(buffer_); }

 private:
  static constexpr std::size_t piece = std::size_t{16} << 10;
  Bytes buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace cahn::net
