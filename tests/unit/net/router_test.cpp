#include <gtest/gtest.h>

#include "net/route_table.h"

namespace cahn::net {
namespace {

Handler nothing() {
  return [](HttpRequest, const Session&) -> awaitable<HttpResponse> { co_return HttpResponse(); };
}

// Routes are told apart by their body limit.
TEST(RouterTest, PrefersTheMostLiteralMatch) {
  Router router;
  router.on("GET", "/a/{x}/{y}", nothing(), 1);
  router.on("GET", "/a/{x}/c", nothing(), 2);
  router.on("GET", "/a/b/{y}", nothing(), 3);
  router.on("GET", "/a/b/c", nothing(), 4);
  router.on("GET", "/", nothing(), 5);
  const RouteTable table(router);
  EXPECT_EQ(table.find("GET", "/a/1/2").max_body, 1u);
  EXPECT_EQ(table.find("GET", "/a/1/c").max_body, 2u);
  EXPECT_EQ(table.find("GET", "/a/b/2").max_body, 3u);
  EXPECT_EQ(table.find("GET", "/a/b/c").max_body, 4u);
  EXPECT_EQ(table.find("GET", "/a/%62/c").max_body, 4u) << "an escape is the letter it stands for";
  EXPECT_EQ(table.find("GET", "/").max_body, 5u);
}

TEST(RouterTest, DecodesParameters) {
  Router router;
  router.on("GET", "/who/{did}/is/{what}", nothing());
  const auto match = RouteTable(router).find("GET", "/who/did%3Aweb%3Aa%2Fb/is/x%20y");
  ASSERT_NE(match.handler, nullptr);
  EXPECT_EQ(match.parameters.at("did"), "did:web:a/b");
  EXPECT_EQ(match.parameters.at("what"), "x y");
}

TEST(RouterTest, TellsAnUnknownPathFromAnUnknownMethod) {
  Router router;
  router.on("GET", "/a/{x}", nothing());
  router.on("PUT", "/a/b", nothing());
  router.on("POST", "/only/post", nothing());
  const RouteTable table(router);
  EXPECT_NE(table.find("GET", "/a/b").handler, nullptr) << "the literal path has no GET, the pattern has";
  EXPECT_NE(table.find("HEAD", "/a/b").handler, nullptr);
  EXPECT_EQ(table.find("DELETE", "/a/b").handler, nullptr);
  EXPECT_EQ(table.find("DELETE", "/a/b").allow, "GET, HEAD, PUT");
  EXPECT_EQ(table.find("HEAD", "/only/post").allow, "POST");
  EXPECT_EQ(table.find("GET", "/nowhere").allow, "");
  EXPECT_EQ(table.find("OPTIONS", "*").allow, "");
}

}  // namespace
}  // namespace cahn::net
