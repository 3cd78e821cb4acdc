// Audit logs that were prepared for a domain and can be got again (RFC 8995 5.8): under names of 256 random bits, the
// same octets each time. In memory: after a restart a registrar asks anew.
//
// Threads: safe from any thread.

#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "crypto/certificate.h"

namespace cahn::brski {

struct PreparedLog {
  std::string device;
  crypto::Certificate domain;  // of who asked: the farthest certificate of its chain
  std::string log;             // JSON
};

class PreparedLogs {
 public:
  static constexpr std::chrono::seconds lifetime = std::chrono::hours(1);
  static constexpr std::size_t max_logs = 1000;
  static constexpr std::size_t max_octets = std::size_t{16} << 20;

  // The name it is kept under from now on for its lifetime: a new one, unless this very log is kept for this domain.
  // Beyond the limits the oldest go.
  std::string keep(PreparedLog, Time now);
  std::optional<PreparedLog> find(std::string_view name, Time now);

 private:
  struct Kept {
    PreparedLog log;
    Time until;
  };
  void forget_old(Time now);  // with mutex_ held

  std::mutex mutex_;
  std::map<std::string, Kept, std::less<>> kept_;
  std::size_t octets_ = 0;
};

}  // namespace cahn::brski
