// Who may have an LDevID, and as whom: the registrar as authority of the EST server beside it.

#include <gtest/gtest.h>

#include "crypto/csr.h"
#include "pki/est_client.h"
#include "requests.h"

namespace cahn::brski {
namespace {

using admission::PolicyPoint;
using test::Device;
using test::need;
using test::Road;
using test::ScriptedAdmission;

constexpr std::string_view simpleenroll = "/.well-known/est/simpleenroll";
constexpr std::string_view simplereenroll = "/.well-known/est/simplereenroll";

class AnEnrolment : public testing::Test {
 protected:
  net::HttpResponse est(std::string_view path, const std::optional<crypto::TlsIdentity>& identity,
                        crypto::CsrSpec spec) {
    const auto key = need(crypto::generate_key(crypto::KeyType::p256));
    const std::string body = base64(need(crypto::make_csr(spec, *key)));
    return need(test::send(road_, road_.registrar_endpoint(), identity,
                           test::post(path, "application/pkcs10", as_bytes(body))));
  }
  net::HttpResponse enrol(const Device& device, const crypto::CsrSpec& spec) {
    return est(simpleenroll, device.idevid, spec);
  }
  static crypto::CsrSpec csr_of(const Device& device) {
    crypto::CsrSpec spec;
    spec.subject = {{"serialNumber", device.serial_number}};
    return spec;
  }
  // A device that has a voucher, and no LDevID yet.
  Device vouchered(const std::string& serial_number) {
    const Device device = road_.born(serial_number);
    const Bytes request = test::signed_pledge_request(device, road_.registrar_identity().chain.front());
    const auto answer = need(test::request_voucher(road_, road_.registrar_endpoint(), device.idevid, request));
    EXPECT_EQ(answer.status, 200) << as_text(answer.body);
    return device;
  }
  NetworkCredential enrolled(const std::string& serial_number) {
    const auto pledge = need(Pledge::open(road_.pledge_options(road_.born(serial_number))));
    return need(road_.onboard(*pledge));
  }
  static crypto::TlsIdentity identity_of(const NetworkCredential& credential) {
    return {{credential.ldevid}, credential.key};
  }
  static crypto::CsrSpec renewal_of(const NetworkCredential& credential) {
    crypto::CsrSpec spec;
    spec.subject = credential.ldevid.subject();
    spec.uris = credential.ldevid.uris();
    return spec;
  }
  std::size_t ldevids_of(const Device& device) const {
    const auto record = road_.registry().by_idevid(device.certificate());
    return record ? record->ldevids.size() : 0;
  }

  Road road_;
};

TEST_F(AnEnrolment, OfAVoucheredDeviceSucceeds) {
  const Device device = vouchered("1");
  EXPECT_EQ(enrol(device, csr_of(device)).status, 200);
  EXPECT_EQ(ldevids_of(device), 1u);
}

TEST_F(AnEnrolment, WithoutAVoucherIsRefused) {
  const Device device = road_.born("1");
  const auto answer = enrol(device, csr_of(device));
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(as_text(answer.body).find("no voucher"), std::string_view::npos) << as_text(answer.body);
  EXPECT_EQ(ldevids_of(device), 0u);
}

TEST_F(AnEnrolment, WithTheVoucherOfAnotherDeviceIsRefused) {
  vouchered("1");
  const Device other = road_.born("2");
  EXPECT_EQ(enrol(other, csr_of(other)).status, 403);
}

TEST_F(AnEnrolment, WithoutCertificateOrWithAStrangersIsRefused) {
  const Device device = vouchered("1");
  EXPECT_EQ(est(simpleenroll, std::nullopt, csr_of(device)).status, 401);
  const Device stranger = test::make_device(test::Maker::make("Other"), "1", "masa.example");
  EXPECT_EQ(enrol(stranger, csr_of(stranger)).status, 403);
}

TEST_F(AnEnrolment, WhilePolicyDeniesIsRefused) {  // decision 51: a device that is cut off cannot simply enrol again
  const Device device = vouchered("1");
  road_.registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::deny);
  const auto answer = enrol(device, csr_of(device));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(as_text(answer.body).find("script"), std::string_view::npos);
  EXPECT_EQ(ldevids_of(device), 0u);
  road_.registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::permit);
  EXPECT_EQ(enrol(device, csr_of(device)).status, 200);
}

TEST_F(AnEnrolment, WhilePolicyIsUndecidedIsToBeRepeated) {
  const Device device = vouchered("1");
  road_.registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::later);
  const auto answer = enrol(device, csr_of(device));
  EXPECT_EQ(answer.status, 202);
  EXPECT_TRUE(answer.headers.get("Retry-After"));
  EXPECT_EQ(ldevids_of(device), 0u);
}

TEST_F(AnEnrolment, ForACAIsRefused) {
  const Device device = vouchered("1");
  crypto::CsrSpec spec = csr_of(device);
  spec.ask_for_ca = true;
  const auto answer = enrol(device, spec);
  EXPECT_EQ(answer.status, 403) << as_text(answer.body);
  EXPECT_EQ(ldevids_of(device), 0u);
  EXPECT_EQ(enrol(device, csr_of(device)).status, 200) << "the next honest request works";
}

TEST_F(AnEnrolment, AsAnotherDeviceIsRefused) {
  const Device device = vouchered("1");
  vouchered("2");
  for (const crypto::Name& subject : {crypto::Name{{"serialNumber", "2"}}, crypto::Name{{"CN", "someone else"}},
                                      crypto::Name{{"CN", "lab network"}, {"serialNumber", "2"}}}) {
    crypto::CsrSpec spec;
    spec.subject = subject;
    EXPECT_EQ(enrol(device, spec).status, 403) << crypto::to_text(subject);
  }
  crypto::CsrSpec named = csr_of(device);
  named.dns_names = {"registrar.example.org"};
  EXPECT_EQ(enrol(device, named).status, 403);
  EXPECT_EQ(ldevids_of(device), 0u);
}

// The domain CA would refuse as well; the registrar must not leave it to an issuer that may be somebody else's.
TEST_F(AnEnrolment, AsAnotherDeviceIsRefusedByTheRegistrarItself) {
  const Device device = vouchered("1");
  const std::vector<crypto::Certificate> client{device.certificate()};
  const auto asked_as = [&](const std::string& serial_number) {
    crypto::CsrSpec spec;
    spec.subject = {{"serialNumber", serial_number}};
    const auto csr =
        need(crypto::Csr::from_der(need(crypto::make_csr(spec, *need(crypto::generate_key(crypto::KeyType::p256))))));
    return road_.run<Result<pki::EnrolmentGrant>>([&]() { return road_.registrar().may_enrol(client, csr); });
  };
  EXPECT_TRUE(asked_as("1"));
  const auto other = asked_as("2");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, pki::PkiError::not_permitted);
}

TEST_F(AnEnrolment, WithAnLDevIDInsteadOfTheIDevIDIsRefused) {
  const NetworkCredential credential = enrolled("1");
  crypto::CsrSpec spec;
  spec.subject = {{"serialNumber", "1"}};
  EXPECT_EQ(est(simpleenroll, identity_of(credential), spec).status, 403);
}

TEST_F(AnEnrolment, WithMalformedBodiesIsRefusedAndTheNextOneWorks) {
  const Device device = vouchered("1");
  for (const std::string& body :
       {std::string(), std::string("AAAA"), std::string("not base64!"), std::string(5000, 'A')}) {
    const auto answer = need(test::send(road_, road_.registrar_endpoint(), device.idevid,
                                        test::post(simpleenroll, "application/pkcs10", as_bytes(body))));
    EXPECT_EQ(answer.status, 400) << body.substr(0, 20);
  }
  EXPECT_EQ(enrol(device, csr_of(device)).status, 200);
}

class ARenewal : public AnEnrolment {
 protected:
  net::HttpResponse renew(const NetworkCredential& credential) {
    return est(simplereenroll, identity_of(credential), renewal_of(credential));
  }
};

TEST_F(ARenewal, OfAValidLDevIDSucceedsAndKeepsItsNames) {
  const auto pledge = need(Pledge::open(road_.pledge_options(road_.born("1"))));
  const NetworkCredential first = need(road_.onboard(*pledge));
  const auto second = road_.run<Result<NetworkCredential>>([&]() { return pledge->renew(); });
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->ldevid.subject(), first.ldevid.subject());
  EXPECT_EQ(second->ldevid.uris(), first.ldevid.uris());
  EXPECT_FALSE(second->ldevid.public_key() == first.ldevid.public_key());
  const auto record = road_.registry().by_ldevid_serial(second->ldevid.serial_hex());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->ldevids.size(), 2u);
}

TEST_F(ARenewal, WithoutSubjectAltNameInTheRequestIsTaken) {
  const NetworkCredential credential = enrolled("1");
  crypto::CsrSpec spec = renewal_of(credential);
  spec.uris.clear();
  EXPECT_EQ(est(simplereenroll, identity_of(credential), spec).status, 200);
}

TEST_F(ARenewal, WhilePolicyDeniesIsRefused) {
  const NetworkCredential credential = enrolled("1");
  road_.registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::deny);
  EXPECT_EQ(renew(credential).status, 403);
  road_.registrar_policy().answer(PolicyPoint::registrar_enrols, ScriptedAdmission::Verdict::permit);
  EXPECT_EQ(renew(credential).status, 200);
}

TEST_F(ARenewal, OfAnLDevIDOnHoldIsRefusedUntilTheHoldIsDropped) {  // decision 25
  const NetworkCredential credential = enrolled("1");
  const std::string serial = credential.ldevid.serial_hex();
  need(road_.run<Result<void>>(
      [&]() { return road_.domain_ca().revoke(serial, crypto::RevocationReason::certificate_hold); }));
  const auto held = renew(credential);
  EXPECT_EQ(held.status, 403);
  EXPECT_NE(as_text(held.body).find("hold"), std::string_view::npos) << as_text(held.body);
  need(road_.run<Result<void>>([&]() { return road_.domain_ca().release(serial); }));
  EXPECT_EQ(renew(credential).status, 200);
}

TEST_F(ARenewal, OfARevokedLDevIDIsRefused) {
  const NetworkCredential credential = enrolled("1");
  need(road_.run<Result<void>>([&]() {
    return road_.domain_ca().revoke(credential.ldevid.serial_hex(), crypto::RevocationReason::key_compromise);
  }));
  EXPECT_EQ(renew(credential).status, 403);
}

TEST_F(ARenewal, AsSomebodyElseIsRefused) {
  const NetworkCredential credential = enrolled("1");
  crypto::CsrSpec spec = renewal_of(credential);
  spec.subject = {{"CN", "lab network"}, {"serialNumber", "2"}};
  EXPECT_EQ(est(simplereenroll, identity_of(credential), spec).status, 403);
  spec = renewal_of(credential);
  spec.uris = {"urn:cahn:network:another"};
  EXPECT_EQ(est(simplereenroll, identity_of(credential), spec).status, 403);
  spec = renewal_of(credential);
  spec.ask_for_ca = true;
  EXPECT_EQ(est(simplereenroll, identity_of(credential), spec).status, 403);
}

// The EST server and the CA refuse these too; the registrar does not lean on them.
TEST_F(ARenewal, AsSomebodyElseIsRefusedByTheRegistrarItself) {
  const NetworkCredential credential = enrolled("1");
  const auto asked_as = [&](Registrar& registrar, const crypto::CsrSpec& spec) {
    const auto csr = need(crypto::Csr::from_der(need(crypto::make_csr(spec, *credential.key))));
    const std::vector<crypto::Certificate> client{credential.ldevid};
    return road_.run<Result<pki::EnrolmentGrant>>([&]() { return registrar.may_reenrol(client, csr); });
  };
  EXPECT_TRUE(asked_as(road_.registrar(), renewal_of(credential)));
  crypto::CsrSpec spec = renewal_of(credential);
  spec.subject = {{"CN", "lab network"}};
  const auto other_subject = asked_as(road_.registrar(), spec);
  ASSERT_FALSE(other_subject);
  EXPECT_EQ(other_subject.error().code, pki::PkiError::not_permitted);
  spec = renewal_of(credential);
  spec.uris = {"urn:cahn:network:another"};
  const auto other_name = asked_as(road_.registrar(), spec);
  ASSERT_FALSE(other_name);
  EXPECT_EQ(other_name.error().code, pki::PkiError::not_permitted);
}

TEST_F(ARenewal, OfAnExpiredLDevIDIsRefused) {
  const NetworkCredential credential = enrolled("1");
  const ManualClock later(system_clock().now() + std::chrono::days(2 * 365));
  RegistrarOptions options;
  options.identity = road_.registrar_identity();
  options.domain_ca = {road_.domain_ca().certificate()};
  options.manufacturers = {road_.manufacturer(road_.maker())};
  options.network = "lab network";
  options.name_of_key = test::name_of_key;
  options.revocation = [](std::string_view) { return std::nullopt; };
  options.store = &road_.registrar_store();
  const auto registrar = need(Registrar::create(road_.runtime().executor(), std::move(options),
                                                road_.registrar_policy(), road_.registry(), later));
  const auto csr = need(crypto::Csr::from_der(need(crypto::make_csr(renewal_of(credential), *credential.key))));
  const std::vector<crypto::Certificate> client{credential.ldevid};
  const auto grant = road_.run<Result<pki::EnrolmentGrant>>([&]() { return registrar->may_reenrol(client, csr); });
  ASSERT_FALSE(grant);
  EXPECT_NE(grant.error().message.find("not valid"), std::string::npos) << grant.error().message;
}

TEST_F(ARenewal, WithTheIDevIDIsRefused) {
  const Device device = vouchered("1");
  crypto::CsrSpec spec;
  spec.subject = device.certificate().subject();
  EXPECT_EQ(est(simplereenroll, device.idevid, spec).status, 403);
  // Not only because the domain CA would not issue it either.
  const std::vector<crypto::Certificate> client{device.certificate()};
  const auto csr = need(crypto::Csr::from_der(need(crypto::make_csr(spec, *device.idevid.key))));
  const auto asked =
      road_.run<Result<pki::EnrolmentGrant>>([&]() { return road_.registrar().may_reenrol(client, csr); });
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, pki::PkiError::not_authorized);
}

TEST_F(ARenewal, WithAnotherCertificateUnderTheSameSerialNumberIsRefused) {
  // The domain CA's own key is stolen here to make the twin; what saves us is the record of what was really issued.
  const NetworkCredential credential = enrolled("1");
  const crypto::PrivateKeyPtr ca_key = need(crypto::open_key("file:" + road_.folder("ca.key").string()));
  const auto key = need(crypto::generate_key(crypto::KeyType::p256));
  crypto::CertificateSpec spec;
  spec.subject = credential.ldevid.subject();
  spec.uris = credential.ldevid.uris();
  spec.key = key->public_key();
  spec.not_before = credential.ldevid.not_before();
  spec.not_after = credential.ldevid.not_after();
  spec.serial = need(hex_decode(credential.ldevid.serial_hex()));
  const auto twin = need(crypto::issue_certificate(spec, *ca_key, &road_.domain_ca().certificate()));
  const NetworkCredential forged{key, twin, credential.domain_ca, {}, credential.network, credential.registrar};
  EXPECT_EQ(renew(forged).status, 403);
}

TEST_F(ARenewal, IsRefusedOnceTheMakerIsNoLongerDealtWith) {
  const NetworkCredential credential = enrolled("1");
  need(road_.registrar().set_manufacturers({road_.manufacturer(test::Maker::make("Other"))}));
  EXPECT_EQ(renew(credential).status, 403);
}

}  // namespace
}  // namespace cahn::brski
