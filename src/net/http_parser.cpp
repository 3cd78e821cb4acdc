#include "net/http_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>

namespace cahn::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::iequals;
using boost::beast::string_view;
using boost::system::error_code;

std::string_view view(string_view text) { return {text.data(), text.size()}; }

// RFC 9112 5.2: a line that begins with white space continues the one before.
bool has_folded_line(ByteView header) {
  const auto* at = header.data();
  const auto* const end = at + header.size();
  while ((at = static_cast<const std::uint8_t*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) !=
         nullptr) {
    if (++at == end) break;
    if (*at == ' ' || *at == '\t') return true;
  }
  return false;
}

// What both directions share: fields into Headers, the body into Bytes under a limit.
template <bool is_request, typename Message>
class Collector : public http::basic_parser<is_request> {
 public:
  Message message;
  std::optional<ParseFault> fault;
  std::size_t max_body = 0;
  bool http_1_0 = false;

  Collector() {
    this->eager(true);
    this->header_limit(0xffff'ffff);  // the reader bounds the header before it shows it
    this->body_limit(boost::none);    // max_body does, with its own words
  }

 protected:
  void refuse(int status, std::string what, error_code& ec) {
    fault = ParseFault{status, std::move(what)};
    ec = http::error::bad_field;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code& ec) override {
    if constexpr (is_request) {
      http_1_0 = version == 10;
      message.method = view(method);
      take_target(view(target), ec);
    }
  }

  void on_response_impl(int code, string_view, int version, error_code&) override {
    if constexpr (!is_request) {
      http_1_0 = version == 10;
      message.status = code;
    }
  }

  void on_field_impl(http::field name, string_view name_text, string_view value, error_code& ec) override {
    if (header_done_) return;  // trailers say nothing that we would believe
    if (++fields_ > max_header_fields) return refuse(431, "too many header fields", ec);
    if (name == http::field::transfer_encoding && (http_1_0 || !iequals(value, "chunked"))) {
      return refuse(is_request ? 501 : 502, "only the chunked transfer coding is understood", ec);
    }
    if (name == http::field::host) ++hosts_;
    if (name == http::field::expect) expects_continue_ = iequals(value, "100-continue");
    message.headers.add(std::string(view(name_text)), std::string(view(value)));
  }

  void on_header_impl(error_code& ec) override {
    header_done_ = true;
    if (is_request && (hosts_ > 1 || (hosts_ == 0 && !http_1_0))) refuse(400, "one Host field is needed", ec);
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override {
    if (length && *length > max_body) return refuse(413, "the body is too large", ec);
    // A promise of octets costs its maker nothing: room is made as they come, but for small bodies.
    if (length) message.body.reserve(std::min<std::uint64_t>(*length, std::size_t{64} << 10));
  }

  std::size_t on_body_impl(string_view body, error_code& ec) override { return append(body, ec); }
  void on_chunk_header_impl(std::uint64_t size, string_view, error_code& ec) override {
    if (size > max_body - message.body.size()) refuse(413, "the body is too large", ec);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override { return append(body, ec); }
  void on_finish_impl(error_code&) override {}

  bool expects_continue_ = false;

 private:
  std::size_t append(string_view body, error_code& ec) {
    if (body.size() > max_body - message.body.size()) {
      refuse(413, "the body is too large", ec);
      return 0;
    }
    message.body.insert(message.body.end(), body.begin(), body.end());
    return body.size();
  }

  // RFC 9112 3.2: origin-form, absolute-form (its authority adds nothing here), and "*" for OPTIONS.
  void take_target(std::string_view target, error_code& ec) {
    if (!target.starts_with('/')) {
      const auto scheme_end = target.find("://");
      const auto scheme = target.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
      const bool absolute = iequals(string_view(scheme.data(), scheme.size()), "https") ||
                            iequals(string_view(scheme.data(), scheme.size()), "http");
      if (absolute) {
        target.remove_prefix(scheme_end + 3);
        target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
      } else if (target != "*" || message.method != "OPTIONS") {
        return refuse(400, "the request target is neither a path nor an http URL", ec);
      }
    }
    const auto mark = target.find('?');
    message.path = target.substr(0, mark);
    if (message.path.empty()) message.path = "/";
    if (mark != std::string_view::npos) message.query = target.substr(mark + 1);
  }

  std::size_t fields_ = 0;
  unsigned hosts_ = 0;
  bool header_done_ = false;
};

template <typename Parser>
std::optional<ParseFault> judge(Parser& parser, const error_code& ec) {
  if (parser.fault) return parser.fault;
  if (!ec || ec == http::error::need_more) return std::nullopt;
  return ParseFault{400, ec.message()};
}

template <typename Parser>
std::optional<ParseFault> take_header(Parser& parser, ByteView header) {
  if (has_folded_line(header)) return ParseFault{400, "folded header lines are not taken"};
  error_code ec;
  parser.put(boost::asio::const_buffer(header.data(), header.size()), ec);
  if (auto fault = judge(parser, ec)) return fault;
  if (!parser.is_header_done()) return ParseFault{400, "the header is broken"};
  return std::nullopt;
}

// The shortest end of a chunked body, "0 CRLF CRLF". Beast asserts (1.81, parse_chunk_header) that it is shown no less
// of a last chunk whose beginning it has seen; as at least this much is still to come until the message is done,
// waiting for it loses nothing.
constexpr std::size_t last_chunk = 5;

template <typename Parser>
std::optional<ParseFault> take_body(Parser& parser, ByteView& data) {
  while (!data.empty() && !parser.is_done()) {
    if (parser.chunked() && data.size() < last_chunk) break;
    error_code ec;
    const auto used = parser.put(boost::asio::const_buffer(data.data(), data.size()), ec);
    data = data.subspan(used);
    if (auto fault = judge(parser, ec)) return fault;
    if (ec == http::error::need_more) break;
  }
  return std::nullopt;
}

class RequestCollector : public Collector<true, HttpRequest> {
 public:
  bool expects_continue() const { return expects_continue_ && !http_1_0; }
};
using ResponseCollector = Collector<false, HttpResponse>;

}  // namespace

std::optional<std::size_t> header_length(ByteView data, std::size_t& searched) {
  static constexpr std::string_view blank_line = "\r\n\r\n";
  const auto found = as_text(data).find(blank_line, searched);
  if (found != std::string_view::npos) return found + blank_line.size();
  searched = data.size() < blank_line.size() ? 0 : data.size() - (blank_line.size() - 1);
  return std::nullopt;
}

struct RequestParser::Impl : RequestCollector {};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;
std::optional<ParseFault> RequestParser::take_header(ByteView header) { return net::take_header(*impl_, header); }
std::optional<ParseFault> RequestParser::take_body(ByteView& data) { return net::take_body(*impl_, data); }
bool RequestParser::done() const { return impl_->is_done(); }
HttpRequest& RequestParser::request() { return impl_->message; }
void RequestParser::limit_body(std::size_t size) { impl_->max_body = size; }
std::optional<std::uint64_t> RequestParser::content_length() const {
  const auto length = impl_->content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}
bool RequestParser::expects_continue() const { return impl_->expects_continue(); }
bool RequestParser::keep_alive() const { return impl_->keep_alive(); }
bool RequestParser::is_http_1_0() const { return impl_->http_1_0; }

struct ResponseParser::Impl : ResponseCollector {};

ResponseParser::ResponseParser(bool without_body, std::size_t max_body) : impl_(std::make_unique<Impl>()) {
  impl_->skip(without_body);
  impl_->max_body = max_body;
}
ResponseParser::~ResponseParser() = default;
std::optional<ParseFault> ResponseParser::take_header(ByteView header) {
  if (auto fault = net::take_header(*impl_, header)) return fault;
  const auto length = impl_->content_length();
  if (!impl_->is_done() && length && *length > impl_->max_body) return ParseFault{413, "the body is too large"};
  return std::nullopt;
}
std::optional<ParseFault> ResponseParser::take_body(ByteView& data) { return net::take_body(*impl_, data); }
std::optional<ParseFault> ResponseParser::take_end() {
  error_code ec;
  if (!impl_->is_header_done()) return ParseFault{400, "the connection ended within the header"};
  impl_->put_eof(ec);
  if (ec) return ParseFault{400, "the connection ended within the body"};
  return std::nullopt;
}
bool ResponseParser::done() const { return impl_->is_done(); }
HttpResponse& ResponseParser::response() { return impl_->message; }
bool ResponseParser::keep_alive() const { return impl_->keep_alive(); }

}  // namespace cahn::net
