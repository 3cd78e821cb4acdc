// What registrar and MASA do alike: they tell their operator of every step, and they take POSTs.
//
// Threads: `tell` is safe from any thread if the listener is.

#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "brski/wire.h"

namespace cahn::brski {

// One step for the operator: a log line under `id` (warning when the step failed), then `listener`, which may be empty.
void tell(std::string_view id, const Progress& progress, const std::function<void(const Progress&)>& listener);

// Nothing if the request shows the operator's token, as `Authorization: Bearer <token>`; else the answer that refuses
// it. What a browser that was lured to the operator's port, or another user of this machine, cannot know. An empty
// token is nobody's. Constant time in the token.
std::optional<net::HttpResponse> not_the_operator(const net::HttpRequest&, std::string_view token);

std::chrono::microseconds since(std::chrono::steady_clock::time_point began);

// Serves POST `path` with a member function of `role`, which must outlive the server. `max_body` in octets.
template <typename Role>
void on_post(net::Router& router, std::string_view path, std::size_t max_body, Role* role,
             net::awaitable<net::HttpResponse> (Role::*answer)(net::HttpRequest, net::Session)) {
  router.on(
      "POST", std::string(path),
      [role, answer](net::HttpRequest request, const net::Session& session) {
        return (role->*answer)(std::move(request), session);
      },
      max_body);
}

}  // namespace cahn::brski
