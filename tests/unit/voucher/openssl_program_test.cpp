// Our vouchers and those of the `openssl` program, read by each other.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "tests/support/pki/pki.h"
#include "voucher/signed_voucher.h"

namespace cahn::voucher {
namespace {

using test::must;
using test::Pki;

class TheOpensslProgram : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "cahn-cms-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    put("masa.pem", pki_.masa().certificate.pem());
    put("ca.pem", pki_.masa_ca().certificate.pem());
    must(write_file(folder_ / "key.pem", as_bytes(must(crypto::key_to_pem(*pki_.masa().key))), FileMode::secret));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void put(const char* name, std::string_view text) { must(write_file(folder_ / name, as_bytes(text))); }
  // The exit status of `openssl` with these arguments, run in the folder.
  int openssl(const std::string& arguments) {
    const std::string command = "cd '" + folder_.string() + "' && openssl " + arguments + " >output 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string output() { return to_string(must(read_file(folder_ / "output"))); }

  static void must(const Result<void>& result) { ASSERT_TRUE(result); }
  template <typename T>
  static T must(Result<T> result) {
    return test::must(std::move(result));
  }

  const Pki pki_;
  const Voucher voucher_ = pki_.voucher_for("42", "bm9uY2U=");
  std::filesystem::path folder_;
};

TEST_F(TheOpensslProgram, VerifiesOurVoucher) {
  must(write_file(folder_ / "voucher.cms", pki_.sign(voucher_)));
  ASSERT_EQ(openssl("cms -verify -inform DER -in voucher.cms -purpose any -CAfile ca.pem -out content.json"), 0)
      << output();
  EXPECT_EQ(to_string(must(read_file(folder_ / "content.json"))), to_json(voucher_, Root::voucher));
  ASSERT_EQ(openssl("cms -cmsout -print -inform DER -in voucher.cms"), 0);
  EXPECT_NE(output().find("1.2.840.113549.1.9.16.1.40"), std::string::npos);
}

TEST_F(TheOpensslProgram, RefusesOurVoucherWithOneOctetChanged) {
  Bytes cms = pki_.sign(voucher_);
  const std::string_view text = "bm9uY2U=";
  const auto at = std::search(cms.begin(), cms.end(), text.begin(), text.end());
  ASSERT_NE(at, cms.end());
  *at = 'c';
  must(write_file(folder_ / "voucher.cms", cms));
  EXPECT_NE(openssl("cms -verify -inform DER -in voucher.cms -purpose any -CAfile ca.pem -out content.json"), 0);
}

TEST_F(TheOpensslProgram, SignsVouchersThatAPledgeAccepts) {
  put("voucher.json", to_json(voucher_, Root::voucher));
  for (const std::string type : {"1.2.840.113549.1.9.16.1.40", "1.2.840.113549.1.7.1"}) {
    // Streamed messages are BER: indefinite lengths, and the content in pieces.
    for (const char* option : {"", " -keyid", " -stream"}) {
      ASSERT_EQ(
          openssl("cms -sign -in voucher.json -signer masa.pem -inkey key.pem -certfile ca.pem -outform DER -nodetach "
                  "-binary -econtent_type " +
                  type + option + " -out voucher.cms"),
          0)
          << output();
      PledgeExpectation expected = pki_.expectation("42", "bm9uY2U=");
      expected.now = system_clock().now() + std::chrono::seconds(1);  // the program writes the real signing time
      const auto read = read_as_pledge(must(read_file(folder_ / "voucher.cms")), expected);
      ASSERT_TRUE(read) << type << option << ": " << read.error().message;
      EXPECT_EQ(read->pinned_domain_cert, pki_.domain().certificate);
    }
  }
}

TEST_F(TheOpensslProgram, ReadsTheCertificatesOfACertsOnlyMessage) {
  must(write_file(folder_ / "certs.p7", must(crypto::certs_only(pki_.masa().chain))));
  ASSERT_EQ(openssl("pkcs7 -inform DER -in certs.p7 -print_certs -noout"), 0);
  EXPECT_NE(output().find("MASA CA"), std::string::npos);
}

}  // namespace
}  // namespace cahn::voucher
