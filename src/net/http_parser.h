// HTTP/1.x messages from octets, without any input or output of its own. Inside `net` only.
//
// Beast's basic_parser does the grammar. What it tolerates and a server that others stand before must not, is refused
// here (RFC 9112 6.3, 5.2, 11.2): a Transfer-Encoding other than one "chunked", one beside a Content-Length or from
// HTTP/1.0, folded header lines, no Host or several.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "net/http.h"

namespace cahn::net {

inline constexpr std::size_t max_header_fields = 128;

// Why a message cannot be taken, and the status that says so to whoever sent it.
struct ParseFault {
  int status;
  std::string what;
};

// The length of the header with its blank line, when it is all there. `searched` remembers how far one need not look
// again.
std::optional<std::size_t> header_length(ByteView data, std::size_t& searched);

class RequestParser {
 public:
  RequestParser();
  ~RequestParser();

  // `header` as header_length found it. Afterwards the request is filled but for its body.
  std::optional<ParseFault> take_header(ByteView header);
  // Reads on in the body from the start of `data` and takes off it what was used; what stays must be shown again, with
  // more behind it. REQUIRES: take_header was without fault, !done().
  std::optional<ParseFault> take_body(ByteView& data);
  bool done() const;

  HttpRequest& request();
  void limit_body(std::size_t);
  std::optional<std::uint64_t> content_length() const;
  bool expects_continue() const;
  bool keep_alive() const;
  bool is_http_1_0() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  // `without_body`: the answer to HEAD.
  ResponseParser(bool without_body, std::size_t max_body);
  ~ResponseParser();

  std::optional<ParseFault> take_header(ByteView header);
  std::optional<ParseFault> take_body(ByteView& data);
  // The connection ended in order: fine only where that is what ends the body.
  std::optional<ParseFault> take_end();
  bool done() const;

  HttpResponse& response();
  bool keep_alive() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cahn::net
