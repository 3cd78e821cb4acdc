// The reader of messages, octet by octet: what a test over a socket cannot steer.

#include "net/http_parser.h"

#include <gtest/gtest.h>

#include "net/inbox.h"

namespace cahn::net {
namespace {

// Reads one request out of `text` that comes in pieces of `step` octets; the status of the fault, 0 when it was read.
int read_in_steps(std::string_view text, std::size_t step, HttpRequest& request) {
  Inbox inbox;
  const auto more = [&] {
    const auto piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    const auto room = inbox.room();
    std::copy(piece.begin(), piece.end(), room.begin());
    inbox.add(piece.size());
    return !piece.empty();
  };
  std::size_t searched = 0;
  std::optional<std::size_t> length;
  while (!(length = header_length(inbox.view(), searched))) {
    if (!more()) return -1;
  }
  RequestParser parser;
  if (const auto fault = parser.take_header(inbox.view().first(*length))) return fault->status;
  inbox.consume(*length);
  parser.limit_body(1000);
  while (!parser.done()) {
    auto unread = inbox.view();
    const auto before = unread.size();
    const auto fault = parser.take_body(unread);
    if (fault) return fault->status;
    inbox.consume(before - unread.size());
    if (!parser.done() && !more()) return -1;
  }
  request = std::move(parser.request());
  return 0;
}

TEST(RequestParserTest, ReadsTheSameHoweverTheOctetsAreCut) {
  const std::string text =
      "POST /a%20b?q=%00 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ChunKed\r\nX-Same: 1\r\nx-same:2  \r\n\r\n"
      "5;name=\"a;b\"\r\nhello\r\n00A\r\n, world!!!\r\n0;last\r\nContent-MD5: x\r\nX-Same: 3\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    HttpRequest request;
    ASSERT_EQ(read_in_steps(text, step, request), 0) << step;
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a%20b");
    EXPECT_EQ(request.query, "q=%00");
    EXPECT_EQ(to_string(request.body), "hello, world!!!");
    ASSERT_EQ(request.headers.all().size(), 4u) << "trailers are no headers";
    EXPECT_EQ(request.headers.all()[3].second, "2");
  }
}

TEST(RequestParserTest, ReadsAnEmptyChunkedBodyThatTrickles) {
  // An assertion of Beast's once ended the process here.
  const std::string text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    HttpRequest request;
    EXPECT_EQ(read_in_steps(text, step, request), 0) << step;
  }
}

TEST(RequestParserTest, NeedsTheWholeMessage) {
  const std::string text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  HttpRequest request;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(read_in_steps(std::string_view(text).substr(0, size), 7, request), -1) << size;
  }
  EXPECT_EQ(read_in_steps(text, 7, request), 0);
}

TEST(RequestParserTest, TakesABodyUpToItsLimitAndNotOneOctetMore) {
  const auto with_length = [](std::size_t size) {
    return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'x');
  };
  const auto in_chunks = [](std::size_t size) {
    std::string text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t i = 0; i < size; ++i) text += "1\r\nx\r\n";
    return text + "0\r\n\r\n";
  };
  HttpRequest request;
  EXPECT_EQ(read_in_steps(with_length(1000), 100, request), 0);
  EXPECT_EQ(read_in_steps(with_length(1001), 100, request), 413);
  EXPECT_EQ(read_in_steps(in_chunks(1000), 100, request), 0);
  EXPECT_EQ(request.body.size(), 1000u);
  EXPECT_EQ(read_in_steps(in_chunks(1001), 100, request), 413);
}

TEST(ResponseParserTest, KnowsWhenTheEndOfTheConnectionEndsTheBody) {
  const auto take = [](std::string_view header, std::string_view body) {
    ResponseParser parser(false, 1000);
    EXPECT_FALSE(parser.take_header(as_bytes(header)).has_value());
    auto unread = as_bytes(body);
    EXPECT_FALSE(parser.take_body(unread).has_value());
    return parser.take_end().has_value() ? std::string("cut") : to_string(parser.response().body);
  };
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\n\r\n", "all of it"), "all of it");
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "not all"), "cut");
  EXPECT_EQ(take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n"), "cut");
}

}  // namespace
}  // namespace cahn::net
