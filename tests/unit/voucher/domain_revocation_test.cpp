// RFC 8366 5.3, domain-cert-revocation-checks: what says that a domain's certificates are good, and what does not.

#include <gtest/gtest.h>

#include "crypto/ocsp.h"
#include "tests/support/pki/pki.h"
#include "voucher/signed_voucher.h"

namespace cahn::voucher {
namespace {

using crypto::OcspAnswer;
using std::chrono::hours;
using test::Identity;
using test::must;
using test::Pki;

Identity certificate_of(const Identity& issuer, const char* name, bool ca = false,
                        std::vector<std::string> usages = {}) {
  return Pki::issue({.subject = {{"CN", name}}, .ca = ca, .extended_key_usage = std::move(usages)}, &issuer);
}

Bytes response_about(const Identity& who, const Identity& issuer, const Identity& signer,
                     OcspAnswer::Status status = OcspAnswer::Status::good, Time from = Pki::now() - hours(1),
                     Time until = Pki::now() + hours(1)) {
  const auto request = must(crypto::OcspRequest::from_der(
      must(crypto::make_ocsp_request(who.certificate, issuer.certificate, Bytes(16, 7)))));
  const crypto::OcspResponseSpec spec{
      .answers = {{.status = status, .revoked_at = from}}, .this_update = from, .next_update = until};
  return must(crypto::make_ocsp_response(request, spec, signer.certificate, *signer.key));
}

crypto::Crl list_of(const Identity& issuer, const std::vector<Identity>& revoked, Time until = Pki::now() + hours(1)) {
  crypto::CrlSpec spec{.this_update = Pki::now() - hours(1), .next_update = until, .entries = {}};
  for (const Identity& one : revoked) spec.entries.push_back({one.certificate.serial_hex(), Pki::now() - hours(2)});
  return must(crypto::Crl::from_der(must(crypto::make_crl(spec, issuer.certificate, *issuer.key))));
}

class DomainThatMustBeLookedUp : public testing::Test {
 protected:
  DomainThatMustBeLookedUp() {
    voucher_.domain_cert_revocation_checks = true;
    voucher_.pinned_domain_cert = root_.certificate;
  }
  std::optional<Error> refusal_of(const Identity& registrar, std::optional<Time> now = Pki::now()) const {
    const auto checked = check_domain_revocation(voucher_, registrar.chain, evidence_, now);
    return checked ? std::nullopt : std::optional(checked.error());
  }
  void expect_good(const Identity& registrar) const {
    const auto refused = refusal_of(registrar);
    EXPECT_FALSE(refused) << refused->message;
  }
  void expect(const Identity& registrar, VoucherError code, std::optional<Time> now = Pki::now()) const {
    const auto refused = refusal_of(registrar, now);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, code) << refused->message;
  }

  const Identity root_ = Pki::issue({.subject = {{"CN", "root"}}, .ca = true});
  const Identity registrar_ = certificate_of(root_, "registrar");
  Voucher voucher_ = Pki().voucher_for("1", "QWJjZGVmZ2hpamtsbW5vcA==");
  crypto::RevocationEvidence evidence_;
};

TEST_F(DomainThatMustBeLookedUp, IsOneWhoseVoucherSaysSo) {
  EXPECT_TRUE(demands_revocation_checks(voucher_));
  voucher_.domain_cert_revocation_checks = false;
  EXPECT_FALSE(demands_revocation_checks(voucher_));
  voucher_.domain_cert_revocation_checks.reset();
  EXPECT_FALSE(demands_revocation_checks(voucher_));
}

TEST_F(DomainThatMustBeLookedUp, IsRefusedWhenNothingIsSaid) { expect(registrar_, VoucherError::revocation_unknown); }

TEST_F(DomainThatMustBeLookedUp, IsTakenWithAnOcspResponseOfItsCa) {
  evidence_.ocsp = {response_about(registrar_, root_, root_)};
  expect_good(registrar_);
}

TEST_F(DomainThatMustBeLookedUp, IsTakenWithAnOcspResponseOfItsCasDelegate) {
  const Identity delegate = certificate_of(root_, "responder", false, {"OCSPSigning"});
  evidence_.ocsp = {response_about(registrar_, root_, delegate)};
  expect_good(registrar_);
}

TEST_F(DomainThatMustBeLookedUp, IsNotTakenWithAResponseOfWhoIsNoDelegate) {
  const Identity ldevid = certificate_of(root_, "some device", false, {"clientAuth"});
  const Identity other_ca = Pki::issue({.subject = {{"CN", "root"}}, .ca = true});
  const Identity others_delegate = certificate_of(other_ca, "responder", false, {"OCSPSigning"});
  for (const Identity& signer : {ldevid, other_ca, others_delegate, registrar_}) {
    evidence_.ocsp = {response_about(registrar_, root_, signer)};
    expect(registrar_, VoucherError::revocation_unknown);
  }
}

TEST_F(DomainThatMustBeLookedUp, IsNotTakenWithAResponseThatIsOldOrFromTheFutureOrAboutAnother) {
  const auto good = OcspAnswer::Status::good;
  const Time now = Pki::now();
  evidence_.ocsp = {response_about(registrar_, root_, root_, good, now - hours(3), now - hours(2))};
  expect(registrar_, VoucherError::revocation_unknown);
  evidence_.ocsp = {response_about(registrar_, root_, root_, good, now + hours(1), now + hours(2))};
  expect(registrar_, VoucherError::revocation_unknown);
  evidence_.ocsp = {response_about(certificate_of(root_, "another"), root_, root_)};
  expect(registrar_, VoucherError::revocation_unknown);
  evidence_.ocsp = {response_about(registrar_, root_, root_, OcspAnswer::Status::unknown)};
  expect(registrar_, VoucherError::revocation_unknown);
  evidence_.ocsp = {crypto::make_ocsp_failure(crypto::OcspFailure::try_later), Bytes(20, 0x30)};
  expect(registrar_, VoucherError::revocation_unknown);
}

TEST_F(DomainThatMustBeLookedUp, IsRefusedWhenTheResponseSaysRevokedWhateverElseSaysGood) {
  evidence_.lists = {list_of(root_, {})};
  evidence_.ocsp = {response_about(registrar_, root_, root_),
                    response_about(registrar_, root_, root_, OcspAnswer::Status::revoked)};
  expect(registrar_, VoucherError::revoked);
}

TEST_F(DomainThatMustBeLookedUp, IsTakenOrRefusedAsItsCasListSays) {
  evidence_.lists = {list_of(root_, {certificate_of(root_, "another")})};
  expect_good(registrar_);
  evidence_.lists = {list_of(root_, {registrar_})};
  expect(registrar_, VoucherError::revoked);
  evidence_.lists = {list_of(root_, {}, Pki::now() - hours(1))};  // out of date
  expect(registrar_, VoucherError::revocation_unknown);
  evidence_.lists = {list_of(Pki::issue({.subject = {{"CN", "root"}}, .ca = true}), {})};  // of a namesake
  expect(registrar_, VoucherError::revocation_unknown);
}

TEST_F(DomainThatMustBeLookedUp, NeedsAnAnswerForEveryCertificateUpToThePin) {
  const Identity middle = certificate_of(root_, "middle", true);
  const Identity registrar = certificate_of(middle, "registrar");
  evidence_.ocsp = {response_about(registrar, middle, middle)};
  expect(registrar, VoucherError::revocation_unknown);
  evidence_.lists = {list_of(root_, {middle})};
  expect(registrar, VoucherError::revoked);
  evidence_.lists = {list_of(root_, {})};
  expect_good(registrar);
}

TEST_F(DomainThatMustBeLookedUp, NeedsThePinsOwnIssuerWhereThePinIsNoRoot) {
  voucher_.pinned_domain_cert = registrar_.certificate;
  evidence_.ocsp = {response_about(registrar_, root_, root_)};
  expect_good(registrar_);
  Identity alone = registrar_;
  alone.chain = {registrar_.certificate};
  expect(alone, VoucherError::revocation_unknown);
  evidence_.ocsp = {response_about(registrar_, root_, root_, OcspAnswer::Status::revoked)};
  expect(registrar_, VoucherError::revoked);
}

TEST_F(DomainThatMustBeLookedUp, IsNotFooledByAnotherCertificateForTheKeyOfARevokedPin) {
  voucher_.pinned_domain_cert = registrar_.certificate;
  crypto::CertificateSpec spec{.subject = {{"CN", "registrar"}},
                               .key = registrar_.certificate.public_key(),
                               .not_before = Pki::now() - hours(1),
                               .not_after = Pki::now() + hours(1)};
  Identity self_made = registrar_;
  self_made.certificate = must(crypto::issue_certificate(spec, *registrar_.key));
  self_made.chain = {self_made.certificate, root_.certificate};
  ASSERT_TRUE(check_pin(voucher_, self_made.chain, Pki::now()));
  expect(self_made, VoucherError::revocation_unknown);
  evidence_.lists = {list_of(root_, {registrar_})};
  expect(self_made, VoucherError::revoked);
}

TEST_F(DomainThatMustBeLookedUp, IsJudgedByTheTimeOfAFreshVoucherWhereTheDeviceHasNoClock) {
  evidence_.ocsp = {response_about(registrar_, root_, root_)};
  const auto fresh = refusal_of(registrar_, std::nullopt);
  EXPECT_FALSE(fresh) << fresh->message;
  voucher_.created_on = Pki::now() + hours(2);  // then the response is an old one
  expect(registrar_, VoucherError::revocation_unknown, std::nullopt);
  voucher_.created_on = Pki::now();
  voucher_.nonce.reset();  // an old voucher may say so
  expect(registrar_, VoucherError::revocation_unknown, std::nullopt);
}

}  // namespace
}  // namespace cahn::voucher
