// Sales records, CSV or JSON, and what the MASA keeps of them: whatever is read can be kept, and is then read as the same.

#include <cstdlib>

#include "brski/masa_sales.h"

using namespace cahn;

namespace {

void keep(const Result<std::vector<brski::Sale>>& sales) {
  if (!sales) {
    if (sales.error().message.empty() || brski::http_status(sales.error().code) != 400) std::abort();
    return;
  }
  brski::OwnershipBook book;
  for (const brski::Sale& sale : *sales) {
    if (sale.serial_number.empty()) std::abort();
    const auto added = brski::add_record(book, sale.record);
    // What was just added, or was there already, is there.
    if (added && *added == false && book.records.empty()) std::abort();
  }
  const auto again = brski::ownership_book_from_json(brski::to_json(book));
  if (!again || again->records.size() != book.records.size()) std::abort();
  for (std::size_t i = 0; i < book.records.size(); ++i) {
    if (!again->records[i].same_sale(book.records[i])) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Time now = *parse_rfc3339("2026-12-01T00:00:00Z");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  keep(brski::sales_from_csv(text, now));
  keep(brski::sales_from_json(text, now));
  (void)brski::ownership_book_from_json(text);
  return 0;
}
