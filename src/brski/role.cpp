#include "brski/role.h"

#include "base/log.h"

namespace cahn::brski {

void tell(std::string_view id, const Progress& progress, const std::function<void(const Progress&)>& listener) {
  log::write(progress.done ? log::Level::info : log::Level::warning, id, progress.what,
             {{"stage", std::string(progress.stage)},
              {"serial", printable(progress.serial_number)},
              {"signer", printable(progress.signer)},
              {"us", std::to_string(progress.took.count())}});
  if (listener) listener(progress);
}

std::optional<net::HttpResponse> not_the_operator(const net::HttpRequest& request, std::string_view token) {
  const std::string shown = request.headers.get("Authorization").value_or("");
  if (!token.empty() && equal_constant_time(as_bytes(shown), as_bytes("Bearer " + std::string(token))))
    return std::nullopt;
  auto answer = net::HttpResponse::text(401, "orders need the operator's token, which is in the state directory\n");
  answer.headers.set("WWW-Authenticate", "Bearer");
  return answer;
}

std::chrono::microseconds since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
}

}  // namespace cahn::brski
