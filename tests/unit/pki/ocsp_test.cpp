// OCSP answers, asked and judged by `openssl ocsp`, and what hostile requests get.

#include "crypto/ocsp.h"

#include "pki/ocsp_server.h"
#include "pki/service.h"
#include "tests/unit/pki/est_support.h"

namespace cahn::pki {
namespace {

using test::value_of;

class Ocsp : public test::EstTest {
 protected:
  Ocsp() {
    restart_with({});
    test::write(folder_ / "ca.pem", ca_->certificate().pem());
  }
  void more_routes(net::Router& router) override {
    add_ocsp_routes(router, *ca_);
    add_crl_route(router, *ca_);
  }
  // The DER of openssl's request.
  Bytes request_for(const crypto::Certificate& leaf, const std::string& more = "") {
    test::write(folder_ / "leaf.pem", leaf.pem());
    const auto [status, output] =
        openssl("ocsp -issuer ca.pem -cert leaf.pem " + more + " -reqout request.der && rm -f response.der");
    EXPECT_EQ(status, 0) << output;
    return value_of(read_file(folder_ / "request.der"));
  }
  net::HttpResponse ask(const Bytes& request) {
    net::HttpRequest http{.method = "POST", .path = "/ocsp", .body = request};
    http.headers.set("Content-Type", "application/ocsp-request");
    return send(std::nullopt, http);
  }
  // What openssl hears when it asks us about `leaf`: it checks signature, signer, nonce and times.
  std::string verdict(const crypto::Certificate& leaf, const std::string& more = "", const std::string& first = "") {
    test::write(folder_ / "leaf.pem", leaf.pem());
    return openssl("ocsp " + first + " -issuer ca.pem -cert leaf.pem " + more +
                   " -CAfile ca.pem -url https://127.0.0.1:" + std::to_string(server_->port()) + "/ocsp")
        .second;
  }
  // What openssl makes of an answer that was got in another way.
  std::string judge(const Bytes& response) {
    test::write(folder_ / "response.der", as_text(response));
    return openssl("ocsp -issuer ca.pem -cert leaf.pem -no_nonce -respin response.der -CAfile ca.pem").second;
  }
  static bool says(const std::string& output, std::string_view words) { return output.contains(words); }
};

TEST_F(Ocsp, SaysGoodForWhatItIssuedWithTheNonceOfTheRequest) {
  const std::string output = verdict(issue_ldevid());
  EXPECT_TRUE(says(output, "Response verify OK")) << output;
  EXPECT_TRUE(says(output, "leaf.pem: good")) << output;
  EXPECT_FALSE(says(output, "WARNING")) << output;
}

TEST_F(Ocsp, AnswersHashesOfSha256AndRequestsWithoutANonce) {
  const std::string output = verdict(issue_ldevid(), "-no_nonce", "-sha256");
  EXPECT_TRUE(says(output, "Response verify OK")) << output;
  EXPECT_TRUE(says(output, "leaf.pem: good")) << output;
}

TEST_F(Ocsp, ShowsAHoldAndItsReleaseAtOnce) {
  const auto leaf = issue_ldevid();
  EXPECT_TRUE(says(verdict(leaf), "leaf.pem: good"));
  ASSERT_TRUE(revoke(leaf.serial_hex()).has_value());
  const std::string held = verdict(leaf);
  EXPECT_TRUE(says(held, "leaf.pem: revoked")) << held;
  EXPECT_TRUE(says(held, "Reason: certificateHold")) << held;
  ASSERT_TRUE(release(leaf.serial_hex()).has_value());
  EXPECT_TRUE(says(verdict(leaf), "leaf.pem: good"));
}

TEST_F(Ocsp, SaysWhyACertificateIsRevokedForGood) {
  const auto leaf = issue_ldevid();
  ASSERT_TRUE(revoke(leaf.serial_hex(), crypto::RevocationReason::key_compromise).has_value());
  EXPECT_TRUE(says(verdict(leaf), "Reason: keyCompromise"));
  const auto plain = issue_ldevid("SN-2");
  ASSERT_TRUE(revoke(plain.serial_hex(), crypto::RevocationReason::unspecified).has_value());
  const std::string output = verdict(plain);
  EXPECT_TRUE(says(output, "leaf.pem: revoked")) << output;
  EXPECT_FALSE(says(output, "Reason:")) << output;
}

TEST_F(Ocsp, DoesNotKnowWhatItNeverIssued) {
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", "stranger"}};
  spec.key = ca_->certificate().public_key();
  spec.not_before = clock_.now();
  spec.not_after = clock_.now() + std::chrono::hours(1);
  const auto key = value_of(crypto::open_key((folder_ / "ca.key").string()));
  const auto stranger = value_of(crypto::issue_certificate(spec, *key, &ca_->certificate()));
  EXPECT_TRUE(says(verdict(stranger), "leaf.pem: unknown"));
}

TEST_F(Ocsp, IsNotTheOneToAskAboutAnotherCa) {  // RFC 5019 2.2.3
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec;
  spec.subject = {{"CN", "another CA"}};
  spec.key = key->public_key();
  spec.not_before = clock_.now();
  spec.not_after = clock_.now() + std::chrono::hours(1);
  const auto other = value_of(crypto::issue_certificate(spec, *key));
  test::write(folder_ / "ca.pem", other.pem());
  EXPECT_EQ(ask(request_for(issue_ldevid())).body, crypto::make_ocsp_failure(crypto::OcspFailure::unauthorized));
}

TEST_F(Ocsp, SignsByADelegateThatIsNoCaAndNeedNotBeLookedUp) {
  ask(request_for(issue_ldevid()));
  const auto response = ask(request_for(issue_ldevid("SN-2")));
  test::write(folder_ / "response.der", as_text(response.body));
  const auto [status, text] = openssl("ocsp -respin response.der -resp_text -noverify");
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(says(text, "OCSP Signing")) << text;
  EXPECT_TRUE(says(text, "OCSP No Check")) << text;
  EXPECT_TRUE(says(text, "CA:FALSE")) << text;
  EXPECT_FALSE(says(text, "cmcRA")) << text;
}

TEST_F(Ocsp, SignsWithTheCaItselfWhereThatIsWanted) {
  stop();
  options_.delegate_ocsp = false;
  restart();
  start();
  const std::string output = verdict(issue_ldevid());
  EXPECT_TRUE(says(output, "Response verify OK")) << output;
  EXPECT_TRUE(says(output, "leaf.pem: good")) << output;
}

TEST_F(Ocsp, AnswersInTheNameOfTheKeyThatIssued) {
  const auto old_leaf = issue_ldevid();
  auto* ca = ca_.get();
  const std::string uri = "file:" + (folder_ / "ca-2.key").string();
  ASSERT_TRUE((await<Result<void>>([ca, uri] { return ca->roll_over(uri); })).has_value());
  EXPECT_TRUE(says(verdict(old_leaf), "leaf.pem: good"));
  const auto new_leaf = issue_ldevid("SN-2");
  // The same serial number, asked of the key that did not issue it.
  EXPECT_TRUE(says(verdict(new_leaf), "leaf.pem: unknown"));
  test::write(folder_ / "ca.pem", ca_->certificate().pem());
  const std::string output = verdict(new_leaf);
  EXPECT_TRUE(says(output, "Response verify OK")) << output;
  EXPECT_TRUE(says(output, "leaf.pem: good")) << output;
}

TEST_F(Ocsp, AnswersRequestsInThePath) {  // RFC 6960 A.1
  const Bytes request = request_for(issue_ldevid());
  std::string encoded;
  for (const char c : base64(request)) {
    encoded += c == '/' ? "%2F" : c == '+' ? "%2B" : c == '=' ? "%3D" : std::string(1, c);
  }
  const auto response = send(std::nullopt, {.path = "/ocsp/" + encoded});
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(says(judge(response.body), "leaf.pem: good"));
  EXPECT_EQ(send(std::nullopt, {.path = "/ocsp/%2A%2A"}).status, 400);
}

TEST_F(Ocsp, AnswersForSeveralCertificatesAtOnce) {
  const auto one = issue_ldevid("SN-1");
  const auto two = issue_ldevid("SN-2");
  ASSERT_TRUE(revoke(two.serial_hex()).has_value());
  test::write(folder_ / "two.pem", two.pem());
  const std::string output = verdict(one, "-cert two.pem");
  EXPECT_TRUE(says(output, "leaf.pem: good")) << output;
  EXPECT_TRUE(says(output, "two.pem: revoked")) << output;
}

TEST_F(Ocsp, CallsHostileRequestsMalformedAndGoesOn) {
  const auto malformed = crypto::make_ocsp_failure(crypto::OcspFailure::malformed_request);
  const Bytes good = request_for(issue_ldevid());
  Bytes cut(good.begin(), good.end() - 4);
  Bytes longer = good;
  longer.push_back(0);
  for (const Bytes& request : {Bytes(), Bytes(8000, 0x30), random_bytes(4000), cut, longer, Bytes{0x30, 0x80, 0, 0}}) {
    EXPECT_EQ(ask(request).body, malformed);
  }
  const Bytes bare = request_for(issue_ldevid("SN-2"), "-no_nonce");
  EXPECT_TRUE(crypto::OcspRequest::from_der(bare).has_value());
  EXPECT_TRUE(says(verdict(issue_ldevid("SN-3")), "leaf.pem: good")) << "it goes on";
}

TEST_F(Ocsp, RefusesToWorkOnMoreThanThirtyTwoCertificates) {
  std::string serials;
  for (int i = 0; i < 33; ++i) serials += " -serial " + std::to_string(i + 1);
  const Bytes many = request_for(issue_ldevid(), serials);
  EXPECT_EQ(ask(many).body, crypto::make_ocsp_failure(crypto::OcspFailure::malformed_request));
}

TEST_F(Ocsp, RefusesAnotherMediaTypeAndABodyOverItsLimit) {
  net::HttpRequest http{.method = "POST", .path = "/ocsp", .body = request_for(issue_ldevid())};
  EXPECT_EQ(send(std::nullopt, http).status, 415);
  EXPECT_EQ(crypto::OcspRequest::from_der(Bytes(crypto::OcspRequest::max_octets + 1, 0x30)).error().code,
            crypto::CryptoError::malformed);
}

TEST_F(Ocsp, TellsWhereToAskInLdevidsOnly) {
  stop();
  options_.crl_url = "http://ca.example.org/crl/{ca}";
  options_.ocsp_url = "http://ca.example.org/ocsp";
  options_.ca_issuers_url = "http://ca.example.org/ca/{ca}";
  restart();
  start();
  test::write(folder_ / "shown.pem", issue_ldevid().pem());
  const std::string text = openssl("x509 -in shown.pem -noout -text").second;
  const std::string key = hex(ca_->certificate().public_key().key_identifier());
  EXPECT_TRUE(says(text, "OCSP - URI:http://ca.example.org/ocsp")) << text;
  EXPECT_TRUE(says(text, "CA Issuers - URI:http://ca.example.org/ca/" + key)) << text;
  EXPECT_TRUE(says(text, "URI:http://ca.example.org/crl/" + key)) << text;
  const auto server = value_of(issue({fresh_csr(), Profile::registrar, {{"CN", "r"}}, {"r"}, {}, {}})).certificate;
  test::write(folder_ / "shown.pem", server.pem());
  EXPECT_FALSE(says(openssl("x509 -in shown.pem -noout -text").second, "URI:"));
  EXPECT_EQ(send(std::nullopt, {.path = "/ca/" + key}).body, ca_->certificate().der());
  EXPECT_EQ(send(std::nullopt, {.path = "/ca/00"}).status, 404);
  EXPECT_EQ(send(std::nullopt, {.path = "/crl/" + key}).status, 200);
  EXPECT_EQ(send(std::nullopt, {.path = "/crl/00"}).status, 404);
}

}  // namespace
}  // namespace cahn::pki
