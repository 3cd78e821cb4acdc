#include "net/http_writer.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "base/ascii.h"
#include "base/log.h"
#include "base/time.h"

namespace cahn::net {
namespace {

bool is_framing(std::string_view name) {
  static constexpr std::array<std::string_view, 5> ours = {"content-length", "transfer-encoding", "connection",
                                                           "keep-alive", "date"};
  return std::ranges::any_of(ours, [&](std::string_view one) { return ascii::equal_without_case(one, name); });
}

// RFC 9110 5.6.7, made anew once a second and thread.
std::string_view http_date() {
  thread_local std::time_t made_for = -1;
  thread_local std::array<char, 40> text{};
  const auto now = std::chrono::floor<std::chrono::seconds>(system_clock().now());
  if (const std::time_t seconds = now.time_since_epoch().count(); seconds != made_for) {
    static constexpr std::array days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                  days.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                  months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                  utc.tm_sec);
    made_for = seconds;
  }
  return text.data();
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool is_token(std::string_view text) {
  static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return ascii::is_alphanumeric(c) || marks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

std::string_view reason_phrase(int status) {
  const auto phrase =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  return {phrase.data(), phrase.size()};
}

std::string response_header(const HttpResponse& response, const ResponseFraming& framing) {
  const bool bodiless = response.status == 204 || response.status == 304;
  std::string out;
  out.reserve(256);
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(reason_phrase(response.status)).append("\r\n");
  append_field(out, "Date", http_date());
  for (const auto& [name, value] : response.headers.all()) {
    if (is_framing(name)) continue;
    if (!is_token(name) || !is_field_value(value)) {
      log::error("NET_BAD_RESPONSE_FIELD", "a handler gave a header field that cannot be sent", {{"name", name}});
      continue;
    }
    append_field(out, name, value);
  }
  if (!bodiless) append_field(out, "Content-Length", std::to_string(response.body.size()));
  if (framing.close) append_field(out, "Connection", "close");
  if (!framing.close && framing.say_keep_alive) append_field(out, "Connection", "keep-alive");
  out.append("\r\n");
  return out;
}

Result<std::string> request_header(const HttpRequest& request, const Endpoint& endpoint) {
  const auto is_target = [](std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  };
  if (!is_token(request.method)) return fail(NetError::malformed, "the method is not a token");
  if (!request.path.starts_with('/') || request.path.find('?') != std::string::npos || !is_target(request.path) ||
      !is_target(request.query)) {
    return fail(NetError::malformed, "the path or query has characters that cannot be sent");
  }
  std::string out;
  out.reserve(256);
  out.append(request.method).append(" ").append(request.path);
  if (!request.query.empty()) out.append("?").append(request.query);
  out.append(" HTTP/1.1\r\n");
  append_field(out, "Host", endpoint.authority());
  for (const auto& [name, value] : request.headers.all()) {
    if (!is_token(name) || !is_field_value(value)) return fail(NetError::malformed, "a header field cannot be sent");
    if (ascii::equal_without_case(name, "host") || is_framing(name)) continue;
    append_field(out, name, value);
  }
  if (!request.headers.get("User-Agent")) append_field(out, "User-Agent", "cahn");
  const bool has_content = !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (has_content) append_field(out, "Content-Length", std::to_string(request.body.size()));
  out.append("\r\n");
  return out;
}

}  // namespace cahn::net
