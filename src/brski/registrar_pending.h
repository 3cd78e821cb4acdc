// Devices whose admission is not decided yet, and what an operator said about them (decision 5, RFC 8995 5.6). The
// pledge repeats the very same bytes meanwhile; its request is not kept, only its digest.
//
// An operator's word outlives restarts: an approval stands for `pending_for` from when it was given, a rejection until
// it is taken back. Layout of the store: table "pending" holds the device's id (SHA-256 of the IDevID, hex) → JSON;
// events "admission_decided" hold every decision of an operator.
//
// Threads: safe from any thread.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "brski/wire.h"
#include "net/async.h"
#include "store/store.h"

namespace cahn::brski {

struct PendingDevice {
  enum class State { waiting, approved, rejected };
  std::string id, serial_number, manufacturer;
  std::string request_digest;  // of the request it waits with
  std::string undecided;       // why, in policy's words
  Time first_seen{}, last_seen{};
  State state = State::waiting;
  std::string reason;  // the operator's
  Time decided_at{};
};
std::string_view to_text(PendingDevice::State);

class PendingDevices {
 public:
  static Result<std::unique_ptr<PendingDevices>> open(store::Store&, std::chrono::seconds kept_for,
                                                      std::size_t max_devices = 10'000);

  enum class Word { none, approved, rejected };
  // What an operator said of the device, if it still counts.
  Word word(const std::string& id, Time now) const;

  // The device waits: a new entry, or the one there is. A new request starts the wait anew. Errors: forbidden (this
  // very request has waited as long as it may), unavailable (too many wait, or the store is gone).
  net::awaitable<Result<void>> wait(PendingDevice device, Time now);
  // Policy has decided: nothing is pending any more, unless an operator has spoken.
  net::awaitable<Result<void>> decided(std::string id);
  // An operator's word; may be changed by another. Errors: unknown_party.
  net::awaitable<Result<void>> decide(std::string id, bool approve, std::string reason, Time now);
  // Takes an operator's word back. Errors: unknown_party.
  net::awaitable<Result<void>> forget(std::string id, std::string reason, Time now);

  std::vector<PendingDevice> all() const;

 private:
  PendingDevices(store::Store& store, std::chrono::seconds kept_for, std::size_t max_devices)
      : store_(store), kept_for_(kept_for), max_devices_(max_devices) {}
  Result<void> load();
  void drop_old(Time now, store::Batch& batch);
  net::awaitable<Result<void>> commit(store::Batch batch);

  store::Store& store_;
  const std::chrono::seconds kept_for_;
  const std::size_t max_devices_;
  mutable std::mutex mutex_;
  std::map<std::string, PendingDevice> devices_;
};

}  // namespace cahn::brski
