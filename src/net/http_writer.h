// HTTP/1.1 messages to octets. Inside `net` only.

#pragma once

#include <string>

#include "net/http.h"

namespace cahn::net {

// A field name is a token, a value has no control characters: nothing a handler or caller says can end a line.
bool is_token(std::string_view);
bool is_field_value(std::string_view);

struct ResponseFraming {
  bool close = false;
  bool say_keep_alive = false;  // HTTP/1.0 peers must be told
  bool without_body = false;    // the answer to HEAD
};

// Status line and header. Length, connection and date are ours; a field of the handler's that is not well-formed is
// left out.
std::string response_header(const HttpResponse&, const ResponseFraming&);
// Bodies up to this go out in one piece with their header; larger ones in pieces, each with a time limit of its own.
constexpr std::size_t small_body = std::size_t{16} << 10;
constexpr std::size_t write_piece = std::size_t{64} << 10;

std::string_view reason_phrase(int status);

// Request line and header; fails (malformed) on a method, path or field that is not well-formed.
Result<std::string> request_header(const HttpRequest&, const Endpoint&);

}  // namespace cahn::net
