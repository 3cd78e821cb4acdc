#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/base/temporary_folder.h"

namespace cahn {
namespace {

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0U;
}

class Files : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
};

TEST_F(Files, AreReadBackAsWritten) {
  const Bytes bytes = random_bytes(200'000);
  ASSERT_TRUE(write_file(folder_ / "a", bytes));
  EXPECT_EQ(read_file(folder_ / "a").value(), bytes);
  ASSERT_TRUE(write_file(folder_ / "a", {}));
  EXPECT_TRUE(read_file(folder_ / "a").value().empty());
}

TEST_F(Files, LeaveNoTemporaryBehind) {
  ASSERT_TRUE(write_file(folder_ / "a", as_bytes("1")));
  EXPECT_FALSE(create_file(folder_ / "a", as_bytes("2")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(Files, SecretsAreReadableByTheOwnerAlone) {
  ASSERT_TRUE(write_file(folder_ / "key", as_bytes("k"), FileMode::secret));
  EXPECT_EQ(mode_of(folder_ / "key"), 0600U);
  ASSERT_TRUE(create_file(folder_ / "other", as_bytes("k"), FileMode::secret));
  EXPECT_EQ(mode_of(folder_ / "other"), 0600U);
}

TEST_F(Files, AFileReplacedWhileHeldOpenKeepsItsOldContentForItsReader) {
  ASSERT_TRUE(write_file(folder_ / "a", as_bytes("old")));
  std::FILE* held = std::fopen((folder_ / "a").c_str(), "r");
  ASSERT_NE(held, nullptr);
  ASSERT_TRUE(write_file(folder_ / "a", as_bytes("new")));
  char text[4] = {};
  EXPECT_EQ(std::fread(text, 1, 3, held), 3U);
  std::fclose(held);
  EXPECT_STREQ(text, "old");
  EXPECT_EQ(to_string(read_file(folder_ / "a").value()), "new");
}

TEST_F(Files, CreatingRefusesToReplace) {
  ASSERT_TRUE(create_file(folder_ / "a", as_bytes("1")));
  const auto again = create_file(folder_ / "a", as_bytes("2"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, FileError::exists);
  EXPECT_EQ(to_string(read_file(folder_ / "a").value()), "1");
}

TEST_F(Files, AreRefusedWhenTooLargeAndReadAtTheBound) {
  ASSERT_TRUE(write_file(folder_ / "a", Bytes(101, 0)));
  EXPECT_EQ(read_file(folder_ / "a", 100).error().code, FileError::too_large);
  EXPECT_EQ(read_file(folder_ / "a", 101).value().size(), 101U);
  // A device file has no size to look at beforehand.
  EXPECT_EQ(read_file("/dev/zero", 1000).error().code, FileError::too_large);
}

TEST_F(Files, SayWhatIsWrongByName) {
  EXPECT_EQ(read_file(folder_ / "none").error().code, FileError::not_found);
  EXPECT_EQ(read_file(folder_.path()).error().code, FileError::not_readable);
  EXPECT_EQ(write_file(folder_ / "none/a", {}).error().code, FileError::not_writable);
}

TEST_F(Files, AStateDirectoryIsPrivateAndHeldByOne) {
  auto first = StateDirectory::open(folder_ / "deep/er/state");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(mode_of(first->path()), 0700U);
  EXPECT_EQ(StateDirectory::open(first->path()).error().code, FileError::locked);
  const auto path = first->path();
  {
    const StateDirectory moved = std::move(*first);
  }
  EXPECT_TRUE(StateDirectory::open(path));
}

TEST_F(Files, AStateDirectoryIsHeldAgainstAnotherProcess) {
  const auto held = StateDirectory::open(folder_ / "state");
  ASSERT_TRUE(held);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto second = StateDirectory::open(folder_ / "state");
    ::_exit(!second && second.error().code == FileError::locked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(Files, AStateDirectoryOpenToOthersIsRefused) {
  ASSERT_TRUE(std::filesystem::create_directory(folder_ / "open"));
  ASSERT_EQ(::chmod((folder_ / "open").c_str(), 0750), 0);
  EXPECT_EQ(StateDirectory::open(folder_ / "open").error().code, FileError::bad_permissions);
}

}  // namespace
}  // namespace cahn
