// A registration authority in front of an upstream CA, by EST and by CMP: against our own servers, and against the CMP
// server that comes with openssl.

#include "pki/upstream.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "tests/unit/pki/cmp_support.h"

namespace cahn::pki {
namespace {

using test::value_of;

class Upstream : public test::CmpTest {
 protected:
  Upstream() {
    cmp_.registration_authorities = crypto::TrustStore({ca_->certificate()});
    restart_cmp();
  }
  UpstreamOptions options(const std::string& path) {
    UpstreamOptions out;
    out.url = "https://127.0.0.1:" + std::to_string(server_->port()) + path;
    out.identity = registration_authority();
    out.tls_anchors = crypto::TrustStore({ca_->certificate()});
    out.ca_anchors = crypto::TrustStore({ca_->certificate()});
    out.ca_certificates = {ca_->certificate()};
    return out;
  }
  Result<IssuedCertificate> issue_by(Issuer& issuer, const IssueRequest& request) {
    return await<Result<IssuedCertificate>>([&issuer, request] { return issuer.issue(request); });
  }
  std::unique_ptr<Issuer> by_cmp(const UpstreamOptions& options) { return value_of(cmp_issuer(options, clock_)); }
  std::unique_ptr<Issuer> by_est(const UpstreamOptions& options) { return value_of(est_issuer(options, clock_)); }
};

TEST_F(Upstream, CmpIssuesForTheSubjectThatWasGranted) {
  const auto issuer = by_cmp(options("/.well-known/cmp"));
  const auto request = for_device(fresh_csr());
  const auto issued = value_of(issue_by(*issuer, request));
  EXPECT_EQ(issued.certificate.public_key(), request.csr.public_key());
  EXPECT_EQ(issued.certificate.subject(), request.subject);
  EXPECT_EQ(issued.certificate.uris(), request.uris);
  EXPECT_EQ(issued.chain, std::vector{ca_->certificate()});
  EXPECT_EQ(issuer->ca_certificates(), ca_->ca_certificates());
  clock_.advance(cmp_.confirm_wait + std::chrono::seconds(1));
  still_serves_cmp();
  EXPECT_EQ(ca_->revocation(issued.certificate.serial_hex()), std::nullopt) << "it was confirmed";
}

TEST_F(Upstream, CmpPassesOnPkcs10ThatAsksForJustWhatWasGranted) {
  const auto issuer = by_cmp(options("/.well-known/cmp/pkcs10"));
  auto request =
      for_device(fresh_csr({.subject = {{"serialNumber", "SN-1"}, {"CN", "home"}}, .uris = {"urn:cahn:network:home"}}));
  EXPECT_TRUE(issue_by(*issuer, request).has_value()) << "the path takes p10cr only";
}

TEST_F(Upstream, CmpAsksAgainAboutTheSameRequestUntilTheCaHasDecided) {
  issuer_->hesitations = 2;
  const auto issuer = by_cmp(options("/.well-known/cmp"));
  const auto request = for_device(fresh_csr());
  for (int i = 0; i < 2; ++i) {
    const auto undecided = issue_by(*issuer, request);
    ASSERT_FALSE(undecided.has_value());
    EXPECT_EQ(undecided.error().code, PkiError::undecided);
  }
  EXPECT_TRUE(issue_by(*issuer, request).has_value());
  EXPECT_EQ(issuer_->hesitations, 0) << "one transaction, polled";
}

TEST_F(Upstream, CmpRemembersNoMoreUndecidedRequestsThanItMay) {
  issuer_->hesitations = 100;
  auto few = options("/.well-known/cmp");
  few.max_pending = 1;
  const auto issuer = by_cmp(few);
  EXPECT_EQ(issue_by(*issuer, for_device(fresh_csr())).error().code, PkiError::undecided);
  EXPECT_EQ(issue_by(*issuer, for_device(fresh_csr())).error().code, PkiError::unavailable);
  clock_.advance(few.pending);
  EXPECT_EQ(issue_by(*issuer, for_device(fresh_csr())).error().code, PkiError::undecided);
}

TEST_F(Upstream, CmpTellsTheClientOfARefusalButNotItsWords) {
  cmp_.registration_authorities = {};
  restart_cmp();
  const auto issuer = by_cmp(options("/.well-known/cmp"));
  const auto refused = issue_by(*issuer, for_device(fresh_csr()));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, PkiError::not_permitted);
  EXPECT_EQ(refused.error().message.find("raVerified"), std::string::npos);
}

TEST_F(Upstream, CmpTrustsNoAnswerOfAnotherCa) {
  auto wrong = options("/.well-known/cmp");
  wrong.ca_anchors = crypto::TrustStore({device("another CA").chain.front()});
  const auto issuer = by_cmp(wrong);
  EXPECT_EQ(issue_by(*issuer, for_device(fresh_csr())).error().code, PkiError::unavailable);
}

TEST_F(Upstream, IsUnavailableWhileNobodyAnswers) {
  const auto there = options("/.well-known/cmp");
  auto est = options("");
  stop();
  EXPECT_EQ(issue_by(*by_cmp(there), for_device(fresh_csr())).error().code, PkiError::unavailable);
  EXPECT_EQ(issue_by(*by_est(est), for_device(fresh_csr({.subject = for_device(fresh_csr()).subject}))).error().code,
            PkiError::unavailable);
}

TEST_F(Upstream, EstIssuesWhereTheRequestIsForTheGrantedSubject) {
  // The authority behind the test's EST server grants a subject of the TLS client's: the RA has no serialNumber.
  const crypto::Name subject = {{"serialNumber", "SN-1"}, {"CN", "home"}};
  authority_.grant = EnrolmentGrant{subject, {"urn:cahn:network:home"}, Profile::ldevid};
  const auto issuer = by_est(options(""));
  const auto request = for_device(fresh_csr({.subject = subject}));
  EXPECT_EQ(
      value_of(issue_by(*issuer, {request.csr, Profile::ldevid, subject, {}, request.uris, {}})).certificate.subject(),
      subject);
  const auto other = issue_by(*issuer, for_device(fresh_csr()));
  EXPECT_EQ(other.error().code, PkiError::not_permitted) << "the subject is not in the request";
  authority_.refusal = Error{PkiError::undecided, "later"};
  EXPECT_EQ(issue_by(*issuer, for_device(fresh_csr({.subject = subject}))).error().code, PkiError::undecided);
  authority_.refusal = Error{PkiError::not_authorized, "never"};
  EXPECT_EQ(issue_by(*issuer, for_device(fresh_csr({.subject = subject}))).error().code, PkiError::not_permitted);
}

TEST_F(Upstream, EstTakesNothingBeyondTheGrant) {
  const crypto::Name subject = {{"serialNumber", "SN-1"}, {"CN", "home"}};
  authority_.grant = EnrolmentGrant{subject, {"urn:cahn:network:elsewhere"}, Profile::ldevid};
  const auto issuer = by_est(options(""));
  const auto issued = issue_by(*issuer, for_device(fresh_csr({.subject = subject})));
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, PkiError::unavailable);
}

TEST_F(Upstream, RefusesOptionsItCannotWorkWith) {
  auto plain = options("");
  plain.url = "http://127.0.0.1";
  EXPECT_FALSE(est_issuer(plain).has_value());
  plain.ca_certificates.clear();
  EXPECT_FALSE(cmp_issuer(plain).has_value());
  plain.url = "nonsense";
  EXPECT_FALSE(cmp_issuer(plain).has_value());
}

// openssl's mock answers every request with the one certificate it was given.
class UpstreamOfOpenssl : public Upstream {
 protected:
  void start_mock(const crypto::Certificate& answer) {
    const auto signer = registration_authority();
    test::write(folder_ / "answer.pem", answer.pem());
    test::write(folder_ / "srv.pem", signer.chain.front().pem());
    test::write(folder_ / "srv.key", value_of(crypto::key_to_pem(*signer.key)));
    // -port 0 lets the kernel choose; openssl prints what it chose.
    const std::string command = "cd '" + folder_.path().string() +
                                "' && echo $$ && exec openssl cmp -port 0 -srv_cert srv.pem -srv_key srv.key "
                                "-srv_trusted ca.pem -rsp_cert answer.pem -accept_raverified 2>&1 </dev/null";
    mock_ = popen(command.c_str(), "r");
    ASSERT_NE(mock_, nullptr);
    char line[256];
    ASSERT_NE(fgets(line, sizeof line, mock_), nullptr);
    mock_pid_ = std::atoi(line);
    while (fgets(line, sizeof line, mock_) != nullptr) {
      const std::string_view said = line;
      if (!said.starts_with("ACCEPT ")) continue;
      mock_port_ = std::to_string(std::atoi(line + said.rfind(':') + 1));
      return;
    }
    FAIL() << "openssl cmp did not start";
  }
  ~UpstreamOfOpenssl() override {
    if (mock_pid_ > 0) kill(mock_pid_, SIGKILL);
    if (mock_ != nullptr) pclose(mock_);
  }
  FILE* mock_ = nullptr;
  pid_t mock_pid_ = 0;
  std::string mock_port_;
};

TEST_F(UpstreamOfOpenssl, OpensslsServerIssuesToUs) {
  const auto request = for_device(fresh_csr());
  start_mock(value_of(issue(request)).certificate);
  auto there = options("");
  there.url = "http://127.0.0.1:" + mock_port_ + "/pkix/";
  const auto issued = issue_by(*by_cmp(there), request);
  ASSERT_TRUE(issued.has_value()) << issued.error().message;
  EXPECT_EQ(issued->certificate.public_key(), request.csr.public_key());
}

TEST_F(UpstreamOfOpenssl, WeRejectACertificateForAnotherKey) {
  start_mock(issue_ldevid());
  auto there = options("");
  there.url = "http://127.0.0.1:" + mock_port_ + "/pkix/";
  const auto issued = issue_by(*by_cmp(there), for_device(fresh_csr()));
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, PkiError::unavailable);
  EXPECT_NE(issued.error().message.find("another key"), std::string::npos) << issued.error().message;
}

}  // namespace
}  // namespace cahn::pki
