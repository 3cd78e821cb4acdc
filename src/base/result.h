// Expected failures are values. A room that can refuse declares an enum of its own and the two words below; an Error
// then carries that enum, type-erased and comparable, and one sentence for a person.
//
//   enum class VoucherError { not_cms, wrong_serial };
//   std::string_view error_name(VoucherError);          // found by argument-dependent lookup
//   return fail(VoucherError::wrong_serial, "the voucher is for 42, this device is 43");
//
// Threads: values; safe to copy between threads.

#pragma once

#include <concepts>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace cahn {

template <typename E>
concept RoomError = std::is_enum_v<E> && requires(E e) {
  { error_name(e) } -> std::convertible_to<std::string_view>;
};

namespace detail {
template <typename E>
inline constexpr char error_domain = 0;  // its address is the identity of the enum
}  // namespace detail

// The code of an Error: any room's enum, comparable with it.
class ErrorCode {
 public:
  template <RoomError E>
  ErrorCode(E e)  // NOLINT(google-explicit-constructor): an enum is an error code
      : domain_(&detail::error_domain<E>), value_(static_cast<int>(e)), name_(error_name(e)) {}

  // The enumerator's name, e.g. "wrong_serial": stable, for logs and machines.
  std::string_view name() const { return name_; }

  // Whether it is one of this enum's, whichever.
  template <RoomError E>
  bool is_of() const {
    return domain_ == &detail::error_domain<E>;
  }

  template <RoomError E>
  friend bool operator==(const ErrorCode& code, E e) {
    return code.domain_ == &detail::error_domain<E> && code.value_ == static_cast<int>(e);
  }
  friend bool operator==(const ErrorCode& a, const ErrorCode& b) {
    return a.domain_ == b.domain_ && a.value_ == b.value_;
  }

 private:
  const char* domain_;
  int value_;
  std::string_view name_;
};

// What went wrong: for code, a code; for a person, one sentence that names what was wrong and where. Never holds a
// secret.
struct Error {
  ErrorCode code;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

template <RoomError E>
std::unexpected<Error> fail(E code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// Passes an error on, with where it happened in front: "reading /x: no such file".
inline std::unexpected<Error> fail(const Error& error, std::string_view where = {}) {
  return std::unexpected(Error{error.code, where.empty() ? error.message : std::string(where) + ": " + error.message});
}

}  // namespace cahn

// Returns from the enclosing function (or coroutine, with the CO_ form) when `expression` is an error.
#define CAHN_CONCAT_(a, b) a##b
#define CAHN_CONCAT(a, b) CAHN_CONCAT_(a, b)
#define CAHN_TRY_IMPL(RETURN, tmp, declaration, ...)        \
  auto tmp = (__VA_ARGS__);                                 \
  if (!tmp) RETURN std::unexpected(std::move(tmp).error()); \
  declaration = *std::move(tmp)
// CAHN_TRY(auto bytes, read_file(path)); declares `bytes` or returns the error.
#define CAHN_TRY(declaration, ...) CAHN_TRY_IMPL(return, CAHN_CONCAT(cahn_try_, __COUNTER__), declaration, __VA_ARGS__)
#define CAHN_CO_TRY(declaration, ...) \
  CAHN_TRY_IMPL(co_return, CAHN_CONCAT(cahn_try_, __COUNTER__), declaration, __VA_ARGS__)
// CAHN_CHECK(write_file(path, bytes)); for Result<void>, or where the value is not wanted.
#define CAHN_CHECK(...)                                           \
  if (auto cahn_check_result = (__VA_ARGS__); !cahn_check_result) \
  return std::unexpected(std::move(cahn_check_result).error())
#define CAHN_CO_CHECK(...)                                        \
  if (auto cahn_check_result = (__VA_ARGS__); !cahn_check_result) \
  co_return std::unexpected(std::move(cahn_check_result).error())
