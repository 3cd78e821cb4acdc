#include "brski/registrar_pending.h"

#include "brski/registrar_json.h"
#include "store/async.h"

namespace cahn::brski {
namespace {

using stored::json;
using State = PendingDevice::State;

constexpr std::string_view pending_table = "pending";
constexpr std::size_t max_reason = 500;

json to_json(const PendingDevice& device) {
  return {{"serialNumber", device.serial_number},
          {"manufacturer", device.manufacturer},
          {"request", device.request_digest},
          {"undecided", device.undecided},
          {"firstSeen", rfc3339(device.first_seen, true)},
          {"lastSeen", rfc3339(device.last_seen, true)},
          {"state", to_text(device.state)},
          {"reason", device.reason},
          {"decidedAt", rfc3339(device.decided_at, true)}};
}

Result<PendingDevice> device_of(const std::string& id, ByteView value) {
  const json object = json::parse(value.begin(), value.end(), nullptr, false);
  const auto state = object.is_object() ? stored::text(object, "state") : std::nullopt;
  PendingDevice device;
  for (const State known : {State::waiting, State::approved, State::rejected}) {
    if (state == to_text(known)) device.state = known;
  }
  if (!state || *state != to_text(device.state)) {
    return fail(store::StoreError::corrupt, "the pending decision about '" + printable(id) + "' cannot be read");
  }
  device.id = id;
  device.serial_number = stored::text(object, "serialNumber").value_or("");
  device.manufacturer = stored::text(object, "manufacturer").value_or("");
  device.request_digest = stored::text(object, "request").value_or("");
  device.undecided = stored::text(object, "undecided").value_or("");
  device.reason = stored::text(object, "reason").value_or("");
  device.first_seen = stored::time(object, "firstSeen").value_or(Time{});
  device.last_seen = stored::time(object, "lastSeen").value_or(Time{});
  device.decided_at = stored::time(object, "decidedAt").value_or(Time{});
  return device;
}

store::Batch::Put put(const PendingDevice& device) {
  return {std::string(pending_table), device.id, to_bytes(stored::written(to_json(device)))};
}

store::NewEvent decision_event(const std::string& id, std::string_view decision, const std::string& reason, Time at) {
  const json event = {{"device", id}, {"decision", decision}, {"reason", reason}, {"at", rfc3339(at, true)}};
  return {"admission_decided", to_bytes(stored::written(event))};
}

}  // namespace

std::string_view to_text(State state) {
  switch (state) {
    case State::waiting:
      return "waiting";
    case State::approved:
      return "approved";
    case State::rejected:
      return "rejected";
  }
  return "unknown";
}

Result<std::unique_ptr<PendingDevices>> PendingDevices::open(store::Store& store, std::chrono::seconds kept_for,
                                                             std::size_t max_devices) {
  std::unique_ptr<PendingDevices> devices(new PendingDevices(store, kept_for, max_devices));
  CAHN_CHECK(devices->load());
  return devices;
}

Result<void> PendingDevices::load() {
  return store::each_row(store_, pending_table, "", [&](const std::string& id, const Bytes& value) -> Result<void> {
    CAHN_TRY(auto device, device_of(id, value));
    devices_.insert_or_assign(id, std::move(device));
    return {};
  });
}

net::awaitable<Result<void>> PendingDevices::commit(store::Batch batch) {
  auto done = co_await store::commit(store_, std::move(batch));
  if (!done) co_return fail(BrskiError::unavailable, "the pending decisions cannot be kept: " + done.error().message);
  co_return Result<void>{};
}

PendingDevices::Word PendingDevices::word(const std::string& id, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = devices_.find(id);
  if (found == devices_.end() || found->second.state == State::waiting) return Word::none;
  if (found->second.state == State::rejected) return Word::rejected;
  return now < found->second.decided_at + kept_for_ ? Word::approved : Word::none;
}

// What nobody waits for any more: twice the time is over, so that a request that waited too long is known as such.
void PendingDevices::drop_old(Time now, store::Batch& batch) {
  std::erase_if(devices_, [&](const auto& entry) {
    const PendingDevice& device = entry.second;
    const Time since = device.state == State::waiting ? device.first_seen : device.decided_at;
    if (device.state == State::rejected || now < since + 2 * kept_for_) return false;
    batch.erases.push_back({std::string(pending_table), entry.first});
    return true;
  });
}

net::awaitable<Result<void>> PendingDevices::wait(PendingDevice device, Time now) {
  store::Batch batch;
  {
    const std::lock_guard lock(mutex_);
    const auto found = devices_.find(device.id);
    const bool same = found != devices_.end() && found->second.request_digest == device.request_digest &&
                      found->second.state == State::waiting;
    if (same) {
      found->second.last_seen = now;
      if (now < found->second.first_seen + kept_for_) co_return Result<void>{};
      co_return fail(BrskiError::forbidden, "this voucher-request was not decided in time; make a new one");
    }
    drop_old(now, batch);
    if (devices_.size() >= max_devices_ && !devices_.contains(device.id)) {
      co_return fail(BrskiError::unavailable, "too many devices wait for a decision");
    }
    device.first_seen = device.last_seen = now;
    device.state = State::waiting;
    batch.puts.push_back(put(device));
    devices_.insert_or_assign(device.id, std::move(device));
  }
  co_return co_await commit(std::move(batch));
}

net::awaitable<Result<void>> PendingDevices::decided(std::string id) {
  store::Batch batch;
  {
    const std::lock_guard lock(mutex_);
    const auto found = devices_.find(id);
    if (found == devices_.end() || found->second.state != State::waiting) co_return Result<void>{};
    devices_.erase(found);
    batch.erases.push_back({std::string(pending_table), id});
  }
  co_return co_await commit(std::move(batch));
}

net::awaitable<Result<void>> PendingDevices::decide(std::string id, bool approve, std::string reason, Time now) {
  store::Batch batch;
  {
    const std::lock_guard lock(mutex_);
    const auto found = devices_.find(id);
    if (found == devices_.end()) co_return fail(BrskiError::unknown_party, "no such device waits for a decision");
    PendingDevice& device = found->second;
    device.state = approve ? State::approved : State::rejected;
    device.reason = printable(reason, max_reason);
    device.decided_at = now;
    batch.puts.push_back(put(device));
    batch.events.push_back(decision_event(id, to_text(device.state), device.reason, now));
  }
  co_return co_await commit(std::move(batch));
}

net::awaitable<Result<void>> PendingDevices::forget(std::string id, std::string reason, Time now) {
  store::Batch batch;
  {
    const std::lock_guard lock(mutex_);
    const auto found = devices_.find(id);
    if (found == devices_.end()) co_return fail(BrskiError::unknown_party, "there is no decision about such a device");
    devices_.erase(found);
    batch.erases.push_back({std::string(pending_table), id});
    batch.events.push_back(decision_event(id, "forgotten", printable(reason, max_reason), now));
  }
  co_return co_await commit(std::move(batch));
}

std::vector<PendingDevice> PendingDevices::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<PendingDevice> out;
  out.reserve(devices_.size());
  for (const auto& [id, device] : devices_) out.push_back(device);
  return out;
}

}  // namespace cahn::brski
