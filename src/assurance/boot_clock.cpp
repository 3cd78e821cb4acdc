#include <time.h>

#include "assurance/access_table.h"
#include "base/file.h"

namespace cahn::assurance {
namespace {

class KernelBootClock final : public BootClock {
 public:
  std::chrono::milliseconds now() const override {
    timespec t{};
    ::clock_gettime(CLOCK_BOOTTIME, &t);
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::seconds(t.tv_sec) +
                                                                 std::chrono::nanoseconds(t.tv_nsec));
  }
  std::string boot_id() const override {
    // Without an id no lease survives a restart, which is the safe side.
    const auto id = read_file("/proc/sys/kernel/random/boot_id", 128);
    return id ? to_string(*id) : random_uuid();
  }
};

}  // namespace

const BootClock& kernel_boot_clock() {
  static const KernelBootClock clock;
  return clock;
}

}  // namespace cahn::assurance
