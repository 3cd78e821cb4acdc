// The factory's books: who was born, and which births the MASA does not know yet.
//
//   table "births"      serial number → JSON {"serialNumber", "model", "idevid": base64 DER, "at"}
//   table "birth_keys"  SHA-256 of the key's SPKI (hex) → serial number
//   table "unreported"  serial number → nothing, until the MASA has acknowledged the birth
//   events "device_born" with the JSON, "birth_acknowledged" with the serial number
//
// Threads: safe from any thread.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "factory/factory.h"
#include "store/store.h"

namespace cahn::factory {

class Books {
 public:
  explicit Books(std::unique_ptr<store::Store> store) : store_(std::move(store)) {}

  // Records a birth and queues it for the MASA, in one commit. Blocks. Errors: serial_taken, key_taken, unavailable.
  Result<void> record(const DeviceBirth&);
  Result<std::optional<DeviceBirth>> find(std::string_view serial) const;
  Result<std::vector<DeviceBirth>> births() const;
  Result<std::vector<std::string>> unreported() const;
  // The MASA knows it now.
  net::awaitable<Result<void>> acknowledge(std::string serial);

 private:
  Result<std::vector<std::pair<std::string, Bytes>>> rows(std::string_view table) const;

  std::unique_ptr<store::Store> store_;
};

}  // namespace cahn::factory
