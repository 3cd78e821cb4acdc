// The server's reader, from octets to a routed request. However the octets are cut by the network, the result is the
// same; two readings of one message are how requests are smuggled.

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "net/http_parser.h"
#include "net/inbox.h"
#include "net/route_table.h"

namespace {

using namespace cahn;
using namespace cahn::net;

constexpr std::size_t max_header = 4096;
constexpr std::size_t max_body = 1000;

struct Outcome {
  int status = 0;  // of a fault; 0 read whole; -1 more is needed
  std::string method, path, query;
  Bytes body;
  std::size_t used = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read(ByteView octets, std::size_t step) {
  Outcome outcome;
  Inbox inbox;
  std::size_t shown = 0;
  const auto more = [&] {
    const auto piece = octets.subspan(shown, std::min(step, octets.size() - shown));
    const auto room = inbox.room();
    std::copy(piece.begin(), piece.end(), room.begin());
    inbox.add(piece.size());
    shown += piece.size();
    return !piece.empty();
  };
  std::size_t searched = 0;
  std::optional<std::size_t> length;
  for (;;) {
    length = header_length(inbox.view(), searched);
    if (length && *length <= max_header) break;
    if (length || inbox.view().size() > max_header) return {.status = 431};
    if (!more()) return {.status = -1};
  }
  RequestParser parser;
  if (const auto fault = parser.take_header(inbox.view().first(*length))) return {.status = fault->status};
  inbox.consume(*length);
  parser.limit_body(max_body);
  while (!parser.done()) {
    auto unread = inbox.view();
    const auto before = unread.size();
    const auto fault = parser.take_body(unread);
    if (fault) return {.status = fault->status};
    inbox.consume(before - unread.size());
    if (!parser.done() && !more()) return {.status = -1};
  }
  auto& request = parser.request();
  if (request.body.size() > max_body) std::abort();
  return {0, request.method, request.path, request.query, request.body, shown - inbox.view().size()};
}

Router routes() {
  const Handler nothing = [](HttpRequest, const Session&) -> awaitable<HttpResponse> { co_return HttpResponse(); };
  Router router;
  router.on("GET", "/claims/{id}", nothing);
  router.on("POST", "/.well-known/brski/requestvoucher", nothing);
  router.on("GET", "/a/{b}/c/{d}", nothing);
  return router;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const RouteTable table(routes());
  const ByteView octets(data, size);
  const auto whole = read(octets, 1 << 20);
  for (const std::size_t step : {1, 7, 100}) {
    const auto cut = read(octets, step);
    // Of a message that ends too early one reader may still wait where the other already knows that it is broken.
    const bool neither_took_it = cut.status != 0 && whole.status != 0;
    const bool one_waits = cut.status == -1 || whole.status == -1;
    if (!(cut == whole) && !(neither_took_it && one_waits)) std::abort();
  }
  if (whole.status != 0) return 0;
  const auto match = table.find(whole.method, whole.path);
  for (const auto& [name, value] : match.parameters) {
    if (value.empty() || value == ".." || value.find('\0') != std::string::npos) std::abort();
  }
  return 0;
}
