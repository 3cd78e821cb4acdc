// Endpoints and URLs (RFC 3986 3.2, RFC 6874), read strictly: what is not plainly one is refused.

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "base/ascii.h"
#include "net/http.h"

namespace cahn::net {
namespace {

constexpr std::size_t max_host = 253;  // RFC 1035 2.3.4
constexpr std::size_t max_url = 8192;

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > max_host) return false;
  if (text.ends_with('.')) text.remove_suffix(1);
  std::size_t label = 0;
  char before = '.';
  for (const char c : text) {
    if (c == '.') {
      if (label == 0 || before == '-') return false;
      label = 0;
    } else if ((ascii::is_alphanumeric(c) || c == '_' || (c == '-' && label > 0)) && label < 63) {
      ++label;
    } else {
      return false;
    }
    before = c;
  }
  return label > 0 && before != '-';
}

// A name that ends in a number is an IPv4 address or nothing (WHATWG URL 3.5): "1.2.3" must never reach a resolver.
bool looks_numeric(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  const auto last = text.substr(text.rfind('.') + 1);
  return std::ranges::all_of(last, [](char c) { return ascii::is_digit(c); });
}

// The address parsers below read C strings: a NUL would hide what follows it.
bool has_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

bool is_ipv4(std::string_view text) {
  if (!has_only(text, "0123456789.")) return false;
  boost::system::error_code bad;
  boost::asio::ip::make_address_v4(std::string(text), bad);
  return !bad;
}

// An IPv6 literal, with a zone after '%' perhaps: an interface's name (RFC 4007 11).
bool is_ipv6(std::string_view text) {
  const auto percent = text.find('%');
  if (percent != std::string_view::npos) {
    const auto zone = text.substr(percent + 1);
    const bool zone_ok =
        !zone.empty() && zone.size() < 16 &&
        std::ranges::all_of(zone, [](char c) { return ascii::is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
    if (!zone_ok) return false;
  }
  const auto bare = text.substr(0, percent);
  if (bare.find(':') == std::string_view::npos || !has_only(bare, "0123456789abcdefABCDEF:.")) return false;
  boost::system::error_code bad;
  boost::asio::ip::make_address_v6(std::string(bare), bad);
  return !bad;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size() && text.size() <= 5;
  if (!whole || port == 0 || port > 65535) return fail(NetError::malformed, "the port is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::string Endpoint::authority() const {
  const auto bare = host.substr(0, host.find('%'));
  const auto text = bare.find(':') == std::string::npos ? bare : "[" + bare + "]";
  return text + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint;
  endpoint.port = default_port;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail(NetError::malformed, "an address in brackets has no end");
    auto literal = std::string(text.substr(1, close - 1));
    // In a URL the zone's percent sign is itself encoded (RFC 6874 2).
    if (const auto encoded = literal.find("%25"); encoded != std::string::npos) literal.erase(encoded + 1, 2);
    if (!is_ipv6(literal)) return fail(NetError::malformed, "what is in brackets is no IPv6 address");
    endpoint.host = std::move(literal);
    rest = text.substr(close + 1);
  } else if (is_ipv6(text)) {
    endpoint.host = text;
  } else {
    const auto colon = text.find(':');
    const auto host = text.substr(0, colon);
    if (!is_ipv4(host) && (!is_host_name(host) || looks_numeric(host))) {
      return fail(NetError::malformed, "the host is neither a name nor an address");
    }
    endpoint.host = host;
    if (colon != std::string_view::npos) rest = text.substr(colon);
  }
  if (!rest.empty()) {
    if (!rest.starts_with(':')) return fail(NetError::malformed, "something other than a port follows the host");
    CAHN_TRY(endpoint.port, parse_port(rest.substr(1)));
  }
  if (endpoint.port == 0) return fail(NetError::malformed, "the port is not a number from 1 to 65535");
  return endpoint;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > max_url) return fail(NetError::malformed, "the URL is too long");
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return fail(NetError::malformed, "the URL has no scheme");
  const std::string scheme = ascii::lowered(text.substr(0, scheme_end));
  if (scheme != "https" && scheme != "http") return fail(NetError::malformed, "only http and https URLs are taken");
  auto rest = text.substr(scheme_end + 3);
  const bool printable = std::ranges::all_of(rest, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '\\'; });
  if (!printable) return fail(NetError::malformed, "the URL has characters that no URL has");
  rest = rest.substr(0, rest.find('#'));  // a fragment is never sent
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.find('@') != std::string_view::npos) return fail(NetError::malformed, "the URL has user information");
  if (!authority.starts_with('[') && std::ranges::count(authority, ':') > 1) {
    return fail(NetError::malformed, "an IPv6 address in a URL stands in brackets");
  }
  Url url;
  url.tls = scheme == "https";
  CAHN_TRY(url.endpoint, parse_endpoint(authority, url.tls ? 443 : 80));
  rest.remove_prefix(authority.size());
  const auto mark = rest.find('?');
  url.path = rest.substr(0, mark);
  if (url.path.empty()) url.path = "/";
  if (mark != std::string_view::npos) url.query = rest.substr(mark + 1);
  return url;
}

std::optional<Result<Url>> redirection(const HttpResponse& response, const Endpoint& from) {
  static constexpr int sends_on[] = {301, 302, 303, 307, 308};
  const auto location = response.headers.get("Location");
  if (!location || std::ranges::find(sends_on, response.status) == std::end(sends_on)) return std::nullopt;
  if (!location->starts_with('/') || location->starts_with("//")) return parse_url(*location);
  auto url = parse_url("https://" + from.authority() + *location);
  if (url) url->endpoint = from;  // with its zone, which no authority has
  return url;
}

}  // namespace cahn::net
