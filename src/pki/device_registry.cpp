// Layout in the store:
//   table "devices"  device (did:key) → JSON {"manufacturer", "idevid": base64 DER, "voucherAt"}
//   table "ldevids"  certificate serial (hex) → JSON {"device", "number", "certificate": base64 DER}; numbers grow, per
//   device events "device_vouchered", "ldevid_recorded", with the device and the same JSON

#include "pki/device_registry.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <shared_mutex>

#include "pki/callback.h"

namespace cahn::pki {
namespace {

using nlohmann::json;
constexpr std::string_view device_table = "devices", ldevid_table = "ldevids";

using Done = std::function<void(Result<void>)>;
using Listener = std::function<void(const DeviceRecord&)>;

std::unexpected<Error> corrupt(std::string_view key) {
  return fail(store::StoreError::corrupt, "the record of device '" + std::string(key) + "' cannot be read");
}

const std::string* text_of(const json& object, const char* member) {
  const auto found = object.find(member);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

Result<crypto::Certificate> certificate_of(const json& object, const char* member) {
  const auto* text = text_of(object, member);
  if (!text) return fail(store::StoreError::corrupt, "a certificate is missing");
  CAHN_TRY(const auto der, base64_decode(*text));
  return crypto::Certificate::from_der(der);
}

Bytes device_json(const DeviceRecord& record) {
  return to_bytes(json{{"manufacturer", record.manufacturer},
                       {"idevid", base64(record.idevid.der())},
                       {"voucherAt", record.voucher_at ? json(rfc3339(*record.voucher_at, true)) : json()}}
                      .dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<DeviceRecord> device_from_json(const std::string& device, ByteView value) {
  const auto object = json::parse(value.begin(), value.end(), nullptr, false);
  if (!object.is_object()) return corrupt(device);
  const auto* manufacturer = text_of(object, "manufacturer");
  auto idevid = certificate_of(object, "idevid");
  if (!manufacturer || !idevid) return corrupt(device);
  std::optional<Time> voucher_at;
  if (const auto* text = text_of(object, "voucherAt")) {
    const auto time = parse_rfc3339(*text);
    if (!time) return corrupt(device);
    voucher_at = *time;
  }
  std::string serial_number = idevid->subject_serial_number().value_or("");
  return DeviceRecord{device, *manufacturer, std::move(serial_number), *std::move(idevid), voucher_at, {}};
}

// What is known of devices, read from memory. Records are immutable once published, so that a reader only copies.
class Devices : public std::enable_shared_from_this<Devices> {
 public:
  explicit Devices(store::Store& store) : store_(store) {}

  Result<void> load();
  void record_voucher(DeviceRecord record, Done done);
  void record_ldevid(const std::string& device, crypto::Certificate ldevid, Done done);
  std::optional<DeviceRecord> find(std::string_view device) const;
  std::optional<DeviceRecord> find_by(const std::map<std::string, std::string, std::less<>> Devices::* index,
                                      std::string_view key) const;
  std::vector<DeviceRecord> all() const;
  std::shared_ptr<void> listen(Listener);

  std::map<std::string, std::string, std::less<>> by_idevid, by_ldevid;  // fingerprint; certificate serial → device

 private:
  Result<void> load_devices();
  Result<void> load_ldevids();
  void voucher_is_durable(const DeviceRecord&);
  DeviceRecord ldevid_is_durable(const std::string& device, const crypto::Certificate& ldevid);
  void tell(const DeviceRecord&);

  store::Store& store_;
  std::mutex order_;  // held until a commit is queued, so that memory and disk agree on what came last
  mutable std::shared_mutex mutex_;
  std::map<std::string, DeviceRecord, std::less<>> devices_;
  std::map<std::string, std::size_t> ldevids_asked_for_;  // device → number of the next one
  std::mutex listeners_mutex_;
  std::vector<std::weak_ptr<Listener>> listeners_;
};

std::string fingerprint(const crypto::Certificate& certificate) { return hex(certificate.fingerprint()); }

Result<void> Devices::load() {
  CAHN_CHECK(load_devices());
  return load_ldevids();
}

Result<void> Devices::load_devices() {
  return store::each_row(store_, device_table, "", [&](const std::string& device, const Bytes& value) -> Result<void> {
    CAHN_TRY(auto record, device_from_json(device, value));
    by_idevid.insert_or_assign(fingerprint(record.idevid), device);
    devices_.emplace(device, std::move(record));
    return {};
  });
}

Result<void> Devices::load_ldevids() {
  std::map<std::string, std::map<std::size_t, crypto::Certificate>> found;
  CAHN_CHECK(
      store::each_row(store_, ldevid_table, "", [&](const std::string& serial, const Bytes& value) -> Result<void> {
        const auto object = json::parse(value.begin(), value.end(), nullptr, false);
        if (!object.is_object() || !object.contains("number") || !object["number"].is_number_unsigned())
          return corrupt(serial);
        const auto* device = text_of(object, "device");
        auto certificate = certificate_of(object, "certificate");
        if (!device || !certificate || !devices_.contains(*device)) return corrupt(serial);
        by_ldevid.insert_or_assign(serial, *device);
        found[*device].emplace(object["number"].get<std::size_t>(), *std::move(certificate));
        return {};
      }));
  for (auto& [device, numbered] : found) {
    ldevids_asked_for_[device] = numbered.rbegin()->first + 1;
    for (auto& [number, certificate] : numbered) devices_.at(device).ldevids.push_back(std::move(certificate));
  }
  return {};
}

void Devices::record_voucher(DeviceRecord record, Done done) {
  const std::lock_guard order(order_);
  const Bytes value = device_json(record);
  store::Batch batch;
  batch.events.push_back({"device_vouchered", to_bytes(record.device + " " + to_string(value))});
  batch.puts.push_back({std::string(device_table), record.device, value});
  store_.commit(std::move(batch), [self = shared_from_this(), record = std::move(record),
                                   done = std::move(done)](const Result<store::Committed>& committed) {
    if (!committed) return done(fail(PkiError::unavailable, "the device registry: " + committed.error().message));
    self->voucher_is_durable(record);
    done({});
  });
}

void Devices::voucher_is_durable(const DeviceRecord& record) {
  const std::unique_lock lock(mutex_);
  by_idevid.insert_or_assign(fingerprint(record.idevid), record.device);
  const auto [entry, is_new] = devices_.try_emplace(record.device, record);
  if (is_new) return;
  entry->second.manufacturer = record.manufacturer;
  entry->second.serial_number = record.serial_number;
  entry->second.idevid = record.idevid;
  entry->second.voucher_at = record.voucher_at;
}

void Devices::record_ldevid(const std::string& device, crypto::Certificate ldevid, Done done) {
  const std::lock_guard order(order_);
  if (!find(device)) return done(fail(PkiError::bad_request, "no voucher was recorded for device '" + device + "'"));
  const Bytes value = to_bytes(
      json{{"device", device}, {"number", ldevids_asked_for_[device]++}, {"certificate", base64(ldevid.der())}}.dump(
          -1, ' ', false, json::error_handler_t::replace));
  store::Batch batch;
  batch.events.push_back({"ldevid_recorded", value});
  batch.puts.push_back({std::string(ldevid_table), ldevid.serial_hex(), value});
  store_.commit(std::move(batch), [self = shared_from_this(), device, ldevid = std::move(ldevid),
                                   done = std::move(done)](const Result<store::Committed>& committed) {
    if (!committed) return done(fail(PkiError::unavailable, "the device registry: " + committed.error().message));
    self->tell(self->ldevid_is_durable(device, ldevid));
    done({});
  });
}

DeviceRecord Devices::ldevid_is_durable(const std::string& device, const crypto::Certificate& ldevid) {
  const std::unique_lock lock(mutex_);
  DeviceRecord& record = devices_.at(device);
  const bool is_new = by_ldevid.insert_or_assign(ldevid.serial_hex(), device).second;
  if (is_new) record.ldevids.push_back(ldevid);
  return record;
}

std::optional<DeviceRecord> Devices::find(std::string_view device) const {
  const std::shared_lock lock(mutex_);
  const auto found = devices_.find(device);
  return found == devices_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<DeviceRecord> Devices::find_by(const std::map<std::string, std::string, std::less<>> Devices::* index,
                                             std::string_view key) const {
  const std::shared_lock lock(mutex_);
  const auto& map = this->*index;
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(devices_.at(found->second));
}

std::vector<DeviceRecord> Devices::all() const {
  const std::shared_lock lock(mutex_);
  std::vector<DeviceRecord> records;
  records.reserve(devices_.size());
  for (const auto& [device, record] : devices_) records.push_back(record);
  return records;
}

std::shared_ptr<void> Devices::listen(Listener listener) {
  auto handle = std::make_shared<Listener>(std::move(listener));
  const std::lock_guard lock(listeners_mutex_);
  std::erase_if(listeners_, [](const auto& one) { return one.expired(); });
  listeners_.push_back(handle);
  return handle;
}

void Devices::tell(const DeviceRecord& record) {
  std::vector<std::shared_ptr<Listener>> listeners;
  {
    const std::lock_guard lock(listeners_mutex_);
    for (const auto& one : listeners_) {
      if (auto listener = one.lock()) listeners.push_back(std::move(listener));
    }
  }
  for (const auto& listener : listeners) (*listener)(record);
}

class StoredDeviceRegistry final : public DeviceRegistry {
 public:
  explicit StoredDeviceRegistry(std::shared_ptr<Devices> devices) : devices_(std::move(devices)) {}

  boost::asio::awaitable<Result<void>> record_voucher(std::string device, std::string manufacturer,
                                                      crypto::Certificate idevid, Time at) override {
    std::string serial_number = idevid.subject_serial_number().value_or("");
    const DeviceRecord record{
        std::move(device), std::move(manufacturer), std::move(serial_number), std::move(idevid), at, {}};
    auto devices = devices_;
    std::function<void(Done)> start = [devices, record](Done done) {
      devices->record_voucher(record, std::move(done));
    };
    co_return co_await await_callback(std::move(start));
  }
  boost::asio::awaitable<Result<void>> record_ldevid(std::string device, crypto::Certificate ldevid) override {
    auto devices = devices_;
    std::function<void(Done)> start = [devices, device, ldevid](Done done) {
      devices->record_ldevid(device, ldevid, std::move(done));
    };
    co_return co_await await_callback(std::move(start));
  }
  std::optional<DeviceRecord> by_device(std::string_view device) const override { return devices_->find(device); }
  std::optional<DeviceRecord> by_idevid(const crypto::Certificate& idevid) const override {
    return devices_->find_by(&Devices::by_idevid, fingerprint(idevid));
  }
  std::optional<DeviceRecord> by_ldevid_serial(std::string_view serial_hex) const override {
    return devices_->find_by(&Devices::by_ldevid, serial_hex);
  }
  std::vector<DeviceRecord> all() const override { return devices_->all(); }
  std::shared_ptr<void> on_ldevid(std::function<void(const DeviceRecord&)> listener) override {
    return devices_->listen(std::move(listener));
  }

 private:
  std::shared_ptr<Devices> devices_;
};

}  // namespace

Result<std::unique_ptr<DeviceRegistry>> DeviceRegistry::open(store::Store& store) {
  auto devices = std::make_shared<Devices>(store);
  CAHN_CHECK(devices->load());
  return std::make_unique<StoredDeviceRegistry>(std::move(devices));
}

}  // namespace cahn::pki
