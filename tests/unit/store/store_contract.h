// What every implementation of Store must do: one suite, run against each of them.

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "store/store.h"

namespace cahn::store {

// Where one implementation keeps one store for the length of a test; opening it again finds the same data.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual Result<std::unique_ptr<Store>> open(const Clock& clock = system_clock()) = 0;
};

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> make_place;
};

// Those that this build can test.
std::vector<Implementation> implementations();

inline NewEvent event(std::string type, std::string_view payload) { return {std::move(type), to_bytes(payload)}; }
inline Batch batch_of(std::string_view payload) { return {.events = {event("test", payload)}}; }

}  // namespace cahn::store
