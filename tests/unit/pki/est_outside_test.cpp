// EST clients that are not ours: curl enrols, strongSwan reads cacerts and renews (decision 72).

#include "tests/unit/pki/est_support.h"

namespace cahn::pki {
namespace {

using test::value_of;

class EstFromOutside : public test::EstTest {
 protected:
  EstFromOutside() { test::write(folder_ / "ca.pem", ca_->certificate().pem()); }
  void write_identity(const std::string& name, const crypto::TlsIdentity& identity) {
    test::write(folder_ / (name + ".pem"), identity.chain.front().pem());
    test::write(folder_ / (name + ".key"), value_of(crypto::key_to_pem(*identity.key)));
  }
  std::string url() const { return "https://localhost:" + std::to_string(server_->port()); }
  std::pair<int, std::string> verify(const std::string& file) { return openssl("verify -CAfile ca.pem " + file); }
};

TEST_F(EstFromOutside, CurlEnrolsWithAnIdevid) {
  write_identity("idevid", device("SN-1"));
  test::write(folder_ / "csr.b64", body_of(fresh_csr()));
  const auto [status, output] = test::run(
      folder_,
      "curl -sS --fail-with-body --max-time 20 --cacert ca.pem --cert idevid.pem --key idevid.key -H 'Content-Type: "
      "application/pkcs10' --data-binary @csr.b64 " +
          url() +
          "/.well-known/est/simpleenroll -o answer.b64 && "
          "openssl base64 -d -A -in answer.b64 | openssl pkcs7 -inform DER -print_certs -out ldevid.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(verify("ldevid.pem").first, 0);
  EXPECT_NE(openssl("x509 -in ldevid.pem -noout -subject").second.find("serialNumber = SN-1"), std::string::npos);
}

TEST_F(EstFromOutside, StrongswanReadsTheCaCertificates) {
  const auto [status, output] = test::run(
      folder_, "pki --estca --url " + url() + " --cacert ca.pem --caout est.pem --outform pem --force && cat est*.pem");
  ASSERT_EQ(status, 0) << output;
  EXPECT_NE(output.find(ca_->certificate().pem().substr(0, 200)), std::string::npos) << output;
}

TEST_F(EstFromOutside, StrongswanRenewsAnLdevid) {
  const auto key = value_of(crypto::generate_key(crypto::KeyType::p256));
  const auto ldevid = value_of(enrol(device("SN-1"), csr_of(key).der()));
  write_identity("old", {{ldevid}, key});
  test::write(folder_ / "csr.der", as_text(fresh_csr({.subject = ldevid.subject()}).der()));
  const auto [status, output] =
      test::run(folder_, "pki --est --url " + url() +
                             " --in csr.der --cacert ca.pem --cert old.pem --key old.key --outform pem 2>log "
                             "> renewed.pem; code=$?; cat log; exit $code");
  ASSERT_EQ(status, 0) << output;
  EXPECT_EQ(verify("renewed.pem").first, 0);
  EXPECT_EQ(authority_.renewals, 1);
}

}  // namespace
}  // namespace cahn::pki
