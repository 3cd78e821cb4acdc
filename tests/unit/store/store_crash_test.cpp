// A process that is killed at any moment loses nothing it acknowledged. (What a power cut loses is the subject of
// store_durability_test.cpp: the page cache outlives a process.)

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "tests/unit/base/temporary_folder.h"
#include "tests/unit/store/store_contract.h"

namespace cahn::store {
namespace {

// Commits from the child and reports each acknowledged position through `pipe`, for ever.
[[noreturn]] void commit_for_ever(StorePlace& place, int pipe) {
  auto store = place.open();
  if (!store) ::_exit(1);
  for (std::uint64_t i = 0;; ++i) {
    std::string payload = std::to_string(i) + std::string(i % 3000, 'x');
    Batch batch = batch_of(payload);
    (*store)->commit(std::move(batch), [pipe](Result<Committed> committed) {
      if (!committed) return;  // the queue is full: not acknowledged
      const Position position = committed->last;
      if (::write(pipe, &position, sizeof(position)) != sizeof(position)) ::_exit(1);
    });
    if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

class ACrash : public testing::TestWithParam<Implementation> {};

TEST_P(ACrash, LosesNothingThatWasAcknowledged) {
  std::mt19937 random(7);
  const auto place = GetParam().make_place();
  Position acknowledged_ever = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      commit_for_ever(*place, ends[1]);
    }
    ::close(ends[1]);
    Position acknowledged = 0;
    // Killed after a number of acknowledgements, so that every round has some whatever the disk's speed.
    const auto wanted = std::uniform_int_distribution(1, 300)(random);
    for (int i = 0; i < wanted; ++i) {
      if (::read(ends[0], &acknowledged, sizeof(acknowledged)) != sizeof(acknowledged)) break;
    }
    ::kill(child, SIGKILL);
    Position position = 0;
    while (::read(ends[0], &position, sizeof(position)) == sizeof(position)) acknowledged = position;
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child could not open the store";

    ASSERT_GT(acknowledged, acknowledged_ever);
    acknowledged_ever = acknowledged;
    const auto store = place->open();
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_GE((*store)->last_position(), acknowledged);
    const auto events = (*store)->read(1, 1'000'000);
    ASSERT_TRUE(events) << events.error().message;  // and has no gap
    EXPECT_EQ(events->size(), (*store)->last_position());
  }
}

INSTANTIATE_TEST_SUITE_P(Every, ACrash, testing::ValuesIn(implementations()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cahn::store
