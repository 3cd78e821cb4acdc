#include "voucher/c_api/door.h"

#include <algorithm>
#include <cstdio>
#include <mutex>

#include "voucher/diagnostics.h"

namespace cahn::voucher::c_api {
namespace {

constexpr std::size_t max_message = 511;

// An array and not a string: it needs no destructor, so that it is there until the thread's last instruction.
thread_local char latest[max_message + 1] = "";

struct Log {
  std::mutex mutex;
  voucher_log_fn function = nullptr;
  void* context = nullptr;
};

// Never destroyed: a thread may still speak while the process ends.
Log& the_log() {
  static Log& log = *new Log;
  return log;
}

}  // namespace

std::string_view error_name(ApiError error) {
  switch (error) {
    case ApiError::missing_argument:
      return "missing_argument";
    case ApiError::bad_argument:
      return "bad_argument";
    case ApiError::wrong_attribute:
      return "wrong_attribute";
    case ApiError::wrong_key_type:
      return "wrong_key_type";
    case ApiError::not_a_registrar:
      return "not_a_registrar";
    case ApiError::inconsistent:
      return "inconsistent";
    case ApiError::callback_refused:
      return "callback_refused";
    case ApiError::untrusted_pin:
      return "untrusted_pin";
  }
  return "unknown";
}

// Messages quote names and serial numbers of strangers: only printable ASCII goes to somebody's terminal.
void remember(std::string_view message) noexcept {
  const std::size_t size = std::min(message.size(), max_message);
  for (std::size_t i = 0; i < size; ++i) {
    const char c = message[i];
    latest[i] = c >= 0x20 && c < 0x7f ? c : '?';
  }
  latest[size] = '\0';
}

const char* last_error() noexcept { return latest; }

void log_line(const char* id, const char* message) noexcept {
  try {
    voucher_log_fn function = nullptr;
    void* context = nullptr;
    {
      const std::scoped_lock lock(the_log().mutex);
      function = the_log().function;
      context = the_log().context;
    }
    if (function != nullptr) {
      function(id, message, context);
    } else {
      std::fprintf(stderr, "libvoucher [%s] %s\n", id, message);
    }
  } catch (...) {
    remember("a message for the log was lost");
  }
}

}  // namespace cahn::voucher::c_api

using namespace cahn::voucher::c_api;

const char* voucher_last_error(void) { return last_error(); }

void set_voucher_log(voucher_log_fn fn, void* user_ctx) {
  guarded_status([&]() -> cahn::Result<void> {
    const std::scoped_lock lock(the_log().mutex);
    the_log().function = fn;
    the_log().context = user_ctx;
    return {};
  });
}
