// Endpoints, URLs, header fields: text from outside becomes a value or is refused.

#include <gtest/gtest.h>

#include "net/http.h"

namespace cahn::net {
namespace {

TEST(EndpointTest, ReadsNamesAndAddresses) {
  const auto reads_as = [](std::string_view text, const std::string& host, std::uint16_t port,
                           const std::string& authority) {
    const auto endpoint = parse_endpoint(text, 443);
    ASSERT_TRUE(endpoint.has_value()) << text << ": " << endpoint.error().message;
    EXPECT_EQ(endpoint->host, host) << text;
    EXPECT_EQ(endpoint->port, port) << text;
    EXPECT_EQ(endpoint->authority(), authority) << text;
  };
  reads_as("registrar.example", "registrar.example", 443, "registrar.example:443");
  reads_as("registrar.example:8443", "registrar.example", 8443, "registrar.example:8443");
  reads_as("printer-7.local.", "printer-7.local.", 443, "printer-7.local.:443");
  reads_as("192.0.2.7:1", "192.0.2.7", 1, "192.0.2.7:1");
  reads_as("[2001:db8::1]:8443", "2001:db8::1", 8443, "[2001:db8::1]:8443");
  reads_as("2001:db8::1", "2001:db8::1", 443, "[2001:db8::1]:443");
  reads_as("fe80::1%eth0", "fe80::1%eth0", 443, "[fe80::1]:443");
  reads_as("[fe80::1%25eth0]:8443", "fe80::1%eth0", 8443, "[fe80::1]:8443");
  reads_as("[fe80::1%eth0]", "fe80::1%eth0", 443, "[fe80::1]:443");
}

TEST(EndpointTest, RefusesWhatIsNeither) {
  for (const auto* text : {"",          ":",        ":443",       "host:",         "host:0",      "host:65536",
                           "host:+1",   "host:1 ",  "host:443:1", "a b",           "-a",          "a-",
                           "a..b",      ".a",       "host/path",  "user@host",     "1.2.3",       "1.2.3.4.5",
                           "256.1.1.1", "0x7f.1",   "127.1",      "[::1",          "::1]",        "[::1]x",
                           "[1.2.3.4]", "[host]:1", "[fe80::1%]", "[fe80::1%a/b]", "h\xc3\xb6st", "%61",
                           "a\nb"}) {
    EXPECT_FALSE(parse_endpoint(text, 443).has_value()) << text;
  }
  EXPECT_FALSE(parse_endpoint(std::string(254, 'a'), 443).has_value());
  EXPECT_FALSE(parse_endpoint(std::string(64, 'a') + ".example", 443).has_value());
  EXPECT_FALSE(parse_endpoint(std::string_view("a\0b", 3), 443).has_value());
  EXPECT_FALSE(parse_endpoint(std::string_view("::1\0x", 5), 443).has_value());
  EXPECT_FALSE(parse_endpoint(std::string_view("192.0.2.1\0x", 11), 443).has_value());
  EXPECT_FALSE(parse_endpoint("host", 0).has_value()) << "a port must come from somewhere";
}

TEST(UrlTest, ReadsHttpUrls) {
  const auto url = parse_url("HTTPS://masa.example:9443/.well-known/brski?x=1&y=/?#fragment");
  ASSERT_TRUE(url.has_value());
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->endpoint.host, "masa.example");
  EXPECT_EQ(url->endpoint.port, 9443);
  EXPECT_EQ(url->path, "/.well-known/brski");
  EXPECT_EQ(url->query, "x=1&y=/?");
  EXPECT_EQ(parse_url("http://a").value().endpoint.port, 80);
  EXPECT_EQ(parse_url("http://a").value().path, "/");
  EXPECT_EQ(parse_url("https://a?q").value().query, "q");
  EXPECT_EQ(parse_url("https://[::1]:1/x").value().endpoint.host, "::1");
}

TEST(UrlTest, RefusesOtherThings) {
  for (const auto* text : {"", "masa.example", "//masa.example/", "ftp://a/", "https:/a", "https://", "https:///x",
                           "https://user@a/", "https://a:b@c/", "https://a b/", "https://a/x y", "https://a\\b/",
                           "https://::1/", "https://a/\r\nX: y", "javascript:alert(1)", "file:///etc/passwd"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_url("https://a/" + std::string(10000, 'x')).has_value());
}

TEST(MediaTypeTest, KeepsTheTypeAlone) {
  EXPECT_EQ(media_type("application/pkcs7-mime; smime-type=certs-only"), "application/pkcs7-mime");
  EXPECT_EQ(media_type("  Application/JSON\t"), "application/json");
  EXPECT_EQ(media_type(""), "");
  EXPECT_EQ(media_type(" ; x"), "");
}

TEST(HeadersTest, AreFoundWithoutCaseAndKeptInOrder) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("accept", "b");
  EXPECT_EQ(headers.get("ACCEPT"), "a");
  EXPECT_EQ(headers.all().size(), 2u);
  headers.set("aCCept", "c");
  EXPECT_EQ(headers.all().size(), 1u);
  EXPECT_EQ(headers.get("Accept"), "c");
  EXPECT_EQ(headers.get("Other"), std::nullopt);
}

}  // namespace
}  // namespace cahn::net
