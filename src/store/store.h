// A role's durable state: one event log and any number of small tables of key and value, in one file.

#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "store/event_log.h"

namespace cahn::store {

// Rows a scan reads at a time where all are wanted.
constexpr std::size_t scan_page = 1000;

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

}  // namespace cahn::store
