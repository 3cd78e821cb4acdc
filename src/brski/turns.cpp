#include "brski/turns.h"

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace cahn::brski {

namespace asio = boost::asio;

Turns::Held::~Held() {
  for (const std::string& name : names_) turns_->give_back(name);
}

net::awaitable<Turns::Held> Turns::take(std::vector<std::string> names) {
  std::ranges::sort(names);
  const auto same = std::ranges::unique(names);
  names.erase(same.begin(), same.end());
  Held held(*this, {});
  for (const std::string& name : names) {
    if (!take_now(name)) {
      std::string wanted = name;
      co_await wait_for(std::move(wanted));
    }
    held.names_.push_back(name);
  }
  co_return held;
}

bool Turns::take_now(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  return taken_.try_emplace(name).second;
}

net::awaitable<void> Turns::wait_for(std::string name) {
  auto initiate = [this](auto handler, std::string wanted) {
    auto executor = asio::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = asio::make_work_guard(executor);
    std::function<void()> go_on = [shared, executor, work] { asio::post(executor, [shared] { (*shared)(); }); };
    if (take_or_queue(wanted, go_on)) go_on();
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate, asio::use_awaitable, std::move(name));
}

bool Turns::take_or_queue(const std::string& name, std::function<void()> go_on) {
  const std::scoped_lock lock(mutex_);
  const auto [place, free] = taken_.try_emplace(name);
  if (!free) place->second.push_back(std::move(go_on));
  return free;
}

void Turns::give_back(const std::string& name) {
  std::function<void()> next;
  {
    const std::scoped_lock lock(mutex_);
    const auto place = taken_.find(name);
    if (place == taken_.end()) return;
    if (place->second.empty()) {
      taken_.erase(place);
    } else {
      next = std::move(place->second.front());  // the name stays taken: it is the next one's now
      place->second.pop_front();
    }
  }
  if (next) next();
}

}  // namespace cahn::brski
