#include "store/event_log.h"

#include <future>

namespace cahn::store {

std::string_view error_name(StoreError e) {
  switch (e) {
    case StoreError::unavailable:
      return "unavailable";
    case StoreError::corrupt:
      return "corrupt";
    case StoreError::conflict:
      return "conflict";
    case StoreError::too_large:
      return "too_large";
    case StoreError::locked:
      return "locked";
  }
  return "unknown";
}

Result<Committed> EventLog::commit_and_wait(Batch batch) {
  std::promise<Result<Committed>> answer;
  auto answered = answer.get_future();
  commit(std::move(batch), [&answer](Result<Committed> result) { answer.set_value(std::move(result)); });
  return answered.get();
}

}  // namespace cahn::store
