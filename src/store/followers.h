// Who wants to be woken when the log grows.
//
// Threads: safe from any thread. Once a handle's destructor has returned, its function is not running and will not run
// again (unless the handle was destroyed from within that function).

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace cahn::store {

class Followers {
 public:
  std::shared_ptr<void> add(std::function<void()> wake);
  void wake_all();

 private:
  struct Follower;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Follower>> followers_;
};

}  // namespace cahn::store
