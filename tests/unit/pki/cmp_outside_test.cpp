// `openssl cmp` against our server, over HTTPS.

#include "tests/unit/pki/cmp_support.h"

namespace cahn::pki {
namespace {

using test::value_of;

class CmpFromOutside : public test::CmpTest {
 protected:
  void write_identity(const std::string& name, const crypto::TlsIdentity& identity) {
    test::write(folder_ / (name + ".pem"), identity.chain.front().pem());
    test::write(folder_ / (name + ".key"), value_of(crypto::key_to_pem(*identity.key)));
  }
  // By a maker: openssl sends no self-signed certificate of its own along.
  crypto::TlsIdentity made_device(const std::string& serial_number) {
    const auto maker = device("maker");
    const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
    crypto::CertificateSpec spec;
    spec.subject = {{"serialNumber", serial_number}};
    spec.key = key->public_key();
    spec.not_before = clock_.now() - std::chrono::hours(1);
    spec.not_after = crypto::no_expiration();
    return {{value_of(crypto::issue_certificate(spec, *maker.key, &maker.chain.front()))}, key};
  }
  void new_key(const std::string& name) {
    test::write(folder_ / name, value_of(crypto::key_to_pem(*value_of(crypto::generate_key(crypto::KeyType::p256)))));
  }
  // As `who`, whose files are who.pem and who.key.
  std::pair<int, std::string> cmp(const std::string& path, const std::string& who, const std::string& arguments) {
    return openssl("cmp -server https://127.0.0.1:" + std::to_string(server_->port()) + " -path .well-known/cmp/" +
                   path + " -tls_used -tls_trusted ca.pem -trusted ca.pem -cert " + who + ".pem -key " + who +
                   ".key -recipient '/CN=ann@example.org' -total_timeout 60 " + arguments);
  }
  crypto::Certificate issued() {
    return value_of(crypto::Certificate::from_pem(to_string(value_of(read_file(folder_ / "out.pem")))));
  }
};

TEST_F(CmpFromOutside, OpensslInitialises) {
  write_identity("idevid", made_device("SN-1"));
  new_key("new.key");
  const auto [status, output] =
      cmp("initialization", "idevid",
          "-cmd ir -newkey new.key -subject /serialNumber=SN-1 -certout out.pem -cacertsout cas.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(openssl("verify -CAfile ca.pem out.pem").first, 0);
  EXPECT_EQ(issued().subject_serial_number(), "SN-1");
  EXPECT_EQ(ca_->revocation(issued().serial_hex()), std::nullopt) << "it was confirmed";
  EXPECT_EQ(value_of(crypto::Certificate::from_pem(to_string(value_of(read_file(folder_ / "cas.pem"))))),
            ca_->certificate());
}

TEST_F(CmpFromOutside, OpensslInitialisesWithImplicitConfirmation) {
  write_identity("idevid", made_device("SN-1"));
  new_key("new.key");
  const auto [status, output] = cmp("initialization", "idevid",
                                    "-cmd ir -newkey new.key -subject /serialNumber=SN-1 -certout out.pem "
                                    "-implicit_confirm");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(issued().subject_serial_number(), "SN-1");
}

TEST_F(CmpFromOutside, OpensslSendsPkcs10) {
  write_identity("idevid", made_device("SN-1"));
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  test::write(folder_ / "csr.der", as_text(csr_of(key, {.subject = {{"serialNumber", "SN-1"}}}).der()));
  const auto [status, output] = cmp("pkcs10", "idevid", "-cmd p10cr -csr csr.der -certout out.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(issued().public_key(), key->public_key());
}

TEST_F(CmpFromOutside, OpensslAsksForAFurtherCertificate) {
  write_identity("ldevid", member());
  new_key("new.key");
  const auto [status, output] =
      cmp("certification", "ldevid", "-cmd cr -newkey new.key -subject '/serialNumber=SN-1/CN=home' -certout out.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(authority_.renewals, 1);
}

TEST_F(CmpFromOutside, OpensslUpdatesItsKey) {
  const auto old = member();
  write_identity("ldevid", old);
  new_key("new.key");
  const auto [status, output] = cmp("keyupdate", "ldevid", "-cmd kur -newkey new.key -certout out.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(issued().subject(), old.chain.front().subject());
  EXPECT_NE(issued().public_key(), old.key->public_key());
}

TEST_F(CmpFromOutside, OpensslRevokes) {
  const auto who = member();
  write_identity("ldevid", who);
  const auto [status, output] = cmp("revocation", "ldevid", "-cmd rr -oldcert ldevid.pem -revreason 1");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(ca_->revocation(who.chain.front().serial_hex()), crypto::RevocationReason::key_compromise);
}

TEST_F(CmpFromOutside, OpensslPollsUntilTheCaHasDecided) {
  cmp_.check_after = std::chrono::seconds(1);
  restart_cmp();
  issuer_->hesitations = 2;
  write_identity("idevid", made_device("SN-1"));
  new_key("new.key");
  const auto [status, output] =
      cmp("initialization", "idevid", "-cmd ir -newkey new.key -subject /serialNumber=SN-1 -certout out.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(issuer_->hesitations, 0);
  EXPECT_EQ(issued().subject_serial_number(), "SN-1");
}

TEST_F(CmpFromOutside, OpensslIsToldWhyItIsRefused) {
  authority_.refusal = Error{PkiError::not_authorized, "no voucher was issued for this device"};
  write_identity("idevid", made_device("SN-1"));
  new_key("new.key");
  const auto [status, output] =
      cmp("initialization", "idevid", "-cmd ir -newkey new.key -subject /serialNumber=SN-1 -certout out.pem");
  EXPECT_NE(status, 0);
  EXPECT_NE(output.find("no voucher was issued"), output.npos) << output;
  EXPECT_NE(output.find("notAuthorized"), output.npos) << output;
}

TEST_F(CmpFromOutside, OpensslIsRefusedWithAPassword) {
  new_key("new.key");
  const auto [status, output] = openssl(
      "cmp -server https://127.0.0.1:" + std::to_string(server_->port()) +
      " -path .well-known/cmp/initialization -tls_used -tls_trusted ca.pem -trusted ca.pem -unprotected_errors "
      "-recipient '/CN=ann@example.org' -cmd ir -ref 1 -secret pass:x -newkey new.key -subject /serialNumber=SN-1 "
      "-certout out.pem");
  EXPECT_NE(status, 0);
  EXPECT_EQ(authority_.asked, 0);
}

}  // namespace
}  // namespace cahn::pki
