// Endpoints, URLs and media types from outside. What is accepted must survive being written and read again.

#include <cstdlib>

#include "net/http.h"

namespace {

using namespace cahn::net;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_endpoint(const Endpoint& endpoint) {
  check(!endpoint.host.empty() && endpoint.port != 0);
  check(endpoint.host.find_first_of("/@\\ \r\n\t") == std::string::npos);
  const auto again = parse_endpoint(endpoint.authority(), 1);
  check(again.has_value());
  check(again->authority() == endpoint.authority());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = cahn::as_text({data, size});
  if (const auto endpoint = parse_endpoint(text, 443)) check_endpoint(*endpoint);
  if (const auto url = parse_url(text)) {
    check_endpoint(url->endpoint);
    check(url->path.starts_with('/'));
    check(url->path.find_first_of("?# \r\n") == std::string::npos);
    auto written = (url->tls ? "https://" : "http://") + url->endpoint.authority() + url->path;
    if (!url->query.empty()) written += "?" + url->query;
    if (written.size() < 8000) {
      const auto again = parse_url(written);
      check(again && again->path == url->path && again->query == url->query);
    }
  }
  const auto type = media_type(text);
  check(media_type(type) == type);
  return 0;
}
