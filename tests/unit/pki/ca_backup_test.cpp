// RFC 8995 9.1.2: the domain CA's key is protected against loss: it comes back from a backup with all that it issued
// and revoked, and it may be in a token, which keeps it.

#include <cstdlib>
#include <filesystem>

#include "crypto/ocsp.h"
#include "tests/unit/pki/support.h"

namespace cahn::pki {
namespace {

using test::value_of;

class ABackupOfADomainCa : public test::CaTest {
 protected:
  // What docs/guide-registrar.md says: SQLite copies the store while it is in use, the key is a file.
  void back_up() {
    const auto [status, output] =
        test::run(folder_,
                  "rm -rf backup && mkdir -m 700 backup && sqlite3 ca.db '.backup backup/ca.db' && "
                  "for key in ca*.key; do cp -p \"$key\" backup/; done");
    ASSERT_EQ(status, 0) << output;
  }
  void lose_everything_and_restore() {
    close();
    const auto [status, output] = test::run(folder_, "rm -f ca.db* ca*.key && cp -p backup/* .");
    ASSERT_EQ(status, 0) << output;
    open();
  }
  bool verifies(const crypto::Certificate& certificate) {
    test::write(folder_ / "ca.pem", ca_->certificate().pem());
    test::write(folder_ / "leaf.pem", certificate.pem());
    return openssl("verify -CAfile ca.pem leaf.pem").first == 0;
  }
};

TEST_F(ABackupOfADomainCa, BringsBackItsKeyWhatItIssuedAndWhatItRevoked) {
  const auto root = ca_->certificate();
  const auto good = issue_ldevid("good"), revoked = issue_ldevid("revoked");
  ASSERT_TRUE(revoke(revoked.serial_hex(), crypto::RevocationReason::key_compromise));
  const auto number = crl().number();
  back_up();
  lose_everything_and_restore();
  EXPECT_EQ(ca_->certificate(), root);
  EXPECT_EQ(value_of(ca_->find(good.serial_hex())), good);
  EXPECT_EQ(ca_->revocation(revoked.serial_hex()), crypto::RevocationReason::key_compromise);
  EXPECT_FALSE(ca_->revocation(good.serial_hex()));
  EXPECT_GE(crl().number(), number);
  EXPECT_TRUE(crl().signed_by(root.public_key()));
  EXPECT_TRUE(verifies(issue_ldevid("later")));
}

TEST_F(ABackupOfADomainCa, BringsBackTheKeysItHadBefore) {
  const auto old_root = ca_->certificate();
  auto* ca = ca_.get();
  const std::string second = (folder_ / "ca-2.key").string();
  ASSERT_TRUE(await<Result<void>>([ca, second] { return ca->roll_over(second); }));
  const auto new_root = ca_->certificate();
  back_up();
  lose_everything_and_restore();
  EXPECT_EQ(ca_->roots(), (std::vector{new_root, old_root}));
  EXPECT_TRUE(verifies(issue_ldevid()));
}

TEST_F(ABackupOfADomainCa, WithoutTheKeyIsNotTakenForANewCa) {
  back_up();
  close();
  ASSERT_EQ(test::run(folder_, "rm -f ca.db* ca.key && cp -p backup/ca.db .").first, 0);
  store_ = value_of(store::Store::open(folder_ / "ca.db"));
  EXPECT_FALSE(DomainCa::open(*store_, clock_, options_));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "ca.key")) << "no other key is made in its place";
}

// --- a key that cannot be lost with the disk ----------------------------------------------------------------------

class ADomainCaWithItsKeyInAToken : public test::CaTest {
 protected:
  ADomainCaWithItsKeyInAToken() {
    test::write(folder_ / "softhsm.conf", "directories.tokendir = " + (folder_ / "tokens").string() + "\n");
    test::write(folder_ / "pin", "4711\n");
    std::filesystem::permissions(folder_ / "pin", std::filesystem::perms(0600));
    // Before any other use of the module in this process, which reads it once.
    ::setenv("SOFTHSM2_CONF", (folder_ / "softhsm.conf").c_str(), 1);
    const auto [status, output] = test::run(
        folder_,
        "mkdir -m 700 tokens && softhsm2-util --init-token --free --label domain --pin 4711 --so-pin 12345678 && "
        "pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label domain --login --pin 4711 "
        "--keypairgen --key-type EC:prime256v1 --label ca --id 01");
    EXPECT_EQ(status, 0) << output;
    close();
    options_.key_uri =
        "pkcs11:token=domain;object=ca;type=private?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:" +
        (folder_ / "pin").string();
    std::filesystem::remove(folder_ / "ca.key");
    for (const char* file : {"ca.db", "ca.db-wal", "ca.db-shm"}) std::filesystem::remove(folder_ / file);
    open();
  }
};

TEST_F(ADomainCaWithItsKeyInAToken, IssuesRevokesAnswersAndIsThereAgainAfterARestart) {
  const auto root = ca_->certificate();
  const auto first = issue_ldevid("1");
  ASSERT_TRUE(revoke(first.serial_hex()));
  restart();
  EXPECT_EQ(ca_->certificate(), root);
  const auto second = issue_ldevid("2");
  test::write(folder_ / "ca.pem", root.pem());
  test::write(folder_ / "leaf.pem", second.pem());
  EXPECT_EQ(openssl("verify -CAfile ca.pem leaf.pem").first, 0);
  const auto list = crl();
  EXPECT_TRUE(list.signed_by(root.public_key()));
  ASSERT_EQ(list.entries().size(), 1u);
  auto* ca = ca_.get();
  const Bytes request = value_of(crypto::make_ocsp_request(second, root));
  const Bytes response = await<Bytes>([ca, request] { return ca->answer_ocsp(request); });
  EXPECT_EQ(value_of(crypto::read_ocsp_response(response, second, root, clock_.now())).status,
            crypto::OcspAnswer::Status::good);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "ca.key")) << "the key never was in a file";
}

}  // namespace
}  // namespace cahn::pki
