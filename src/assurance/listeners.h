// Who wants to hear of something, until the handle given out is destroyed.
//
// Threads: safe from any thread. Once a handle's destructor has returned, its function is not running and will not run
// again (unless the handle was destroyed from within that function).

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace cahn::assurance {

template <typename T>
class Listeners {
 public:
  using Function = std::function<void(const T&)>;

  std::shared_ptr<void> add(Function function) {
    auto listener = std::make_shared<Listener>();
    listener->function = std::move(function);
    const std::scoped_lock lock(mutex_);
    std::erase_if(listeners_, [](const auto& known) { return known.expired(); });
    listeners_.push_back(listener);
    return std::shared_ptr<void>(listener.get(), [listener](void*) {
      const std::scoped_lock gone(listener->mutex);
      listener->function = nullptr;
    });
  }

  void call(const T& value) {
    std::vector<std::shared_ptr<Listener>> listening;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& known : listeners_) {
        if (auto listener = known.lock()) listening.push_back(std::move(listener));
      }
    }
    for (const auto& listener : listening) {
      const std::scoped_lock lock(listener->mutex);
      if (const Function function = listener->function) function(value);
    }
  }

 private:
  struct Listener {
    std::recursive_mutex mutex;  // a function may let go of its own handle
    Function function;
  };
  std::mutex mutex_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace cahn::assurance
