// One at a time, by name: whoever reads, decides and writes what belongs to a name takes its turn first. Coroutines
// wait without a thread; those that wait for one name are served in the order they came.
//
// Threads: safe from any thread. A waiter goes on with its own executor.

#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "net/async.h"

namespace cahn::brski {

class Turns {
 public:
  // What is held until this is destroyed. Must not outlive its Turns.
  class Held {
   public:
    Held(Turns& turns, std::vector<std::string> names) : turns_(&turns), names_(std::move(names)) {}
    Held(Held&& other) noexcept : turns_(other.turns_), names_(std::move(other.names_)) { other.names_.clear(); }
    Held& operator=(Held&&) = delete;
    ~Held();

   private:
    friend class Turns;
    Turns* turns_;
    std::vector<std::string> names_;
  };

  // Takes all `names`, in one order for everybody, so that two who want several never wait for each other.
  net::awaitable<Held> take(std::vector<std::string> names);

 private:
  bool take_now(const std::string& name);
  net::awaitable<void> wait_for(std::string name);
  // True: it was free after all and is taken; else `go_on` is called when it is handed over.
  bool take_or_queue(const std::string& name, std::function<void()> go_on);
  void give_back(const std::string& name);

  std::mutex mutex_;
  std::map<std::string, std::deque<std::function<void()>>, std::less<>> taken_;  // name → who waits for it
};

}  // namespace cahn::brski
