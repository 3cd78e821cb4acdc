// The append-only log all state is a fold of. Positions start at 1 and grow by one an event, in commit order.
//
// Threads: safe from any thread.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace cahn::store {

enum class StoreError { unavailable, corrupt, conflict, too_large, locked };
std::string_view error_name(StoreError);

using Position = std::uint64_t;

struct NewEvent {
  std::string type;  // what it is, in the words of the room that wrote it: "claim", "voucher_issued"
  Bytes payload;     // at most 4 MiB
};

struct Event {
  Position position;
  Time committed_at;
  std::string type;
  Bytes payload;
};

// What one commit holds: everything in it becomes durable together or not at all. Erases are applied before puts.
struct Batch {
  std::vector<NewEvent> events;
  struct Put {
    std::string table, key;
    Bytes value;
  };
  struct Erase {
    std::string table, key;
  };
  std::vector<Put> puts;
  std::vector<Erase> erases;
  // Keys that must not exist when the batch is applied; if one does, nothing is written and the answer is `conflict`.
  std::vector<std::pair<std::string, std::string>> absent;
};

struct Committed {
  Position first = 0;  // of this batch's events; 0 when it had none
  Position last = 0;
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  // `done` is called once, from the store's own thread, after the batch is durable (fsync) or has failed. Batches that
  // wait together share one fsync (group commit). Order of calls is order of positions. The queue is bounded: when
  // full, `done` gets `unavailable` at once.
  virtual void commit(Batch, std::function<void(Result<Committed>)> done) = 0;
  // The same, for threads that may block. REQUIRES: not called from `done` or from a `wake`, which are on the store's
  // thread.
  Result<Committed> commit_and_wait(Batch);
  virtual Result<std::vector<Event>> read(Position from, std::size_t limit) const = 0;
  virtual Position last_position() const = 0;
  // `wake` is called (from the store's thread, must not block) after every commit that appended events, until the
  // returned handle is destroyed. Followers then read() on from where they were.
  virtual std::shared_ptr<void> follow(std::function<void()> wake) = 0;
};

}  // namespace cahn::store
