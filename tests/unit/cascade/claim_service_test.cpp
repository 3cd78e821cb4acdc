// The claim node over HTTP, as a browser or `cahn vc submit` meets it.

#include "cascade/claim_service.h"

#include <gtest/gtest.h>

#include "tests/unit/cascade/node_world.h"

namespace cahn::cascade {
namespace {

using nlohmann::json;
using test::did_of;

class ClaimService : public test::NodeWorld {
 protected:
  ClaimService() {
    net::Router router;
    add_claim_routes(router, *node_);
    net::ServerOptions options;
    options.name = "claims";
    options.address = "127.0.0.1";
    auto server = net::HttpServer::start(runtime_.executor(), options, router);
    EXPECT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
  }
  ~ClaimService() override {
    net::run_blocking<void>(runtime_, [this] { return server_->stop(); });
  }

  net::HttpResponse send(net::HttpRequest request) {
    const auto answer =
        net::run_blocking<Result<net::HttpResponse>>(runtime_, [this, request] { return exchange(request); });
    EXPECT_TRUE(answer) << answer.error().message;
    return answer.value_or(net::HttpResponse{});
  }
  net::awaitable<Result<net::HttpResponse>> exchange(net::HttpRequest request) {
    net::Endpoint endpoint{"127.0.0.1", server_->port()};
    auto connection = co_await net::HttpConnection::open(endpoint, nullptr);
    if (!connection) co_return std::unexpected(connection.error());
    co_return co_await (*connection)->send(std::move(request));
  }
  net::HttpResponse post_as(std::string_view type, Bytes body) {
    net::HttpRequest request;
    request.method = "POST";
    request.path = "/claims";
    if (!type.empty()) request.headers.set("Content-Type", std::string(type));
    request.body = std::move(body);
    return send(std::move(request));
  }
  net::HttpResponse get(std::string path, std::string query = {}) {
    net::HttpRequest request;
    request.path = std::move(path);
    request.query = std::move(query);
    return send(std::move(request));
  }
  static json body_of(const net::HttpResponse& response) { return json::parse(response.body, nullptr, false); }
  Bytes a_claim(std::string_view about = "maker") { return credential("ann", "Trust", {ann, did_of(about)}); }

  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(ClaimService, AnswersAClaimWith202AndWhereItsFateCanBeRead) {
  bind_people();
  const auto posted = post_as("application/vc", a_claim());
  ASSERT_EQ(posted.status, 202);
  const auto id = body_of(posted)["id"].get<std::string>();
  EXPECT_EQ(posted.headers.get("Location"), "/claims/" + id);
  folded(body_of(posted)["position"].get<store::Position>());
  const auto told = get("/claims/" + id);
  ASSERT_EQ(told.status, 200);
  const auto claim = body_of(told);
  EXPECT_EQ(claim["id"], id);
  EXPECT_EQ(claim["state"], "accepted");
  EXPECT_EQ(claim["counts"], true);
  EXPECT_EQ(claim["relation"], "Trust");
  EXPECT_EQ(claim["issuer"], did_of("ann"));
  EXPECT_EQ(claim["person"], ann);
  EXPECT_EQ(claim["position"], 3);
  EXPECT_EQ(claim["receivedAt"], rfc3339(morning, true));
  EXPECT_TRUE(claim["notation"].get<std::string>().starts_with("Trust(") ||
              claim["notation"].get<std::string>().starts_with("{Trust("));
  EXPECT_FALSE(claim.contains("reason"));
}

TEST_F(ClaimService, AnswersAClaimItHasWith200) {
  const auto bytes = a_claim();
  EXPECT_EQ(post_as("application/vc", bytes).status, 202);
  const auto again = post_as("application/vc", bytes);
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.headers.get("Location").has_value());
}

TEST_F(ClaimService, TakesTheMediaTypesACredentialMayHaveAndNoOther) {
  int i = 0;
  for (const auto* type :
       {"application/vc", "application/vc+ld+json", "application/ld+json; profile=x", "application/JSON"}) {
    EXPECT_EQ(post_as(type, a_claim("maker" + std::to_string(i++))).status, 202) << type;
  }
  for (const auto* type : {"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"}) {
    EXPECT_EQ(post_as(type, a_claim()).status, 415) << type;
  }
}

TEST_F(ClaimService, TellsWhyAClaimWasRefused) {
  const auto posted = post_as("application/vc", a_claim());
  const auto id = body_of(posted)["id"].get<std::string>();
  folded(1);
  const auto claim = body_of(get("/claims/" + id));
  EXPECT_EQ(claim["state"], "refused");
  EXPECT_EQ(claim["counts"], false);
  EXPECT_TRUE(claim["reason"].get<std::string>().starts_with("unknown issuer"));
}

TEST_F(ClaimService, RefusesWhatIsNoCredentialWithASentence) {
  const auto refused = post_as("application/vc", to_bytes("{\"not\": \"a credential\"}"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(body_of(refused)["error"], "malformed");
  EXPECT_FALSE(body_of(refused)["message"].get<std::string>().empty());
  EXPECT_EQ(store_->last_position(), 0U);
}

TEST_F(ClaimService, RefusesWhatIsTooLarge) {
  EXPECT_EQ(post_as("application/vc", Bytes(options_.max_claim + 1, ' ')).status, 413);
  EXPECT_EQ(store_->last_position(), 0U);
  EXPECT_EQ(post_as("application/vc", a_claim()).status, 202) << "and the next honest claim is taken";
}

TEST_F(ClaimService, DoesNotKnowWhatItDoesNotKnow) {
  EXPECT_EQ(get("/claims/" + std::string(64, 'a')).status, 404);
  EXPECT_EQ(get("/claims/%00%0a").status, 404);
}

TEST_F(ClaimService, ListsClaimsInPagesOldestFirst) {
  for (const auto* maker : {"a", "b", "c"}) post(a_claim(maker));
  const auto first = body_of(get("/claims", "limit=2"));
  ASSERT_EQ(first["claims"].size(), 2U);
  EXPECT_EQ(first["claims"][0]["position"], 1);
  EXPECT_EQ(first["last"], 2);
  const auto second = body_of(get("/claims", "limit=2&after=2"));
  ASSERT_EQ(second["claims"].size(), 1U);
  EXPECT_EQ(second["claims"][0]["position"], 3);
  EXPECT_EQ(body_of(get("/claims", "after=3"))["claims"].size(), 0U);
}

TEST_F(ClaimService, RefusesAPageThatIsNoNumber) {
  for (const auto* query : {"after=x", "limit=-1", "limit=", "after=99999999999999999999", "limit=1e3"}) {
    EXPECT_EQ(get("/claims", query).status, 400) << query;
  }
  EXPECT_EQ(get("/claims", "limit=1000000").status, 200) << "more than a page is a page";
}

}  // namespace
}  // namespace cahn::cascade
