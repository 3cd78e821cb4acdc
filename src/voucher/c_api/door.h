// The door of the C library: nothing that is thrown goes past it, and why a call failed is kept for whoever asks.

#pragma once

#include <exception>
#include <new>
#include <string_view>

#include "base/result.h"

namespace cahn::voucher::c_api {

enum class ApiError {
  missing_argument,  // NULL or empty where something must be
  bad_argument,      // not what it should be
  wrong_attribute,   // an attribute of another type, or none
  wrong_key_type,    // sign_eccms_voucher with an RSA key, sign_rsacms_voucher with an EC key
  not_a_registrar,   // the signer of a registrar's request lacks id-kp-cmcRA
  inconsistent,      // two layers of a request do not speak of the same device, attempt or registrar
  callback_refused,  // the voucher_req_fn did
  untrusted_pin      // the pinned certificate does not lead to the domain store
};
std::string_view error_name(ApiError);

// What voucher_last_error says from now on in this thread.
void remember(std::string_view message) noexcept;
const char* last_error() noexcept;

// A message for the operator, to the program's log function or to stderr.
void log_line(const char* id, const char* message) noexcept;

// The value that `body` returns as a Result, or `failure` when it is an error or something was thrown.
template <typename T, typename Body>
T guarded(T failure, Body&& body) noexcept {
  try {
    auto result = body();
    if (result) return *std::move(result);
    remember(result.error().message);
  } catch (const std::bad_alloc&) {
    remember("there is no memory left");
  } catch (const std::exception& thrown) {
    remember(thrown.what());
  } catch (...) {
    remember("something unknown was thrown");
  }
  return failure;
}

// The same for functions that return 0 or -1: `body` returns Result<void>.
template <typename Body>
int guarded_status(Body&& body) noexcept {
  return guarded(-1, [&]() -> Result<int> {
    CAHN_CHECK(body());
    return 0;
  });
}

}  // namespace cahn::voucher::c_api
