#include "factory/books.h"

#include <nlohmann/json.hpp>

#include "crypto/digest.h"
#include "factory/impl.h"
#include "store/async.h"

namespace cahn::factory {
namespace {

using nlohmann::json;
constexpr std::string_view birth_table = "births", key_table = "birth_keys", unreported_table = "unreported";

Bytes birth_json(const DeviceBirth& birth) {
  const json object = {{"serialNumber", birth.serial_number},
                       {"model", birth.model},
                       {"idevid", base64(birth.idevid.der())},
                       {"at", rfc3339(birth.at, true)}};
  return to_bytes(object.dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<DeviceBirth> birth_from_json(const std::string& serial, ByteView value) {
  const auto object = json::parse(value.begin(), value.end(), nullptr, false);
  const auto corrupt = [&] {
    return fail(FactoryError::unavailable, "the record of the birth of '" + serial + "' cannot be read");
  };
  if (!object.is_object()) return corrupt();
  const auto der = base64_decode(text_of(object, "idevid"));
  if (!der) return corrupt();
  auto idevid = crypto::Certificate::from_der(*der);
  const auto at = parse_rfc3339(text_of(object, "at"));
  if (!idevid || !at) return corrupt();
  return DeviceBirth{serial, text_of(object, "model"), *std::move(idevid), *at};
}

}  // namespace

Result<void> Books::record(const DeviceBirth& birth) {
  const std::string key = hex(crypto::sha256(birth.idevid.public_key().spki()));
  const Bytes value = birth_json(birth);
  store::Batch batch;
  batch.events.push_back({"device_born", value});
  batch.puts.push_back({std::string(birth_table), birth.serial_number, value});
  batch.puts.push_back({std::string(key_table), key, to_bytes(birth.serial_number)});
  batch.puts.push_back({std::string(unreported_table), birth.serial_number, {}});
  batch.absent.emplace_back(birth_table, birth.serial_number);
  batch.absent.emplace_back(key_table, key);
  const auto committed = store_->commit_and_wait(std::move(batch));
  if (committed) return {};
  if (!(committed.error().code == store::StoreError::conflict)) return unavailable(committed.error());
  CAHN_TRY(const auto other, find(birth.serial_number));
  if (other) {
    return fail(FactoryError::serial_taken,
                "a device was born under the serial number '" + birth.serial_number + "' before");
  }
  return fail(FactoryError::key_taken, "this key was born under another serial number before");
}

Result<std::vector<std::pair<std::string, Bytes>>> Books::rows(std::string_view table) const {
  std::vector<std::pair<std::string, Bytes>> all;
  const auto read =
      store::each_row(*store_, table, "", [&](const std::string& key, const Bytes& value) -> Result<void> {
        all.emplace_back(key, value);
        return {};
      });
  if (!read) return unavailable(read.error());
  return all;
}

Result<std::optional<DeviceBirth>> Books::find(std::string_view serial) const {
  const auto value = store_->get(birth_table, serial);
  if (!value) return unavailable(value.error());
  if (!*value) return std::nullopt;
  CAHN_TRY(auto birth, birth_from_json(std::string(serial), **value));
  return birth;
}

Result<std::vector<DeviceBirth>> Books::births() const {
  CAHN_TRY(const auto all, rows(birth_table));
  std::vector<DeviceBirth> births;
  for (const auto& [serial, value] : all) {
    CAHN_TRY(auto birth, birth_from_json(serial, value));
    births.push_back(std::move(birth));
  }
  return births;
}

Result<std::vector<std::string>> Books::unreported() const {
  CAHN_TRY(const auto all, rows(unreported_table));
  std::vector<std::string> serials;
  for (const auto& [serial, nothing] : all) serials.push_back(serial);
  return serials;
}

net::awaitable<Result<void>> Books::acknowledge(std::string serial) {
  store::Batch batch;
  batch.events.push_back({"birth_acknowledged", to_bytes(serial)});
  batch.erases.push_back({std::string(unreported_table), serial});
  const auto committed = co_await store::commit(*store_, std::move(batch));
  if (!committed) co_return unavailable(committed.error());
  co_return Result<void>();
}

}  // namespace cahn::factory
