// A role's durable state: one event log and any number of small tables of key and value, in one file.

#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "store/event_log.h"

namespace cahn::store {

class Store : public EventLog {
 public:
  // SQLite in WAL mode with synchronous=FULL (decision 69); creates the file (0600) if it is not there. One process at
  // a time (locked otherwise).
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& file, const Clock& clock = system_clock());

  virtual Result<std::optional<Bytes>> get(std::string_view table, std::string_view key) const = 0;
  // Keys that start with `prefix`, in octet order, after the key `after`.
  virtual Result<std::vector<std::pair<std::string, Bytes>>> scan(std::string_view table, std::string_view prefix,
                                                                  std::size_t limit,
                                                                  std::string_view after = {}) const = 0;
};

// Hands `take` every row whose key starts with `prefix`, in octet order. It reads some at a time: rows that are written
// meanwhile may be among them or not. Ends with the first error, the store's or take's. Threads: as scan().
using RowTaker = std::function<Result<void>(const std::string& key, const Bytes& value)>;
Result<void> each_row(const Store&, std::string_view table, std::string_view prefix, const RowTaker& take);

}  // namespace cahn::store
