#include "store/followers.h"

#include <utility>

namespace cahn::store {

struct Followers::Follower {
  // Recursive, so that a function may let go of its own handle.
  std::recursive_mutex mutex;
  std::function<void()> wake;
  bool gone = false;
};

std::shared_ptr<void> Followers::add(std::function<void()> wake) {
  auto follower = std::make_shared<Follower>();
  follower->wake = std::move(wake);
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(followers_, [](const auto& known) { return known.expired(); });
    followers_.push_back(follower);
  }
  // The handle is not the follower itself: its deleter waits for a call under way, then ends the calls.
  return std::shared_ptr<void>(follower.get(), [follower](void*) {
    const std::scoped_lock lock(follower->mutex);
    follower->gone = true;
  });
}

void Followers::wake_all() {
  std::vector<std::shared_ptr<Follower>> awake;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& known : followers_) {
      if (auto follower = known.lock()) awake.push_back(std::move(follower));
    }
  }
  for (const auto& follower : awake) {
    const std::scoped_lock lock(follower->mutex);
    if (!follower->gone) follower->wake();
  }
}

}  // namespace cahn::store
