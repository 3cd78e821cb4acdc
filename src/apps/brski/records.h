// Where a server of the tool keeps its records: a folder that stays, or a temporary one that goes with it.

#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "store/store.h"

namespace cahn::apps::tool {

class Records {
 public:
  // `state` empty: temporary, and the log says so. Errors: of the folder or the store.
  static Result<Records> open(const std::string& state, const std::string& name);
  Records(Records&&) noexcept;
  Records& operator=(Records&&) = delete;
  ~Records();

  store::Store& store() { return *store_; }

 private:
  Records() = default;
  std::filesystem::path temporary_;
  std::optional<StateDirectory> directory_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace cahn::apps::tool
