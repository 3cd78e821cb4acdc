#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include "store/async.h"
#include "tests/unit/store/store_contract.h"

namespace cahn::store {
namespace {

boost::asio::awaitable<void> commit_some(Store& store, std::vector<Position>& positions, std::thread::id& resumed_on) {
  for (int i = 0; i < 5; ++i) {
    Batch batch = batch_of("x");
    const auto committed = co_await commit(store, std::move(batch));
    positions.push_back(committed.value().last);
    resumed_on = std::this_thread::get_id();
  }
}

TEST(AwaitingACommit, ResumesOnTheCoroutinesOwnExecutor) {
  const auto place = implementations().front().make_place();
  const auto store = place->open().value();
  boost::asio::io_context context;
  std::vector<Position> positions;
  std::thread::id resumed_on;
  boost::asio::co_spawn(context, commit_some(*store, positions, resumed_on), boost::asio::detached);
  context.run();  // returns only when the coroutine is done: a commit under way counts as work
  EXPECT_EQ(positions, (std::vector<Position>{1, 2, 3, 4, 5}));
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace cahn::store
