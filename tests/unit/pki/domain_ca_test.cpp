#include "pki/domain_ca.h"

#include <algorithm>
#include <future>

#include "tests/unit/pki/support.h"

namespace cahn::pki {
namespace {

using namespace std::chrono_literals;
using test::value_of;

class ADomainCa : public test::CaTest {
 protected:
  void refuses(const IssueRequest& request, PkiError code, std::string_view words) {
    const auto before = store_->last_position();
    const auto issued = issue(request);
    ASSERT_FALSE(issued.has_value());
    EXPECT_EQ(issued.error().code, code) << issued.error().message;
    EXPECT_NE(issued.error().message.find(words), std::string::npos) << issued.error().message;
    EXPECT_EQ(store_->last_position(), before) << "a refused request left a record";
  }
  IssueRequest for_server(Profile profile, crypto::Csr csr, std::string name = "server.example.org") {
    return {.csr = std::move(csr),
            .profile = profile,
            .subject = {{"CN", name}},
            .dns_names = {name},
            .uris = {},
            .ip_addresses = {"192.0.2.1"}};
  }
  std::string text_of(const crypto::Certificate& certificate) {
    test::write(folder_ / "shown.pem", certificate.pem());
    return openssl("x509 -in shown.pem -noout -text").second;
  }
};

TEST_F(ADomainCa, SignsItselfAsTheOwnerWithAPathOfLengthZero) {
  const std::string text = text_of(ca_->certificate());
  EXPECT_NE(text.find("Subject: CN = ann@example.org"), text.npos) << text;
  EXPECT_NE(text.find("CA:TRUE, pathlen:0"), text.npos) << text;
  EXPECT_NE(text.find("Certificate Sign, CRL Sign"), text.npos) << text;
  EXPECT_NE(text.find("email:ann@example.org"), text.npos) << text;
  EXPECT_TRUE(ca_->certificate().signed_by(ca_->certificate().public_key()));
}

TEST_F(ADomainCa, IssuesAnLdevidThatOpensslVerifiesForAClient) {
  const auto issued = value_of(issue(for_device(fresh_csr())));
  test::write(folder_ / "ca.pem", ca_->certificate().pem());
  test::write(folder_ / "leaf.pem", issued.certificate.pem());
  const auto [status, output] = openssl("verify -x509_strict -purpose sslclient -CAfile ca.pem leaf.pem");
  EXPECT_EQ(status, 0) << output;
  EXPECT_NE(openssl("verify -purpose sslserver -CAfile ca.pem leaf.pem").first, 0);
  const std::string text = text_of(issued.certificate);
  EXPECT_NE(text.find("Subject: serialNumber = SN-1, CN = home"), text.npos) << text;
  EXPECT_NE(text.find("URI:urn:cahn:network:home"), text.npos) << text;
  EXPECT_NE(text.find("CA:FALSE"), text.npos) << text;
  EXPECT_EQ(issued.chain, std::vector{ca_->certificate()});
  EXPECT_EQ(ca_->ca_certificates(), std::vector{ca_->certificate()});
}

TEST_F(ADomainCa, GivesTheRegistrarCmcRaAndBothEndsOfTls) {
  const auto certificate = value_of(issue(for_server(Profile::registrar, fresh_csr()))).certificate;
  EXPECT_TRUE(certificate.has_extended_key_usage(crypto::oid_cmc_ra));
  EXPECT_TRUE(certificate.has_extended_key_usage("serverAuth"));
  EXPECT_TRUE(certificate.has_extended_key_usage("clientAuth"));
  EXPECT_TRUE(certificate.subject_key_identifier().has_value());
  EXPECT_EQ(certificate.dns_names(), std::vector<std::string>{"server.example.org"});
  EXPECT_NE(text_of(certificate).find("IP Address:192.0.2.1"), std::string::npos);
}

TEST_F(ADomainCa, GivesNobodyElseCmcRa) {
  for (const auto profile : {Profile::radius_server, Profile::tls_server, Profile::masa}) {
    const auto certificate = value_of(issue(for_server(profile, fresh_csr()))).certificate;
    EXPECT_FALSE(certificate.has_extended_key_usage(crypto::oid_cmc_ra)) << static_cast<int>(profile);
    EXPECT_FALSE(certificate.is_ca());
  }
  EXPECT_FALSE(issue_ldevid().has_extended_key_usage(crypto::oid_cmc_ra));
}

TEST_F(ADomainCa, VerifiesAsARadiusServerUnderItsOwnName) {  // decision 34
  const auto certificate =
      value_of(issue(for_server(Profile::radius_server, fresh_csr(), "radius.example.org"))).certificate;
  test::write(folder_ / "ca.pem", ca_->certificate().pem());
  test::write(folder_ / "leaf.pem", certificate.pem());
  const auto [status, output] =
      openssl("verify -purpose sslserver -verify_hostname radius.example.org -CAfile ca.pem leaf.pem");
  EXPECT_EQ(status, 0) << output;
  refuses({.csr = fresh_csr(), .profile = Profile::radius_server, .subject = ca_->certificate().subject()},
          PkiError::not_permitted, "the CA's own name");
}

TEST_F(ADomainCa, RefusesARequestForACaCertificate) {
  refuses(for_device(fresh_csr({.ask_for_ca = true})), PkiError::not_permitted, "CA:TRUE");
}

TEST_F(ADomainCa, RefusesARequestForKeyCertSign) {
  refuses(for_device(foreign_csr("/serialNumber=SN-1", "-addext keyUsage=keyCertSign")), PkiError::not_permitted,
          "keyCertSign");
}

TEST_F(ADomainCa, RefusesARequestForCrlSign) {
  refuses(for_device(foreign_csr("/serialNumber=SN-1", "-addext keyUsage=digitalSignature,cRLSign")),
          PkiError::not_permitted, "cRLSign");
}

TEST_F(ADomainCa, RefusesADeviceThatAsksToBeARegistrationAuthority) {
  refuses(for_device(foreign_csr("/serialNumber=SN-1", "-addext extendedKeyUsage=1.3.6.1.5.5.7.3.28")),
          PkiError::not_permitted, "cmcRA");
}

TEST_F(ADomainCa, RefusesADeviceThatAsksToBeAServer) {
  refuses(for_device(foreign_csr("/serialNumber=SN-1", "-addext extendedKeyUsage=clientAuth,serverAuth")),
          PkiError::not_permitted, "1.3.6.1.5.5.7.3.1");
}

TEST_F(ADomainCa, AcceptsARequestForWhatTheProfileHas) {
  EXPECT_TRUE(issue(for_device(foreign_csr("/serialNumber=SN-1", "-addext extendedKeyUsage=clientAuth"))).has_value());
}

TEST_F(ADomainCa, RefusesARequestForAnotherSerialNumber) {
  refuses(for_device(fresh_csr({.subject = {{"serialNumber", "SN-2"}}})), PkiError::not_permitted, "another subject");
}

TEST_F(ADomainCa, RefusesARequestThatNamesAnotherDeviceByCommonName) {
  refuses(for_device(fresh_csr({.subject = {{"CN", "SN-2"}}})), PkiError::not_permitted, "another subject");
}

TEST_F(ADomainCa, RefusesARequestWithASecondSerialNumberBesideItsOwn) {
  refuses(for_device(fresh_csr({.subject = {{"serialNumber", "SN-1"}, {"serialNumber", "SN-2"}}})),
          PkiError::not_permitted, "another subject");
}

TEST_F(ADomainCa, DecidesTheSubjectItselfWhateverElseTheRequestSays) {
  const auto request =
      for_device(fresh_csr({.subject = {{"O", "somebody"}, {"serialNumber", "SN-1"}, {"CN", "SN-1"}}}));
  EXPECT_EQ(value_of(issue(request)).certificate.subject(), request.subject);
}

TEST_F(ADomainCa, RefusesAnAlternativeNameThatWasNotGranted) {
  refuses(for_device(fresh_csr({.dns_names = {"registrar.example.org"}})), PkiError::not_permitted, "alternative name");
  refuses(for_device(fresh_csr({.uris = {"urn:cahn:network:other"}})), PkiError::not_permitted, "alternative name");
  EXPECT_TRUE(issue(for_device(fresh_csr({.uris = {"urn:cahn:network:home"}}))).has_value());
}

TEST_F(ADomainCa, RefusesAnLdevidWithoutTheDevicesSerialNumber) {
  auto request = for_device(fresh_csr());
  request.subject = {{"CN", "home"}};
  refuses(request, PkiError::bad_request, "serialNumber");
  request.subject = {};
  refuses(request, PkiError::bad_request, "no subject");
}

TEST_F(ADomainCa, RefusesToCertifyItsOwnKey) {
  const auto own_key = value_of(crypto::open_key((folder_ / "ca.key").string()));
  refuses(for_device(csr_of(own_key)), PkiError::not_permitted, "CA's own");
}

TEST_F(ADomainCa, RefusesNamesThatDoNotFitIntoACertificate) {
  auto request = for_device(fresh_csr());
  request.subject.emplace_back("CN", std::string(5000, 'x'));
  const auto issued = issue(request);
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, PkiError::bad_request);
}

TEST_F(ADomainCa, NeverIssuesBeyondItsOwnValidity) {
  clock_.set(ca_->certificate().not_after() - 24h);
  const auto certificate = issue_ldevid();
  EXPECT_EQ(certificate.not_after(), ca_->certificate().not_after());
  EXPECT_LT(certificate.not_before(), clock_.now());
  clock_.set(ca_->certificate().not_after() + 1s);
  refuses(for_device(fresh_csr()), PkiError::unavailable, "not valid now");
}

TEST_F(ADomainCa, GivesLdevidsTheLifetimeOfTheProfile) {
  EXPECT_EQ(issue_ldevid().not_after(), clock_.now() + options_.ldevid_lifetime);
}

TEST_F(ADomainCa, NamesTheCrlInLdevidsWhenItIsPublished) {
  options_.crl_url = "http://crl.example.org/domain.crl";
  restart();
  EXPECT_NE(text_of(issue_ldevid()).find("URI:http://crl.example.org/domain.crl"), std::string::npos);
}

TEST_F(ADomainCa, NeverIssuesTwoCertificatesWithOneSerialNumber) {
  std::vector<Bytes> serials = {{0x11, 0x22}, {0x11, 0x22}, {0x33, 0x44}};
  options_.make_serial = [&serials] {
    const Bytes next = serials.front();
    if (serials.size() > 1) serials.erase(serials.begin());
    return next;
  };
  restart();
  EXPECT_EQ(issue_ldevid("SN-1").serial_hex(), "1122");
  EXPECT_EQ(issue_ldevid("SN-2").serial_hex(), "3344") << "the second 1122 must have been drawn again";
  const auto stuck = issue(for_device(fresh_csr(), "SN-3"));
  ASSERT_FALSE(stuck.has_value());
  EXPECT_EQ(stuck.error().code, PkiError::unavailable);
  EXPECT_EQ(value_of(ca_->find("3344"))->subject_serial_number(), "SN-2");
}

TEST_F(ADomainCa, HandsOutNothingThatIsNotDurable) {
  slow_->hold();
  auto* ca = ca_.get();
  const auto request = for_device(fresh_csr());
  auto answer = std::async(std::launch::async, [&] {
    return await<Result<IssuedCertificate>>([ca, request] { return ca->issue(request); });
  });
  while (slow_->waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(answer.wait_for(50ms), std::future_status::timeout);
  slow_->let_one_through();
  EXPECT_TRUE(value_of(ca_->find(value_of(answer.get()).certificate.serial_hex())).has_value());
}

TEST_F(ADomainCa, HandsOutNothingWhenTheStoreFails) {
  slow_->hold();
  auto* ca = ca_.get();
  const auto request = for_device(fresh_csr());
  auto answer = std::async(std::launch::async, [&] {
    return await<Result<IssuedCertificate>>([ca, request] { return ca->issue(request); });
  });
  while (slow_->waiting() == 0) std::this_thread::yield();
  slow_->let_one_through(false);
  const auto issued = answer.get();
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().code, PkiError::unavailable);
}

TEST_F(ADomainCa, IsTheSameAfterARestartAndRemembersWhatItIssued) {
  const auto before = ca_->certificate();
  const auto leaf = issue_ldevid();
  restart();
  EXPECT_EQ(ca_->certificate(), before);
  EXPECT_EQ(value_of(ca_->find(leaf.serial_hex())), leaf);
  EXPECT_EQ(value_of(ca_->find("00ff")), std::nullopt);
}

TEST_F(ADomainCa, DoesNotStartWithAnotherKeyOrNone) {
  close();
  const auto key_file = folder_ / "ca.key";
  std::filesystem::remove(key_file);
  store_ = value_of(store::Store::open(folder_ / "ca.db"));
  EXPECT_FALSE(DomainCa::open(*store_, clock_, options_).has_value());
  EXPECT_FALSE(std::filesystem::exists(key_file)) << "a new key under the old name";
  value_of(crypto::create_key_file(crypto::KeyType::p256, key_file));
  const auto opened = DomainCa::open(*store_, clock_, options_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, crypto::CryptoError::wrong_key);
}

TEST_F(ADomainCa, KeepsItsKeyToItself) {
  const auto permissions = std::filesystem::status(folder_ / "ca.key").permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(ADomainCa, LogsEveryCertificateAsAnEvent) {
  const auto leaf = issue_ldevid();
  const auto events = value_of(store_->read(1, 100));
  EXPECT_EQ(std::ranges::count(events, "certificate_issued", &store::Event::type), 1);
  EXPECT_NE(to_string(events.back().payload).find(leaf.serial_hex()), std::string::npos);
}

}  // namespace
}  // namespace cahn::pki
