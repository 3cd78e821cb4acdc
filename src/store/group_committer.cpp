#include "store/group_committer.h"

#include <utility>

namespace cahn::store {

GroupCommitter::GroupCommitter(CommitLimits limits, Apply apply, std::function<void()> after)
    : limits_(limits), apply_(std::move(apply)), after_(std::move(after)), writer_([this] { run(); }) {}

GroupCommitter::~GroupCommitter() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_one();
  writer_.join();
}

Result<std::size_t> GroupCommitter::measure(const Batch& batch) const {
  std::size_t octets = 0;
  for (const NewEvent& event : batch.events) {
    if (event.payload.size() > limits_.max_event) {
      return fail(StoreError::too_large, "an event of " + std::to_string(event.payload.size()) + " octets");
    }
    octets += event.type.size() + event.payload.size();
  }
  for (const auto& put : batch.puts) octets += put.table.size() + put.key.size() + put.value.size();
  for (const auto& erase : batch.erases) octets += erase.table.size() + erase.key.size();
  for (const auto& [table, key] : batch.absent) octets += table.size() + key.size();
  if (octets > limits_.max_batch) {
    return fail(StoreError::too_large, "a batch of " + std::to_string(octets) + " octets");
  }
  return octets;
}

void GroupCommitter::commit(Batch batch, Done done) {
  const auto octets = measure(batch);
  if (!octets) return done(std::unexpected(octets.error()));
  {
    const std::scoped_lock lock(mutex_);
    if (!stopping_ && queue_.size() < limits_.max_queued_batches &&
        queued_octets_ + *octets <= limits_.max_queued_octets) {
      queued_octets_ += *octets;
      queue_.push_back(Request{std::move(batch), std::move(done), *octets});
      done = nullptr;
    }
  }
  if (done) return done(fail(StoreError::unavailable, "the store's queue is full"));
  filled_.notify_one();
}

std::vector<GroupCommitter::Request> GroupCommitter::next_group() {
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::vector<Request> group;
  std::size_t octets = 0;
  while (!queue_.empty() && group.size() < limits_.max_group_batches) {
    if (!group.empty() && octets + queue_.front().octets > limits_.max_group_octets) break;
    octets += queue_.front().octets;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_octets_ -= octets;
  return group;
}

void GroupCommitter::run() {
  for (auto group = next_group(); !group.empty(); group = next_group()) {
    apply_(group);
    for (Request& request : group) request.done(std::move(request.result));
    group.clear();  // lets go of what the callbacks hold before waiting again
    after_();
  }
}

}  // namespace cahn::store
