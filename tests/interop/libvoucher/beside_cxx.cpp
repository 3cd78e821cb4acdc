// A C++ program with a C++ runtime of its own: what either throws stays on its side.

#include <voucher.h>

#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

int owner_that_throws(const char*, const BinaryArrayList*, const void*, BinaryArray*) {
  throw std::runtime_error("never reached: there is no request");
}

}  // namespace

int main() {
  for (int i = 0; i < 3; ++i) {
    const std::string json = "{\"ietf-voucher-request:voucher\":{\"serial-number\":" + std::to_string(i) + "}}";
    // Refused, after the JSON reader within threw.
    if (deserialize_voucher(reinterpret_cast<const std::uint8_t*>(json.data()), json.size()) != nullptr) return 1;
    if (deserialize_voucher(reinterpret_cast<const std::uint8_t*>("{"), 1) != nullptr) return 1;
    try {
      throw std::out_of_range(voucher_last_error());
    } catch (const std::exception& error) {
      std::cout << error.what() << "\n";
    }
  }
  if (sign_masa_pledge_voucher(nullptr, nullptr, &owner_that_throws, nullptr, nullptr, nullptr, nullptr, nullptr,
                               nullptr, nullptr, nullptr) != nullptr) {
    return 1;
  }
  return std::strlen(voucher_last_error()) == 0;
}
