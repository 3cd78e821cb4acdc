#include "net/route_table.h"

#include <algorithm>
#include <optional>
#include <set>

namespace cahn::net {
namespace {

struct Segment {
  std::string text;  // literal, or the parameter's name
  bool parameter = false;
};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986 2.1; nullopt for a broken escape and for what no honest path holds.
std::optional<std::string> decode_segment(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (i + 2 >= raw.size()) return std::nullopt;
      const int high = hex_value(raw[i + 1]);
      const int low = hex_value(raw[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out.push_back(c);
  }
  if (out.empty() || out == "." || out == "..") return std::nullopt;
  return out;
}

// The segments of "/a/b"; none for "/".
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(1);
  if (path.empty()) return segments;
  for (;;) {
    const auto slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

struct Router::Route {
  std::string method;
  std::vector<Segment> segments;
  Handler handler;
  std::size_t max_body;

  bool matches(const std::vector<std::string>& path) const {
    return path.size() == segments.size() &&
           std::ranges::equal(segments, path, [](const Segment& segment, const std::string& text) {
             return segment.parameter || segment.text == text;
           });
  }
  // Of two routes that match, the one that is literal where the other is not, from the left.
  bool more_literal_than(const Route& other) const {
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (segments[i].parameter != other.segments[i].parameter) return other.segments[i].parameter;
    }
    return false;
  }
};

void Router::on(std::string method, std::string pattern, Handler handler, std::size_t max_body) {
  auto route = std::make_shared<Route>();
  route->method = std::move(method);
  route->handler = std::move(handler);
  route->max_body = max_body;
  if (pattern.empty() || pattern.front() != '/') pattern.insert(0, "/");
  for (const auto segment : split(pattern)) {
    const bool parameter = segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
    route->segments.push_back({std::string(parameter ? segment.substr(1, segment.size() - 2) : segment), parameter});
  }
  routes_.push_back(std::move(route));
}

RouteTable::RouteTable(const Router& router) : routes_(router.routes_) {}

RouteTable::Match RouteTable::find(std::string_view method, std::string_view path) const {
  Match match;
  if (!path.starts_with('/')) return match;
  std::vector<std::string> segments;
  for (const auto raw : split(path)) {
    auto decoded = decode_segment(raw);
    if (!decoded) return match;
    segments.push_back(*std::move(decoded));
  }
  const Router::Route* best = nullptr;
  const Router::Route* best_get = nullptr;
  std::set<std::string> allowed;
  for (const auto& route : routes_) {
    if (!route->matches(segments)) continue;
    allowed.insert(route->method);
    if (route->method == "GET") allowed.insert("HEAD");
    if (route->method == method && (best == nullptr || route->more_literal_than(*best))) best = route.get();
    if (route->method == "GET" && (best_get == nullptr || route->more_literal_than(*best_get))) best_get = route.get();
  }
  if (best == nullptr && method == "HEAD") best = best_get;
  if (best == nullptr) {
    for (const auto& one : allowed) match.allow += (match.allow.empty() ? "" : ", ") + one;
    return match;
  }
  match.handler = &best->handler;
  match.max_body = best->max_body;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (best->segments[i].parameter) match.parameters[best->segments[i].text] = std::move(segments[i]);
  }
  return match;
}

}  // namespace cahn::net
