#include "brski/registrar_records.h"

#include "brski/registrar_json.h"
#include "store/async.h"

namespace cahn::brski {
namespace {

using admission::AuditVerdict;
using stored::json;
using Standing = AuditVerdict::Standing;

constexpr std::string_view onboarding_table = "onboardings", exchange_table = "exchanges", offline_table = "offline";

std::unexpected<Error> damaged(std::string_view table, std::string_view key) {
  return fail(store::StoreError::corrupt,
              "the record '" + printable(key) + "' of table '" + std::string(table) + "' cannot be read");
}

json to_json(const AuditFinding& finding) {
  return {{"standing", admission::to_text(finding.verdict.standing)},
          {"reason", finding.verdict.reason},
          {"accepted", finding.verdict.accepted},
          {"at", rfc3339(finding.judged_at, true)},
          {"digest", finding.digest}};
}

// None when there is none; what cannot be read counts as unknown, never as clean.
std::optional<AuditFinding> finding_in(const json& object) {
  const auto found = object.find("audit");
  if (found == object.end() || !found->is_object()) return std::nullopt;
  AuditFinding finding;
  finding.verdict.standing = Standing::unknown;
  const std::string standing = stored::text(*found, "standing").value_or("");
  for (const auto known : {Standing::clean, Standing::unexpected, Standing::unavailable}) {
    if (standing == admission::to_text(known)) finding.verdict.standing = known;
  }
  finding.verdict.reason = stored::text(*found, "reason").value_or("");
  finding.verdict.accepted = stored::flag(*found, "accepted");
  finding.judged_at = stored::time(*found, "at").value_or(Time{});
  finding.digest = stored::text(*found, "digest").value_or("");
  return finding;
}

json to_json(const Onboarding& one) {
  json object = {{"serialNumber", one.serial_number},
                 {"manufacturer", one.manufacturer},
                 {"request", one.request_digest},
                 {"deliveredAt", rfc3339(one.delivered_at, true)},
                 {"offline", one.offline}};
  if (one.reported_at) object["reportedAt"] = rfc3339(*one.reported_at, true);
  if (one.audit) object["audit"] = to_json(*one.audit);
  return object;
}

Result<Onboarding> onboarding_of(const std::string& id, ByteView value) {
  const json object = json::parse(value.begin(), value.end(), nullptr, false);
  if (!object.is_object()) return damaged(onboarding_table, id);
  const auto delivered = stored::time(object, "deliveredAt");
  const auto request = stored::text(object, "request");
  if (!delivered || !request) return damaged(onboarding_table, id);
  return Onboarding{id,
                    stored::text(object, "serialNumber").value_or(""),
                    stored::text(object, "manufacturer").value_or(""),
                    *request,
                    *delivered,
                    stored::time(object, "reportedAt"),
                    stored::flag(object, "offline"),
                    finding_in(object)};
}

json to_json(const Exchange& exchange) {
  json client = json::array();
  for (const crypto::Certificate& certificate : exchange.client) client.push_back(base64(certificate.der()));
  return {{"client", std::move(client)},
          {"masa", exchange.masa},
          {"ownRequest", base64(exchange.own_request)},
          {"answer", base64(exchange.answer)},
          {"mediaType", exchange.media_type},
          {"pinnedDomain", base64(exchange.pinned_domain)}};
}

Result<Exchange> exchange_of(const std::string& id, ByteView value) {
  const json object = json::parse(value.begin(), value.end(), nullptr, false);
  if (!object.is_object()) return damaged(exchange_table, id);
  auto own_request = stored::octets(object, "ownRequest");
  auto answer = stored::octets(object, "answer");
  const auto client = object.find("client");
  if (!own_request || !answer || client == object.end() || !client->is_array()) return damaged(exchange_table, id);
  Exchange exchange;
  for (const json& one : *client) {
    const auto der = one.is_string() ? base64_decode(one.get<std::string>()) : Result<Bytes>(Bytes{});
    auto certificate = crypto::Certificate::from_der(der ? *der : Bytes{});
    if (!certificate) return damaged(exchange_table, id);
    exchange.client.push_back(*std::move(certificate));
  }
  exchange.masa = stored::text(object, "masa").value_or("");
  exchange.own_request = *std::move(own_request);
  exchange.answer = *std::move(answer);
  exchange.media_type = stored::text(object, "mediaType").value_or("");
  exchange.pinned_domain = stored::octets(object, "pinnedDomain").value_or(Bytes{});
  return exchange;
}

json to_json(const OfflineVoucher& one) {
  json object = {{"manufacturer", one.manufacturer},          {"serialNumber", one.serial_number},
                 {"idevidIssuer", base64(one.idevid_issuer)}, {"masa", one.masa},
                 {"ownRequest", base64(one.own_request)},     {"voucher", base64(one.voucher)},
                 {"pinnedDomain", base64(one.pinned_domain)}, {"fetchedAt", rfc3339(one.fetched_at, true)}};
  if (one.expires_on) object["expiresOn"] = rfc3339(*one.expires_on);
  if (one.audit) object["audit"] = to_json(*one.audit);
  return object;
}

Result<OfflineVoucher> offline_of(const std::string& key, ByteView value) {
  const json object = json::parse(value.begin(), value.end(), nullptr, false);
  if (!object.is_object()) return damaged(offline_table, key);
  OfflineVoucher one;
  auto own_request = stored::octets(object, "ownRequest");
  auto voucher = stored::octets(object, "voucher");
  auto issuer = stored::octets(object, "idevidIssuer");
  if (!own_request || !voucher || !issuer) return damaged(offline_table, key);
  one.manufacturer = stored::text(object, "manufacturer").value_or("");
  one.serial_number = stored::text(object, "serialNumber").value_or("");
  one.idevid_issuer = *std::move(issuer);
  one.masa = stored::text(object, "masa").value_or("");
  one.own_request = *std::move(own_request);
  one.voucher = *std::move(voucher);
  one.pinned_domain = stored::octets(object, "pinnedDomain").value_or(Bytes{});
  one.expires_on = stored::time(object, "expiresOn");
  one.fetched_at = stored::time(object, "fetchedAt").value_or(Time{});
  one.audit = finding_in(object);
  return one;
}

std::string offline_key(const std::string& manufacturer, const std::string& serial) {
  return hex(as_bytes(manufacturer)) + "/" + hex(as_bytes(serial));
}

store::Batch::Put put(std::string_view table, std::string key, const json& value) {
  return {std::string(table), std::move(key), to_bytes(stored::written(value))};
}

}  // namespace

std::string id_of(const crypto::Certificate& idevid) { return hex(idevid.fingerprint()); }

Result<std::unique_ptr<Records>> Records::open(store::Store& store) {
  std::unique_ptr<Records> records(new Records(store));
  CAHN_CHECK(records->load());
  return records;
}

Result<void> Records::load() {
  return store::each_row(store_, onboarding_table, "", [&](const std::string& id, const Bytes& value) -> Result<void> {
    CAHN_TRY(auto one, onboarding_of(id, value));
    onboardings_.insert_or_assign(id, std::move(one));
    return {};
  });
}

// Memory first, so that two changes at once both count; what the disk refused is gone after a restart.
net::awaitable<Result<void>> Records::write(store::Batch batch, std::string id, Change change) {
  {
    const std::lock_guard lock(mutex_);
    Onboarding& one = onboardings_[id];
    one.id = id;
    if (!change(one)) co_return Result<void>{};
    batch.puts.push_back(put(onboarding_table, id, to_json(one)));
  }
  auto done = co_await store::commit(store_, std::move(batch));
  if (!done) co_return fail(done.error());
  co_return Result<void>{};
}

net::awaitable<Result<void>> Records::delivered(Onboarding one, Exchange exchange) {
  store::Batch batch;
  batch.puts.push_back(put(exchange_table, one.id, to_json(exchange)));
  std::string id = one.id;
  Change change = [one = std::move(one)](Onboarding& held) {
    held = one;
    return true;
  };
  co_return co_await write(std::move(batch), std::move(id), std::move(change));
}

net::awaitable<Result<void>> Records::reported(std::string id, Time at) {
  if (!onboarding(id)) co_return Result<void>{};
  store::Batch batch;
  Change change = [at](Onboarding& held) {
    held.reported_at = at;
    return true;
  };
  co_return co_await write(std::move(batch), std::move(id), std::move(change));
}

net::awaitable<Result<void>> Records::found(std::string id, std::string request_digest, AuditFinding finding) {
  if (!onboarding(id)) co_return Result<void>{};
  store::Batch batch;
  Change change = [request_digest, finding](Onboarding& held) {
    if (held.request_digest != request_digest) return false;
    if (held.audit && finding.verdict.standing == Standing::unavailable) return false;
    const bool accepted = held.audit && held.audit->verdict.accepted && held.audit->digest == finding.digest;
    held.audit = finding;
    held.audit->verdict.accepted = accepted;
    return true;
  };
  co_return co_await write(std::move(batch), std::move(id), std::move(change));
}

net::awaitable<Result<void>> Records::accept(std::string id, std::string reason) {
  const auto one = onboarding(id);
  if (!one || !one->audit) co_return fail(BrskiError::unknown_party, "there is no finding about such a device");
  store::Batch batch;
  batch.events.push_back({"audit_accepted", to_bytes(stored::written({{"device", id}, {"reason", reason}}))});
  Change change = [](Onboarding& held) {
    if (held.audit) held.audit->verdict.accepted = true;
    return true;
  };
  co_return co_await write(std::move(batch), std::move(id), std::move(change));
}

std::optional<Onboarding> Records::onboarding(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = onboardings_.find(id);
  return found == onboardings_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Onboarding> Records::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Onboarding> out;
  out.reserve(onboardings_.size());
  for (const auto& [id, one] : onboardings_) out.push_back(one);
  return out;
}

Result<std::optional<Exchange>> Records::exchange(const std::string& id) const {
  CAHN_TRY(const auto value, store_.get(exchange_table, id));
  if (!value) return std::nullopt;
  CAHN_TRY(auto exchange, exchange_of(id, *value));
  return exchange;
}

net::awaitable<Result<void>> Records::keep(OfflineVoucher one) {
  store::Batch batch;
  batch.puts.push_back(put(offline_table, offline_key(one.manufacturer, one.serial_number), to_json(one)));
  auto done = co_await store::commit(store_, std::move(batch));
  if (!done) co_return fail(done.error());
  co_return Result<void>{};
}

Result<std::optional<OfflineVoucher>> Records::offline(const std::string& manufacturer,
                                                       const std::string& serial) const {
  const std::string key = offline_key(manufacturer, serial);
  CAHN_TRY(const auto value, store_.get(offline_table, key));
  if (!value) return std::nullopt;
  CAHN_TRY(auto one, offline_of(key, *value));
  return one;
}

Result<std::vector<OfflineVoucher>> Records::all_offline() const {
  std::vector<OfflineVoucher> all;
  CAHN_CHECK(
      store::each_row(store_, offline_table, "", [&](const std::string& key, const Bytes& value) -> Result<void> {
        CAHN_TRY(auto one, offline_of(key, value));
        all.push_back(std::move(one));
        return {};
      }));
  return all;
}

}  // namespace cahn::brski
