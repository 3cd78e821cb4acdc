// What a router knows: the last Access of every device, until when it may act on it, and how far it is with its
// registrar. Durable, and asked at every authentication.
//
// The lease runs on the time since boot, so that setting the clock neither cuts nor revives anybody (decision 50). It
// survives a restart of the program, not one of the machine: after that the registrar must be heard first.
//
// Threads: safe from any thread; answers never wait for the disk.

#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "assurance/access.h"
#include "base/result.h"
#include "bearer/bearer.h"
#include "store/store.h"

namespace cahn::assurance {

// Time since boot, counted while suspended too, and a name for this boot.
class BootClock {
 public:
  virtual ~BootClock() = default;
  virtual std::chrono::milliseconds now() const = 0;
  virtual std::string boot_id() const = 0;
};
const BootClock& kernel_boot_clock();

struct AccessTableOptions {
  bool fail_closed = true;  // decision 26: without a lease nobody is let in; false: the last decisions go on counting
};

class AccessTable {
 public:
  static Result<std::unique_ptr<AccessTable>> open(store::Store&, const BootClock&, AccessTableOptions);

  std::string epoch() const;
  std::uint64_t number() const;
  std::vector<Access> entries() const;
  std::optional<Access> find(const std::string& device) const;

  // Takes one decision over: answers go by it, and the lease runs anew, from now on. What is returned must be made
  // durable (keep) before it is acknowledged. An older one than is known of its device changes nothing and needs no
  // keeping; the same one again is taken again, since the first time may have failed half-way.
  enum class Newness { news, again, old };
  struct Taken {
    Newness newness = Newness::old;
    Answer before = Answer::deny;  // what the answer was
    store::Batch batch;
  };
  Taken take(Access access, std::chrono::seconds lease);
  // Puts a whole state in the place of everything; to be kept likewise.
  store::Batch replace(std::string epoch, std::uint64_t number, std::vector<Access> entries,
                       std::chrono::seconds lease);
  // The lease runs anew from now; to be kept likewise.
  store::Batch renew(std::chrono::seconds lease);
  boost::asio::awaitable<Result<void>> keep(store::Batch batch);

  // What is left of it; zero when it ran out.
  std::chrono::milliseconds lease_left() const;
  bool may_answer() const;  // a lease, or not fail_closed

  // The authorisation of the Bearer seam.
  bearer::JoinAnswer answer(const bearer::JoinRequest&) const;

 private:
  AccessTable(store::Store& store, const BootClock& clock, AccessTableOptions options)
      : store_(store), clock_(clock), options_(options) {}
  Result<void> load();
  void index(const Access&);
  void unindex(const Access&);
  store::Batch::Put progress() const;

  store::Store& store_;
  const BootClock& clock_;
  const AccessTableOptions options_;
  mutable std::mutex mutex_;
  std::string epoch_;
  std::uint64_t number_ = 0;
  std::map<std::string, Access> by_device_;
  std::map<std::string, std::string, std::less<>> device_of_serial_;
  std::chrono::milliseconds lease_until_{0};
};

}  // namespace cahn::assurance
