#include "bearer/dot1x/supervised_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "bearer/bearer.h"
#include "tests/unit/bearer/fake_hostapd.h"

namespace cahn::bearer::dot1x {
namespace {

using test::eventually;

class NeighbourProgram : public testing::Test {
 protected:
  Program shell(const std::string& script) const {
    return {"sh", {"/bin/sh", "-c", script}, folder_.path() / "output"};
  }
  std::string text_of(const char* name) const {
    const auto text = read_file(folder_.path() / name);
    return text ? to_string(*text) : "";
  }
  pid_t pid_in(const char* name) const {
    eventually([&] { return text_of(name).ends_with('\n'); });
    return static_cast<pid_t>(std::atoi(text_of(name).c_str()));
  }
  static bool runs(pid_t pid) { return ::kill(pid, 0) == 0; }

  test::TemporaryFolder folder_;
};

TEST_F(NeighbourProgram, IsStartedAgainWhenItEnds) {
  std::atomic<int> ends{0};
  const auto process =
      SupervisedProcess::start(shell("echo x >>" + (folder_.path() / "runs").native()), [&] { ++ends; });
  EXPECT_TRUE(eventually([&] { return text_of("runs").size() >= 4; }));
  EXPECT_GE(ends, 1);
}

TEST_F(NeighbourProgram, EndsWithItsOwner) {
  auto process = SupervisedProcess::start(shell("echo $$; exec sleep 1000"), {});
  const pid_t pid = pid_in("output");
  ASSERT_TRUE(runs(pid));
  process.reset();
  EXPECT_FALSE(runs(pid));
}

TEST_F(NeighbourProgram, EndsEvenIfItDoesNotWantTo) {
  auto process = SupervisedProcess::start(shell("trap '' TERM; echo $$; while :; do sleep 0.05; done"), {});
  const pid_t pid = pid_in("output");
  process.reset();
  EXPECT_FALSE(runs(pid));
}

TEST_F(NeighbourProgram, DiesWhenItsOwnerIsKilled) {
  const pid_t owner = ::fork();
  if (owner == 0) {
    const auto process = SupervisedProcess::start(shell("echo $$; exec sleep 1000"), {});
    ::pause();
    ::_exit(0);
  }
  const pid_t pid = pid_in("output");
  EXPECT_TRUE(runs(pid));
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !runs(pid); }));
}

TEST_F(NeighbourProgram, InheritsNoFileOfOurs) {
  const FileDescriptor ours(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ASSERT_TRUE(run_to_end(shell("ls /proc/self/fd")).has_value());
  EXPECT_EQ(text_of("output"), "0\n1\n2\n3\n");  // 3 is the directory that ls reads
}

TEST_F(NeighbourProgram, ThatFailsSaysWhy) {
  const auto done = run_to_end(shell("echo no such port; exit 3"));
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().message.find("no such port"), std::string::npos);
  const Program missing{"missing", {"/nonexistent/program"}, folder_.path() / "output"};
  EXPECT_FALSE(run_to_end(missing).has_value());
}

}  // namespace
}  // namespace cahn::bearer::dot1x
