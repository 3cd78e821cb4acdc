#include "apps/brski/records.h"

#include <cstdlib>
#include <utility>

#include "base/log.h"

namespace cahn::apps::tool {

Result<Records> Records::open(const std::string& state, const std::string& name) {
  Records records;
  std::filesystem::path folder = state;
  if (state.empty()) {
    std::error_code error;
    std::string made = (std::filesystem::temp_directory_path(error) / "brski-XXXXXX").string();
    if (error || ::mkdtemp(made.data()) == nullptr)
      return fail(FileError::not_writable, "no temporary folder can be made for the records; give one with --state");
    records.temporary_ = folder = made;
    log::info("TOOL_RECORDS_TEMPORARY", "the records of this server end with it; --state DIR keeps them",
              {{"folder", made}});
  }
  CAHN_TRY(records.directory_, StateDirectory::open(folder));
  CAHN_TRY(records.store_, store::Store::open(*records.directory_ / (name + ".db")));
  return records;
}

Records::Records(Records&& other) noexcept
    : temporary_(std::exchange(other.temporary_, {})),
      directory_(std::move(other.directory_)),
      store_(std::move(other.store_)) {}

Records::~Records() {
  store_.reset();
  directory_.reset();
  std::error_code error;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, error);
}

}  // namespace cahn::apps::tool
