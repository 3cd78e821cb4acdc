// The EST client before servers that are wrong or hostile.

#include "pki/est_client.h"

#include <algorithm>

#include "crypto/cms.h"
#include "tests/unit/pki/est_support.h"

namespace cahn::pki {
namespace {

using test::Chain;
using test::value_of;

// A server that answers the client whatever the test wants.
class AnEstClient : public test::EstTest {
 protected:
  template <typename T>
  Result<T> reads(net::HttpResponse answer, std::function<net::awaitable<Result<T>>(net::HttpConnection&)> task) {
    net::Router router;
    const auto handler = [answer](net::HttpRequest, const net::Session&) -> net::awaitable<net::HttpResponse> {
      return reply(answer);
    };
    for (const auto* operation : {"cacerts", "csrattrs"})
      router.on("GET", std::string("/.well-known/est/") + operation, handler);
    router.on("POST", "/.well-known/est/simpleenroll", handler);
    const auto server = value_of(
        net::HttpServer::start(runtime_.executor(), {.name = "liar", .address = "127.0.0.1"}, std::move(router)));
    const net::Endpoint endpoint{"127.0.0.1", server->port()};
    auto result = await<Result<T>>([&] { return connected<T>(endpoint, nullptr, task); });
    auto* running = server.get();
    await<void>([running]() -> net::awaitable<void> { return running->stop(); });
    return result;
  }
  static net::awaitable<net::HttpResponse> reply(net::HttpResponse answer) { co_return answer; }
  static net::HttpResponse certificates(std::string_view body) {
    return net::HttpResponse::of(200, "application/pkcs7-mime", as_bytes(body));
  }
  template <typename T>
  void refuses(net::HttpResponse answer, std::function<net::awaitable<Result<T>>(net::HttpConnection&)> task,
               PkiError code) {
    const auto result = reads<T>(answer, std::move(task));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
  }
};

TEST_F(AnEstClient, ReadsCertificatesInLinesToo) {
  std::string lines;
  for (std::string rest = base64(value_of(crypto::certs_only(ca_->ca_certificates()))); !rest.empty();
       rest.erase(0, 64)) {
    lines += rest.substr(0, 64) + "\r\n";
  }
  EXPECT_EQ(value_of(reads<Chain>(certificates(lines), est_cacerts)), Chain{ca_->certificate()});
}

TEST_F(AnEstClient, RefusesCaCertificatesThatAreNone) {
  refuses<Chain>(certificates(""), est_cacerts, PkiError::bad_answer);
  refuses<Chain>(certificates("!!!"), est_cacerts, PkiError::bad_answer);
  refuses<Chain>(certificates("AAAA"), est_cacerts, PkiError::bad_answer);
  const Chain none;
  if (const auto empty = crypto::certs_only(none)) {
    refuses<Chain>(certificates(base64(*empty)), est_cacerts, PkiError::bad_answer);
  }
  auto html = certificates(base64(value_of(crypto::certs_only(ca_->ca_certificates()))));
  html.headers.set("Content-Type", "text/html");
  refuses<Chain>(html, est_cacerts, PkiError::bad_answer);
  refuses<Chain>(net::HttpResponse::text(500, "oops"), est_cacerts, PkiError::unavailable);
}

TEST_F(AnEstClient, RefusesCsrAttributesThatAreNone) {
  using Oids = std::vector<std::string>;
  refuses<Oids>(net::HttpResponse::of(200, "application/csrattrs", as_bytes("AAAA")), est_csrattrs,
                PkiError::bad_answer);
  refuses<Oids>(net::HttpResponse::of(200, "application/csrattrs", as_bytes("%")), est_csrattrs, PkiError::bad_answer);
  refuses<Oids>(net::HttpResponse::text(503, "busy"), est_csrattrs, PkiError::unavailable);
  EXPECT_TRUE(value_of(reads<Oids>(net::HttpResponse::text(404, "none"), est_csrattrs)).empty());
}

TEST_F(AnEstClient, RefusesACertificateForAnotherKey) {
  const auto other = issue_ldevid();
  const auto csr = fresh_csr().der();
  refuses<crypto::Certificate>(
      certificates(base64(value_of(crypto::certs_only(Chain{other})))),
      [csr](net::HttpConnection& connection) { return est_enroll(connection, csr, false); }, PkiError::bad_answer);
}

TEST_F(AnEstClient, TellsLaterFromNo) {
  const auto csr = fresh_csr().der();
  const auto enrol = [csr](net::HttpConnection& connection) { return est_enroll(connection, csr, false); };
  refuses<crypto::Certificate>(net::HttpResponse::text(202, "later"), enrol, PkiError::undecided);
  refuses<crypto::Certificate>(net::HttpResponse::text(403, "no"), enrol, PkiError::server_refused);
}

TEST_F(AnEstClient, ShowsAHostileServersWordsBoundedAndOnOneLine) {
  const auto result =
      reads<Chain>(net::HttpResponse::text(400, "no\r\n\x1b[31m" + std::string(5000, 'x')), est_cacerts);
  ASSERT_FALSE(result.has_value());
  EXPECT_LT(result.error().message.size(), 300u);
  EXPECT_TRUE(std::ranges::none_of(result.error().message, [](unsigned char c) { return c < 0x20; }));
}

TEST_F(AnEstClient, SendsNoRequestThatIsNone) {
  const auto result = reads<crypto::Certificate>(certificates(""), [](net::HttpConnection& connection) {
    static const Bytes nonsense = {1, 2, 3};
    return est_enroll(connection, nonsense, false);
  });
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, crypto::CryptoError::malformed);
}

}  // namespace
}  // namespace cahn::pki
