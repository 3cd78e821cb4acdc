// What the C library reads it writes, and reads again as the same; every getter may be asked.

#include <cstdlib>
#include <cstring>

#include "include/voucher/voucher.h"

namespace {

void ask_every_getter(::Voucher* voucher) {
  for (int number = -1; number <= ATTR_PROXIMITY_REGISTRAR_CERT + 1; ++number) {
    const auto attribute = static_cast<VoucherAttributes>(number);
    const BinaryArray* const array = get_attr_array_voucher(voucher, attribute);
    if (array != nullptr && (array->array == nullptr || array->length == 0)) std::abort();
    const char* const* const text = get_attr_str_voucher(voucher, attribute);
    if (text != nullptr && std::strlen(*text) == 0) std::abort();
    const std::tm* const time = get_attr_time_voucher(voucher, attribute);
    if (time != nullptr && (time->tm_mon < 0 || time->tm_mon > 11)) std::abort();
    const int* const assertion = get_attr_enum_voucher(voucher, attribute);
    if (assertion != nullptr && (*assertion < 0 || *assertion > VOUCHER_ASSERTION_PROXIMITY)) std::abort();
    get_attr_bool_voucher(voucher, attribute);
    is_attr_voucher_nonempty(voucher, attribute);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto reading : {VOUCHER_READING_STRICT, VOUCHER_READING_TOLERANT}) {
    ::Voucher* const voucher = deserialize_voucher_as(data, size, reading);
    if (voucher == nullptr) continue;
    ask_every_getter(voucher);
    char* const json = serialize_voucher(voucher);
    if (json == nullptr) std::abort();
    // A request with a pin is written under the voucher's name, and may lack what the strict demand of one: what was
    // written always reads to the tolerant.
    ::Voucher* const again = deserialize_voucher_as(reinterpret_cast<const std::uint8_t*>(json), std::strlen(json),
                                                    VOUCHER_READING_TOLERANT);
    if (again == nullptr) std::abort();
    char* const json_again = serialize_voucher(again);
    if (json_again == nullptr || std::strcmp(json, json_again) != 0) std::abort();
    std::free(json);
    std::free(json_again);
    free_voucher(voucher);
    free_voucher(again);
  }
  return 0;
}
