#include "pki/revocations.h"

#include <nlohmann/json.hpp>

namespace cahn::pki {
namespace {

using crypto::RevocationReason;
constexpr std::string_view table = "ca_revoked";

Bytes to_json(const Revocation& revocation) {
  const nlohmann::json json = {{"reason", static_cast<int>(revocation.reason)},
                               {"at", rfc3339(revocation.at, true)},
                               {"notAfter", rfc3339(revocation.not_after)}};
  return to_bytes(json.dump());
}

Result<Revocation> from_json(ByteView bytes) {
  const auto corrupt = [] { return fail(store::StoreError::corrupt, "a revocation record cannot be read"); };
  const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (!json.is_object() || !json.contains("reason") || !json["reason"].is_number_integer() || !json.contains("at") ||
      !json["at"].is_string() || !json.contains("notAfter") || !json["notAfter"].is_string()) {
    return corrupt();
  }
  const auto at = parse_rfc3339(json["at"].get<std::string>());
  const auto not_after = parse_rfc3339(json["notAfter"].get<std::string>());
  if (!at || !not_after) return corrupt();
  return Revocation{static_cast<RevocationReason>(json["reason"].get<int>()), *at, *not_after};
}

store::NewEvent event(std::string type, const std::string& serial, std::optional<RevocationReason> reason) {
  nlohmann::json json = {{"serial", serial}};
  if (reason) json["reason"] = static_cast<int>(*reason);
  return {std::move(type), to_bytes(json.dump())};
}

// What a request to revoke makes of what there is.
Revocation merged(const std::optional<Revocation>& present, const Revocation& asked) {
  if (!present) return asked;
  Revocation result = *present;
  if (!present->for_good() || asked.reason == RevocationReason::key_compromise) result.reason = asked.reason;
  return result;
}

}  // namespace

Result<std::shared_ptr<Revocations>> Revocations::load(store::Store& store) {
  std::shared_ptr<Revocations> revocations(new Revocations(store));
  CAHN_CHECK(store::each_row(store, table, "", [&](const std::string& serial, const Bytes& value) -> Result<void> {
    CAHN_TRY(const auto revocation, from_json(value));
    revocations->durable_.emplace(serial, revocation);
    return {};
  }));
  return revocations;
}

std::optional<Revocation> Revocations::decided(std::string_view serial) const {
  if (const auto found = pending_.find(serial); found != pending_.end()) return found->second.next;
  const auto found = durable_.find(serial);
  return found == durable_.end() ? std::nullopt : std::optional(found->second);
}

bool Revocations::is_settled(std::string_view serial) const { return !pending_.contains(serial); }

void Revocations::revoke(const std::string& serial, Revocation asked, Done done) {
  const std::lock_guard order(order_);
  std::optional<Revocation> present;
  bool settled = false;
  {
    const std::lock_guard lock(mutex_);
    present = decided(serial);
    settled = is_settled(serial);
  }
  const Revocation next = merged(present, asked);
  const bool changes = present != next;
  if (!changes && settled) return done({});
  store::Batch batch;
  // What an earlier call already decided is written again without an event, so that this call too ends when it is
  // durable.
  if (changes) batch.events.push_back(event("certificate_revoked", serial, next.reason));
  batch.puts.push_back({std::string(table), serial, to_json(next)});
  change(serial, next, std::move(batch), std::move(done));
}

void Revocations::release(const std::string& serial, Done done) {
  const std::lock_guard order(order_);
  std::optional<Revocation> present;
  bool settled = false;
  {
    const std::lock_guard lock(mutex_);
    present = decided(serial);
    settled = is_settled(serial);
  }
  if (present && present->for_good()) {
    return done(fail(PkiError::not_permitted, "certificate " + serial + " is revoked for good, not on hold"));
  }
  if (!present && settled) return done({});
  store::Batch batch;
  if (present) batch.events.push_back(event("certificate_released", serial, std::nullopt));
  batch.erases.push_back({std::string(table), serial});
  change(serial, std::nullopt, std::move(batch), std::move(done));
}

void Revocations::change(const std::string& serial, std::optional<Revocation> next, store::Batch batch, Done done) {
  std::uint64_t sequence = 0;
  {
    const std::lock_guard lock(mutex_);
    sequence = ++last_sequence_;
    pending_[serial] = {sequence, next};
  }
  store_.commit(std::move(batch), [self = shared_from_this(), serial, sequence, next,
                                   done = std::move(done)](const Result<store::Committed>& committed) {
    self->settle(serial, sequence, next, committed.has_value());
    done(committed ? Result<void>() : fail(PkiError::unavailable, "the CA's store: " + committed.error().message));
  });
}

// Outcomes come in the order of the commits. A failed change leaves what is durable as it was; changes decided on top
// of it have been queued already and settle by themselves.
void Revocations::settle(const std::string& serial, std::uint64_t sequence, std::optional<Revocation> next,
                         bool committed) {
  const std::lock_guard lock(mutex_);
  if (const auto found = pending_.find(serial); found != pending_.end() && found->second.sequence == sequence) {
    pending_.erase(found);
  }
  if (!committed) return;
  if (next) {
    durable_.insert_or_assign(serial, *next);
  } else {
    durable_.erase(serial);
  }
  ++version_;
}

std::optional<Revocation> Revocations::find(std::string_view serial) const {
  const std::lock_guard lock(mutex_);
  const auto found = durable_.find(serial);
  return found == durable_.end() ? std::nullopt : std::optional(found->second);
}

std::pair<std::uint64_t, std::vector<crypto::RevokedEntry>> Revocations::entries(Time expired_before) const {
  const std::lock_guard lock(mutex_);
  std::vector<crypto::RevokedEntry> entries;
  entries.reserve(durable_.size());
  for (const auto& [serial, revocation] : durable_) {
    if (revocation.not_after < expired_before) continue;
    entries.push_back({serial, revocation.at, revocation.reason});
  }
  return {version_.load(), std::move(entries)};
}

}  // namespace cahn::pki
