#include "cascade/claim_service.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace cahn::cascade {
namespace {

using net::HttpRequest;
using net::HttpResponse;
using nlohmann::json;

constexpr std::size_t default_page = 100, max_page = 1000;
// The node's own bound on a claim is the one that matters; this one only keeps the connection from reading on.
constexpr std::size_t max_body = std::size_t{512} << 10;
constexpr std::array media_types{"application/vc", "application/vc+ld+json", "application/ld+json", "application/json"};

HttpResponse problem(int status, std::string_view code, std::string_view message) {
  const json body{{"error", code}, {"message", message}};
  return HttpResponse::json(status, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

HttpResponse problem(const Error& error) {
  int status = 500;
  if (error.code == ClaimError::malformed) status = 400;
  if (error.code == ClaimError::too_large) status = 413;
  if (error.code == ClaimError::unknown) status = 404;
  if (error.code == ClaimError::overloaded) status = 429;
  if (error.code == ClaimError::unavailable) status = 503;
  auto response = problem(status, error.code.name(), error.message);
  if (status == 429 || status == 503) response.headers.set("Retry-After", "1");
  return response;
}

std::string_view name_of(ClaimState state) {
  switch (state) {
    case ClaimState::received:
      return "received";
    case ClaimState::accepted:
      return "accepted";
    case ClaimState::refused:
      return "refused";
  }
  return "received";
}

json to_json(const ClaimStatus& claim) {
  json body{{"id", claim.id},
            {"position", claim.position},
            {"receivedAt", rfc3339(claim.received_at, true)},
            {"state", name_of(claim.state)},
            {"counts", claim.counts},
            {"relation", claim.relation},
            {"notation", claim.notation},
            {"issuer", claim.issuer}};
  if (!claim.reason.empty()) body["reason"] = claim.reason;
  if (!claim.person.empty()) body["person"] = claim.person;
  return body;
}

std::string to_text(const json& body) { return body.dump(-1, ' ', false, json::error_handler_t::replace); }

net::awaitable<HttpResponse> post_claim(ClaimNode& node, HttpRequest request) {
  const auto type = net::media_type(request.headers.get("Content-Type").value_or(""));
  if (std::ranges::find(media_types, type) == media_types.end()) {
    auto refusal = problem(415, "unsupported_media_type", "a claim is sent as application/vc");
    refusal.headers.set("Accept-Post", "application/vc");
    co_return refusal;
  }
  auto receipt = co_await node.submit(std::move(request.body));
  if (!receipt) co_return problem(receipt.error());
  const json body{{"id", receipt->id}, {"position", receipt->position}};
  auto response = HttpResponse::json(receipt->known_already ? 200 : 202, to_text(body));
  response.headers.set("Location", "/claims/" + receipt->id);
  co_return response;
}

// The number after `name=` in a query; nothing when there is none, an error when it is no number.
Result<std::optional<std::uint64_t>> number_in(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!pair.starts_with(name) || pair.substr(name.size(), 1) != "=") continue;
    const auto digits = pair.substr(name.size() + 1);
    std::uint64_t value = 0;
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || rest != digits.data() + digits.size()) {
      return fail(ClaimError::malformed, std::string(name) + " is not a number");
    }
    return value;
  }
  return std::nullopt;
}

HttpResponse list_claims(const ClaimNode& node, const HttpRequest& request) {
  const auto after = number_in(request.query, "after");
  if (!after) return problem(after.error());
  const auto limit = number_in(request.query, "limit");
  if (!limit) return problem(limit.error());
  const auto page =
      node.list(after->value_or(0), std::clamp<std::uint64_t>(limit->value_or(default_page), 1, max_page));
  json claims = json::array();
  for (const auto& claim : page) claims.push_back(to_json(claim));
  json body{{"claims", std::move(claims)}};
  if (!page.empty()) body["last"] = page.back().position;  // `after` of the next page
  return HttpResponse::json(200, to_text(body));
}

}  // namespace

void add_claim_routes(net::Router& router, ClaimNode& node) {
  router.on(
      "POST", "/claims",
      [&node](HttpRequest request, const net::Session&) { return post_claim(node, std::move(request)); }, max_body);
  router.on("GET", "/claims/{id}", [&node](HttpRequest request, const net::Session&) -> net::awaitable<HttpResponse> {
    const auto status = node.status(request.parameters["id"]);
    if (!status) co_return problem(status.error());
    co_return HttpResponse::json(200, to_text(to_json(*status)));
  });
  router.on("GET", "/claims", [&node](HttpRequest request, const net::Session&) -> net::awaitable<HttpResponse> {
    co_return list_claims(node, request);
  });
}

}  // namespace cahn::cascade
