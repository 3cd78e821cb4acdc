#include "store/store.h"

namespace cahn::store {
namespace {

constexpr std::size_t page = 1000;

}  // namespace

Result<void> each_row(const Store& store, std::string_view table, std::string_view prefix, const RowTaker& take) {
  for (std::string after;;) {
    CAHN_TRY(const auto rows, store.scan(table, prefix, page, after));
    for (const auto& [key, value] : rows) CAHN_CHECK(take(key, value));
    if (rows.size() < page) return {};
    after = rows.back().first;
  }
}

}  // namespace cahn::store
