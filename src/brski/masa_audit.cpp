#include "brski/masa_audit.h"

#include <algorithm>
#include <charconv>

#include "crypto/digest.h"

namespace cahn::brski {
namespace {

std::string domain_name(const crypto::Certificate& pin) {
  Bytes both;
  for (const auto& hash : {crypto::sha256(pin.domain_id()), crypto::sha256(pin.public_key().spki())}) {
    both.insert(both.end(), hash.begin(), hash.end());
  }
  return hex(crypto::sha256(both));
}

std::string ending(const crypto::Certificate& pin, bool nonced) {
  return "/" + domain_name(pin) + (nonced ? ".nonced" : ".nonceless");
}

Result<std::uint64_t> read_cut(const store::Store& store, const AuditTables& tables, const std::string& device) {
  CAHN_TRY(const auto value, store.get(tables.cut, device));
  if (!value) return 0;
  const std::string_view text = as_text(*value);
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc{} && end == text.data() + text.size()) return count;
  return fail(BrskiError::bad_report, "the audit log's count of removed entries is damaged");
}

}  // namespace

bool DeviceAudit::has(const crypto::Certificate& pin) const {
  return std::ranges::any_of(entries,
                             [nonced = ending(pin, true), nonceless = ending(pin, false)](const AuditEntry& e) {
                               return e.key.ends_with(nonced) || e.key.ends_with(nonceless);
                             });
}

AuditLog DeviceAudit::log() const {
  AuditLog log;
  log.arbitrary = arbitrary;
  for (const AuditEntry& entry : entries) {
    (entry.event.nonce ? log.nonced_duplicates : log.nonceless_duplicates) += entry.event.truncated;
    log.events.push_back(entry.event);
  }
  return log;
}

Result<DeviceAudit> read_audit(const store::Store& store, const AuditTables& tables, const std::string& device) {
  DeviceAudit audit{.device = device};
  CAHN_TRY(audit.arbitrary, read_cut(store, tables, device));
  const std::string prefix = device + "/";
  CAHN_CHECK(
      store::each_row(store, tables.entries, prefix, [&](const std::string& key, const Bytes& value) -> Result<void> {
        CAHN_TRY(AuditLog one, audit_log_from_json(as_text(value)));
        if (one.events.size() != 1) return fail(BrskiError::bad_report, "an entry of the audit log is damaged");
        audit.entries.push_back({key, std::move(one.events.front())});
        return {};
      }));
  return audit;
}

std::size_t append_entry(store::Batch& batch, const AuditTables& tables, DeviceAudit& audit, AuditEvent event,
                         const crypto::Certificate& pin, std::size_t limit) {
  const std::string its_ending = ending(pin, event.nonce.has_value());
  const auto remove = [&](std::vector<AuditEntry>::iterator entry) {
    batch.erases.push_back({tables.entries, entry->key});
    const std::uint64_t stood_for = 1 + entry->event.truncated;
    audit.entries.erase(entry);
    return stood_for;
  };
  const auto same = std::ranges::find_if(audit.entries, [&](const auto& e) { return e.key.ends_with(its_ending); });
  if (same != audit.entries.end()) event.truncated = remove(same);

  std::size_t cut = 0;
  for (; audit.entries.size() + 1 > std::max<std::size_t>(limit, 1); ++cut) {
    audit.arbitrary += remove(audit.entries.begin());
  }
  if (cut > 0) batch.puts.push_back({tables.cut, audit.device, to_bytes(std::to_string(audit.arbitrary))});

  AuditLog one;
  one.events.push_back(event);
  std::string key = audit.device + "/" + rfc3339(event.date, true) + its_ending;
  batch.puts.push_back({tables.entries, key, to_bytes(to_json(one))});
  audit.entries.push_back({std::move(key), std::move(event)});
  return cut;
}

}  // namespace cahn::brski
