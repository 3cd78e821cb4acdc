// One thread that makes batches durable in the order they came. What waits while a group is being synced forms the next
// group: under load many batches share one fsync, without load nobody waits for company.
//
//   commit() ─▶ [ bounded queue ] ─▶ writer thread: apply(group) ─▶ done() of each, in order
//
// Threads: commit() is safe from any thread; apply and done run on the writer thread.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>

#include "store/event_log.h"

namespace cahn::store {

struct CommitLimits {
  std::size_t max_event = std::size_t{4} << 20;   // octets of one payload
  std::size_t max_batch = std::size_t{64} << 20;  // octets of one batch
  std::size_t max_queued_batches = 20'000;
  std::size_t max_queued_octets = std::size_t{256} << 20;
  std::size_t max_group_batches = 1'000;
  std::size_t max_group_octets = std::size_t{16} << 20;  // a group takes at least one batch, however large
};

class GroupCommitter {
 public:
  using Done = std::function<void(Result<Committed>)>;
  struct Request {
    Batch batch;
    Done done;
    std::size_t octets = 0;
    Result<Committed> result = Committed{};
  };
  // Makes the group durable and sets each request's result. REQUIRES: does not throw.
  using Apply = std::function<void(std::span<Request>)>;

  // `after` runs on the writer thread when all of a group were answered.
  GroupCommitter(CommitLimits limits, Apply apply, std::function<void()> after);
  GroupCommitter(const GroupCommitter&) = delete;
  GroupCommitter& operator=(const GroupCommitter&) = delete;
  // Makes durable what is queued, then joins.
  ~GroupCommitter();

  void commit(Batch batch, Done done);

 private:
  Result<std::size_t> measure(const Batch&) const;
  std::vector<Request> next_group();
  void run();

  const CommitLimits limits_;
  const Apply apply_;
  const std::function<void()> after_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Request> queue_;
  std::size_t queued_octets_ = 0;
  bool stopping_ = false;
  std::thread writer_;
};

}  // namespace cahn::store
