#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "crypto/token.h"

namespace cahn::crypto {
namespace {

constexpr std::chrono::seconds patience{30};

struct Task {
  Worker::Job job;
  std::optional<Result<Bytes>> result;
};

}  // namespace

struct Worker::State {
  std::mutex mutex;
  std::condition_variable wake;      // the worker: there is a task, or it is over
  std::condition_variable finished;  // those who wait: some task is done
  std::deque<std::shared_ptr<Task>> tasks;
  bool stop = false;
  bool stuck = false;  // somebody gave up waiting
  std::thread thread;
};

Worker::Worker() : state_(std::make_shared<State>()) {
  // The thread owns the state too: it may outlive the worker when the token does not answer.
  state_->thread = std::thread([state = state_] {
    std::unique_lock lock(state->mutex);
    while (true) {
      state->wake.wait(lock, [&] { return state->stop || !state->tasks.empty(); });
      if (state->tasks.empty()) return;
      const std::shared_ptr<Task> task = std::move(state->tasks.front());
      state->tasks.pop_front();
      lock.unlock();
      Result<Bytes> result = task->job();
      // What the job owns ends here, on this thread.
      task->job = nullptr;
      lock.lock();
      task->result = std::move(result);
      state->stuck = false;
      state->finished.notify_all();
    }
  });
}

Worker::~Worker() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->wake.notify_all();
  const bool stuck = state_->stuck;
  lock.unlock();
  if (stuck || state_->thread.get_id() == std::this_thread::get_id()) {
    state_->thread.detach();
  } else {
    state_->thread.join();
  }
}

Result<Bytes> Worker::run(Job job) {
  const auto task = std::make_shared<Task>(Task{std::move(job), std::nullopt});
  std::unique_lock lock(state_->mutex);
  state_->tasks.push_back(task);
  state_->wake.notify_one();
  if (!state_->finished.wait_for(lock, patience, [&] { return task->result.has_value(); })) {
    state_->stuck = true;
    std::erase(state_->tasks, task);
    return fail(CryptoError::key_unavailable, "the token did not answer for 30 s");
  }
  return *std::move(task->result);
}

}  // namespace cahn::crypto
