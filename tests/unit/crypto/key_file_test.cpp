#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "crypto/key.h"
#include "tests/support/pki/pki.h"

namespace cahn::crypto {
namespace {

using test::must;

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "cahn-key-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "key.pem";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void expect_unavailable(std::string_view uri) {
    const auto opened = open_key(uri);
    ASSERT_FALSE(opened) << uri;
    EXPECT_EQ(opened.error().code, CryptoError::key_unavailable) << opened.error().message;
  }

  std::filesystem::path folder_, path_;
};

TEST_F(KeyFile, IsMadeForItsOwnerAlone) {
  must(create_key_file(KeyType::p256, path_));
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(KeyFile, OpensByPathAndByUri) {
  const auto made = must(create_key_file(KeyType::ed25519, path_));
  EXPECT_EQ(must(open_key(path_.string()))->public_key(), made->public_key());
  EXPECT_EQ(must(open_key("file:" + path_.string()))->public_key(), made->public_key());
  EXPECT_EQ(must(open_key("file://" + path_.string()))->public_key(), made->public_key());
  EXPECT_EQ(made->uri(), "file:" + path_.string());
}

TEST_F(KeyFile, OpensByAnEscapedUri) {
  const auto made = must(create_key_file(KeyType::p256, folder_ / "a key.pem"));
  EXPECT_EQ(must(open_key("file:" + folder_.string() + "/a%20key.pem"))->public_key(), made->public_key());
  expect_unavailable("file:" + folder_.string() + "/a%2");
}

TEST_F(KeyFile, IsNotOverwritten) {
  const auto made = must(create_key_file(KeyType::p256, path_));
  const auto again = create_key_file(KeyType::p256, path_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, FileError::exists);
  EXPECT_EQ(must(open_key(path_.string()))->public_key(), made->public_key());
}

TEST_F(KeyFile, ThatOthersCanReadIsRefused) {
  must(create_key_file(KeyType::p256, path_));
  for (const mode_t mode : {0640, 0604, 0620, 0601}) {
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    expect_unavailable(path_.string());
  }
}

TEST_F(KeyFile, ThatIsNotThereOrNoFileIsUnavailable) {
  expect_unavailable(path_.string());
  expect_unavailable("");
  expect_unavailable("file:relative.pem");
  ASSERT_EQ(::chmod(folder_.c_str(), 0700), 0);
  expect_unavailable(folder_.string());
}

TEST_F(KeyFile, WithSomethingElseInItIsMalformed) {
  must(write_file(path_, as_bytes("not a key"), FileMode::secret));
  const auto opened = open_key(path_.string());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, CryptoError::malformed);
}

TEST_F(KeyFile, IsMadeOnceAndThenOpened) {
  const auto first = must(open_or_create_key_file(KeyType::p256, path_));
  const auto second = must(open_or_create_key_file(KeyType::p256, path_));
  EXPECT_EQ(first->public_key(), second->public_key());
}

TEST(TokenKey, IsNotOpenedByAUriWithAPinInIt) {
  for (const char* uri : {"pkcs11:token=reg;object=cakey?pin-value=1234", "tpm2:handle=0x81010010?pin-value=1234"}) {
    const auto opened = open_key(uri);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, CryptoError::key_unavailable);
    EXPECT_EQ(opened.error().message.find("1234"), std::string::npos) << "a PIN in a message";
  }
}

// `openssl genpkey -algorithm EC … -aes128 -pass pass:x`: would otherwise ask the terminal and hang.
TEST(PemKey, ThatNeedsAPassphraseIsMalformed) {
  const auto opened = key_from_pem(
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhYbKmIqJDXSAICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEID0FTvxBj0sUXQkyaJXYVoEgZAG\n"
      "nBACrpMbTW4Ov/AMtjes20uqAiBOcarW7Mu0ty37xeGESROAi5aMD4WDDBiXxPC8\n"
      "uHcoq+N1A55+lcyWOFvPa5ykjMA8Y/Hvu2pSI5OQt9huW/Xc5S70s07gpm6ddxTF\n"
      "glqgkTM7/gzET4wCdArp8vB8N/jzdqQu+QvNBZQ85as6z9SjTnUSm5KsljSNzig=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, CryptoError::malformed);
}

}  // namespace
}  // namespace cahn::crypto
