// A registrar whose CA is in another process: issues, holds, releases, and what it does while the CA is away.

#include "pki/remote_ca.h"

#include "pki/service.h"
#include "tests/unit/pki/cmp_support.h"

namespace cahn::pki {
namespace {

using crypto::RevocationReason;
using test::value_of;

class ARemoteCa : public test::CmpTest {
 protected:
  ARemoteCa() : ra_(registration_authority()) {
    cmp_.registration_authorities = crypto::TrustStore({ca_->certificate()});
    cmp_.release = [this](std::string serial) { return ca_->release(serial); };
    cmp_.is_known_authority = [this](const crypto::Certificate& who) { return who == ra_.chain.front(); };
    cmp_.may_connect = [this](const net::Session& session) {
      return session.peer_chain.size() > 0 && session.peer_chain.front() == ra_.chain.front();
    };
    restart_cmp();
    registrar_store_ = value_of(store::Store::open(folder_ / "registrar.db"));
    remote_ = value_of(RemoteCa::open(*registrar_store_, clock_, options()));
  }
  ~ARemoteCa() override { stop(); }
  void more_routes(net::Router& router) override {
    CmpTest::more_routes(router);
    add_crl_route(router, *ca_);
  }
  UpstreamOptions options() {
    UpstreamOptions out;
    out.url = "https://127.0.0.1:" + std::to_string(server_->port()) + "/.well-known/cmp";
    out.identity = ra_;
    out.tls_anchors = crypto::TrustStore({ca_->certificate()});
    out.ca_anchors = crypto::TrustStore({ca_->certificate()});
    out.ca_certificates = {ca_->certificate()};
    return out;
  }
  Result<IssuedCertificate> issue_remotely(const IssueRequest& request) {
    return await<Result<IssuedCertificate>>([this, request] { return remote_->issue(request); });
  }
  Result<void> revoke_remotely(const std::string& serial, RevocationReason reason) {
    return await<Result<void>>([this, serial, reason] { return remote_->revoke(serial, reason); });
  }
  Result<void> release_remotely(const std::string& serial) {
    return await<Result<void>>([this, serial] { return remote_->release(serial); });
  }
  Result<void> fetch_crl() {
    return await<Result<void>>([this] { return remote_->fetch_crl(); });
  }
  void reopen() {
    remote_.reset();
    registrar_store_.reset();
    registrar_store_ = value_of(store::Store::open(folder_ / "registrar.db"));
    remote_ = value_of(RemoteCa::open(*registrar_store_, clock_, options()));
  }

  crypto::TlsIdentity ra_;
  std::unique_ptr<store::Store> registrar_store_;
  std::unique_ptr<RemoteCa> remote_;
};

TEST_F(ARemoteCa, IssuesHoldsAndReleases) {
  const auto issued = value_of(issue_remotely(for_device(fresh_csr()))).certificate;
  const std::string serial = issued.serial_hex();
  EXPECT_EQ(remote_->revocation(serial), std::nullopt);
  EXPECT_TRUE(revoke_remotely(serial, RevocationReason::certificate_hold).has_value());
  EXPECT_EQ(remote_->revocation(serial), RevocationReason::certificate_hold);
  EXPECT_EQ(ca_->revocation(serial), RevocationReason::certificate_hold);
  reopen();
  EXPECT_EQ(remote_->revocation(serial), RevocationReason::certificate_hold) << "what was ordered outlives a restart";
  EXPECT_TRUE(release_remotely(serial).has_value());
  EXPECT_EQ(remote_->revocation(serial), std::nullopt);
  EXPECT_EQ(ca_->revocation(serial), std::nullopt);
}

TEST_F(ARemoteCa, ThatIsAwayMakesClientsWaitAndHoldsNobody) {
  const auto issued = value_of(issue_remotely(for_device(fresh_csr()))).certificate;
  stop();
  EXPECT_EQ(issue_remotely(for_device(fresh_csr())).error().code, PkiError::undecided);
  EXPECT_FALSE(revoke_remotely(issued.serial_hex(), RevocationReason::certificate_hold).has_value());
  EXPECT_EQ(remote_->revocation(issued.serial_hex()), std::nullopt) << "to be ordered again";
  EXPECT_FALSE(fetch_crl().has_value());
}

TEST_F(ARemoteCa, ThatForgotARequestIsAskedAnew) {
  issuer_->hesitations = 1;
  const auto request = for_device(fresh_csr());
  EXPECT_EQ(issue_remotely(request).error().code, PkiError::undecided);
  // A CA that was killed and started anew knows of no transaction.
  const auto port = server_->port();
  stop();
  start_at(port);
  EXPECT_EQ(issue_remotely(request).error().code, PkiError::undecided);
  EXPECT_TRUE(issue_remotely(request).has_value());
}

TEST_F(ARemoteCa, RefusesToHoldWhatItNeverIssued) {
  EXPECT_EQ(revoke_remotely("0badc0de", RevocationReason::certificate_hold).error().code, PkiError::server_refused);
  EXPECT_EQ(remote_->revocation("0badc0de"), std::nullopt);
  EXPECT_FALSE(revoke_remotely("no number", RevocationReason::certificate_hold).has_value());
}

TEST_F(ARemoteCa, TellsByItsCrlWhatOthersRevoked) {
  const std::string lost = issue_ldevid("SN-2").serial_hex(), held = issue_ldevid("SN-3").serial_hex();
  ASSERT_TRUE(revoke(lost, RevocationReason::key_compromise).has_value());
  ASSERT_TRUE(revoke(held).has_value());
  clock_.advance(std::chrono::seconds(2));
  ASSERT_TRUE(fetch_crl().has_value());
  EXPECT_EQ(remote_->revocation(lost), RevocationReason::key_compromise);
  EXPECT_EQ(remote_->revocation(held), std::nullopt) << "holds are the registrar's own";
}

TEST_F(ARemoteCa, OfPlainHttpIsRefused) {
  auto plain = options();
  plain.url = "http://127.0.0.1/.well-known/cmp";
  EXPECT_EQ(RemoteCa::open(*registrar_store_, clock_, plain).error().code, PkiError::bad_request);
}

}  // namespace
}  // namespace cahn::pki
