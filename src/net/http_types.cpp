#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "net/http.h"

namespace cahn::net {

std::string_view error_name(NetError error) {
  switch (error) {
    case NetError::refused:
      return "refused";
    case NetError::unreachable:
      return "unreachable";
    case NetError::timeout:
      return "timeout";
    case NetError::tls:
      return "tls";
    case NetError::peer_closed:
      return "peer_closed";
    case NetError::malformed:
      return "malformed";
    case NetError::too_large:
      return "too_large";
    case NetError::address_in_use:
      return "address_in_use";
    case NetError::stopped:
      return "stopped";
  }
  return "unknown";
}

void Headers::set(std::string name, std::string value) {
  std::erase_if(fields_, [&](const auto& field) { return ascii::equal_without_case(field.first, name); });
  fields_.emplace_back(std::move(name), std::move(value));
}

std::optional<std::string> Headers::get(std::string_view name) const {
  for (const auto& [one, value] : fields_) {
    if (ascii::equal_without_case(one, name)) return value;
  }
  return std::nullopt;
}

std::string media_type(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  const auto first = type.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  type = type.substr(first, type.find_last_not_of(" \t") - first + 1);
  return ascii::lowered(type);
}

HttpResponse HttpResponse::of(int status, std::string_view content_type, ByteView body) {
  HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", std::string(content_type));
  response.body = to_bytes(body);
  return response;
}

std::optional<std::chrono::seconds> retry_after(const HttpResponse& response) {
  const std::string text = response.headers.get("Retry-After").value_or("");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

HttpResponse HttpResponse::text(int status, std::string_view body) {
  return of(status, "text/plain; charset=utf-8", as_bytes(body));
}

HttpResponse HttpResponse::json(int status, std::string_view body) {
  return of(status, "application/json", as_bytes(body));
}

}  // namespace cahn::net
